"""Who may ask. On a RunPod load balancer the edge has checked `Authorization`, which is left alone there.

A key is compared in constant time and is never logged.
"""

import hmac
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from basics.errors import Failure
from basics.settings import Settings

HEADERS = ("x-api-key", "xi-api-key")
PARAMETERS = ("api_key", "xi_api_key", "authorization")
"""Of a WebSocket's address: browsers cannot send headers with one."""


def checked(connection: HTTPConnection) -> None:
    """Raises `unauthorised`. What routers depend on."""
    admitted(connection)


def admitted(connection: HTTPConnection, said: str = "") -> None:
    """Raises `unauthorised`. `said` is a key that came in a socket's first message."""
    settings: Settings = connection.app.state.settings
    if not settings.api_keys:
        return
    given = [*offered(connection, bearer=not settings.endpoint_id), said]
    if not any(hmac.compare_digest(key.encode(), known.encode()) for key in given for known in settings.api_keys):
        where = "`X-API-Key`" if settings.endpoint_id else "`Authorization: Bearer`, or in `X-API-Key`"
        raise Failure("unauthorised", f"This server asks for a key in {where}.")


def offered(connection: HTTPConnection, *, bearer: bool) -> list[str]:
    headers: Mapping[str, str] = connection.headers
    keys = [headers[name] for name in HEADERS if name in headers]
    if connection.scope["type"] == "websocket":
        keys += [connection.query_params[name] for name in PARAMETERS if name in connection.query_params]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if bearer and scheme.lower() == "bearer":
        keys.append(token.strip())
    return [key.removeprefix("Bearer ") for key in keys]
