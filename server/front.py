"""The house of a gateway: its own history and what it takes to serve jobs from that. It speaks nothing itself."""

from basics.errors import Failure
from basics.settings import Settings
from models.groups import table
from operations import house as houses
from operations.house import House
from server.routing import Routes


def front(settings: Settings, routes: Routes) -> House:
    """Its default model is that of the endpoint which is asked where none is named. Raises `misconfigured`."""
    name = settings.model or routes.names(routes.default)[0]
    model = routes.resolved(name)
    groups = {entry.group for entry in table()}
    group = name if name in groups else next((entry.group for entry in table() if entry.id == model), settings.group[0])
    known = any(entry.id == model and entry.group == group and entry.engine is not None for entry in table())
    changed = {"group": (group,), "model": model if known else "", "preload": (), "standby": ()}
    try:
        return houses.open(settings.model_copy(update=changed))
    except Failure as failure:
        raise Failure("misconfigured", failure.message, hint=failure.hint) from None
