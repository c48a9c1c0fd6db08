"""Which deployed endpoint takes a job: by ENDPOINTS, where a model or its group names one. Pure choice.

What names no model goes to the default: MODEL's endpoint, else the first. The voices' library is meant to be one
for all endpoints, in a bucket.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from basics.errors import Failure
from basics.settings import Settings
from models.aliases import STAND_INS
from models.groups import ALIASES, table


class Routes:
    def __init__(self, settings: Settings) -> None:
        """Raises `misconfigured` for what is no endpoint, or no key to ask it with."""
        if not settings.endpoints:
            raise Failure("misconfigured", "ENDPOINTS names no endpoint.")
        if not settings.runpod_api_key:
            raise Failure("misconfigured", "ENDPOINTS needs RUNPOD_API_KEY, with which the endpoints are asked.")
        for name, id in settings.endpoints.items():
            if not id.replace("-", "").replace("_", "").isalnum():
                raise Failure("misconfigured", f"ENDPOINTS: `{name}` is not given an endpoint's id.")
        self._named: Mapping[str, str] = settings.endpoints
        self._aliases = {**ALIASES, **settings.model_aliases}
        self._groups: dict[str, list[str]] = {}
        for entry in table():
            self._groups.setdefault(entry.id, []).append(entry.group)
        self.model = settings.model
        """Filled in where a job names none; empty leaves it to the endpoint."""
        self.default = self.of_model(self.model) if self.model else next(iter(self._named.values()))

    def endpoints(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._named.values()))

    def names(self, endpoint: str) -> list[str]:
        """What it was named for."""
        return [name for name, id in self._named.items() if id == endpoint]

    def resolved(self, name: str) -> str:
        """A model's own id, where an alias is given."""
        return self._aliases.get(name, name)

    def of_input(self, input: Any) -> str:
        models = list(dict.fromkeys(_models(input))) if isinstance(input, Mapping) else []
        endpoints = {self.of_model(model) for model in models}
        if len(endpoints) > 1:
            raise Failure(
                "not_supported",
                "The job's models are on different endpoints.",
                field="model",
                hint="Send one job for the models of each endpoint.",
            )
        return endpoints.pop() if endpoints else self.default

    def of_model(self, name: str) -> str:
        model = self.resolved(name)
        for key in (name, model, *self._groups.get(model, [])):
            if key in self._named:
                return self._named[key]
        if name in STAND_INS:
            return self._of_stand_in(STAND_INS[name])
        known = model in self._groups
        raise Failure(
            "model_not_in_this_worker" if known else "unknown_model",
            f"No endpoint of ENDPOINTS serves `{model[:64]}`." if known else f"There is no model `{name[:64]}`.",
            field="model",
            hint=f"ENDPOINTS has {', '.join(self._named)}.",
        )

    def _of_stand_in(self, model: str) -> str:
        """Who speaks for another maker's model, where an endpoint was named for it; else the default."""
        named = (self._named.get(key) for key in (model, *self._groups.get(model, [])))
        return next((id for id in named if id), self.default)


def _models(input: Mapping[str, Any]) -> Iterator[str]:
    """Every model that the job names; wrong types are the worker's to refuse."""
    items = input.get("items")
    parts = [input, input.get("defaults"), *(items if isinstance(items, list) else [])]
    for part in parts:
        if isinstance(part, Mapping) and isinstance(part.get("model"), str):
            yield part["model"]
