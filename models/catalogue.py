"""Which models there are, and which of them this worker speaks.

Answers names and aliases with entries, and says who can when it cannot. Loads nothing but the small modules
that engines' cards are in: who is in memory is the manager's business.
"""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module

from basics.errors import Failure
from basics.settings import Settings
from models.aliases import STAND_INS
from models.card import Card
from models.engine import Engine
from models.environments import ENVIRONMENTS
from models.groups import ALIASES, Entry, table


def engine_class(entry: Entry) -> type[Engine]:
    """The engine, imported now. Its own heavy imports wait for `load`."""
    if entry.engine is None:
        raise unbuilt(entry)
    if isinstance(entry.engine, type):
        return entry.engine
    module, _, name = entry.engine.partition(":")
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise TypeError(f"{entry.engine} is not an engine")
    return found


def card(entry: Entry) -> Card:
    """The built engine's own card, else what is known; with the revision of the weights that it would load."""
    found = entry.described if entry.engine is None else engine_class(entry).card
    if found is None:
        raise TypeError(f"{entry.key} has neither an engine nor a card")
    return replace(found, id=entry.id, revision=entry.revision) if entry.needs_weights else replace(found, id=entry.id)


def unbuilt(entry: Entry) -> Failure:
    return Failure("not_supported", f"`{entry.id}` is known, but its engine is not built yet.", field="model")


class Catalogue:
    def __init__(self, settings: Settings, entries: Sequence[Entry] | None = None) -> None:
        """Raises `misconfigured` for groups that are unknown, or that no one image can serve together."""
        self._entries = tuple(table() if entries is None else entries)
        self._groups = settings.group
        self._accepted = {word.lower() for word in settings.accept_licenses}
        self._aliases = {**ALIASES, **settings.model_aliases}
        self.environment = self._check_groups()
        self._here = {entry.id: entry for entry in reversed(self._entries) if entry.group in self._groups}
        self._check_aliases(settings)
        self._default = self._first("")
        self._default = self._first(settings.model)

    @property
    def default(self) -> Entry:
        """`MODEL`, else the group's first that is built."""
        if self._default.engine is None:
            raise unbuilt(self._default)
        return self._default

    def find(self, name: str) -> Entry:
        """The entry to load. Raises what keeps this worker from speaking with it, most telling first."""
        entry = self.look(name)
        if entry.group not in self._groups:
            raise Failure(
                "model_not_in_this_worker",
                f"`{entry.id}` is served by the image of group `{entry.group}`; this worker serves "
                f"{_listed([each.id for each in self.served() if not card(each).hidden])}.",
                field="model",
            )
        if entry.engine is None:
            raise unbuilt(entry)
        self._check_licence(entry)
        return entry

    def look(self, name: str) -> Entry:
        """Any model of the contract, this worker's own variant first. Raises `unknown_model` naming the nearest."""
        id = self._resolve(name)
        found = self._here.get(id) or next((entry for entry in self._entries if entry.id == id), None)
        if found is None:
            near = get_close_matches(name, [*(entry.id for entry in self._entries), *self._aliases, *STAND_INS], 1, 0.4)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise Failure("unknown_model", f"No model is called `{name[:64]}`.{hint}", field="model")
        return found

    def served(self) -> tuple[Entry, ...]:
        """What this worker can speak with, in the table's order; hidden ones too."""
        return tuple(entry for entry in self._entries if self._is_here(entry) and entry.engine is not None)

    def all(self) -> tuple[Entry, ...]:
        """Every model once, this worker's own variant first."""
        return tuple(self.look(id) for id in dict.fromkeys(entry.id for entry in self._entries))

    def listed(self) -> tuple[Entry, ...]:
        """Every model without the hidden."""
        return tuple(entry for entry in self.all() if not card(entry).hidden)

    def aliases(self, entry: Entry) -> tuple[str, ...]:
        """The other names by which this worker is asked for it."""
        names = dict.fromkeys((*self._aliases, *STAND_INS))
        return tuple(name for name in names if self._resolve(name) == entry.id and name != entry.id)

    @property
    def tags(self) -> frozenset[str]:
        """Of every model: what one does not read is known to be another's."""
        return frozenset(tag for entry in self._entries for tag in card(entry).tags)

    def cards(self) -> tuple[Card, ...]:
        """Of every model, without the hidden."""
        return tuple(map(card, self.listed()))

    def _resolve(self, name: str) -> str:
        wanted = name.strip()
        known = {entry.id for entry in self._entries}
        if wanted in known:
            return wanted
        if wanted in STAND_INS and wanted not in self._aliases:
            speaker = self._here.get(STAND_INS[wanted])
            return speaker.id if speaker is not None and speaker.engine is not None else self._default.id
        return self._aliases.get(wanted, wanted)

    def _is_here(self, entry: Entry) -> bool:
        return self._here.get(entry.id) is entry

    def _first(self, wanted: str) -> Entry:
        if wanted:
            try:
                return self.look(wanted) if self._resolve(wanted) in self._here else self.find(wanted)
            except Failure as error:
                raise Failure("misconfigured", f"MODEL: {error.message}") from error
        inside = [entry for entry in self._entries if self._is_here(entry)]
        return next((entry for entry in inside if entry.engine is not None), inside[0])

    def _check_groups(self) -> str:
        groups = sorted({entry.group for entry in self._entries} | set(ENVIRONMENTS))
        if unknown := [group for group in self._groups if group not in groups]:
            raise Failure("misconfigured", f"MODEL_GROUP: no group `{unknown[0]}`; there are {_listed(groups)}.")
        environments = {ENVIRONMENTS[group] for group in self._groups}
        if len(environments) != 1:
            raise Failure(
                "misconfigured",
                "MODEL_GROUP: one image serves groups of one environment; "
                + "; ".join(f"`{group}` needs `{ENVIRONMENTS[group]}`" for group in self._groups)
                + ".",
            )
        return environments.pop()

    def _check_aliases(self, settings: Settings) -> None:
        known = {entry.id for entry in self._entries}
        for alias, target in settings.model_aliases.items():
            if target not in known:
                raise Failure("misconfigured", f"MODEL_ALIASES: `{alias}` names `{target}`, which is no model.")

    def _check_licence(self, entry: Entry) -> None:
        word = card(entry).accept
        if word and word not in self._accepted:
            raise Failure(
                "licence_not_accepted",
                f"The weights of `{entry.id}` forbid commercial use ({card(entry).licence}). Whoever runs this worker "
                f"accepts that with ACCEPT_LICENSES={word}.",
                field="model",
            )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
