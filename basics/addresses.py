"""Whether an address may be reached on a caller's behalf: only public ones, but for hosts allowed by name.

A caller who names an address must not learn what stands behind this worker's own network. So every address
that a name resolves to is judged, and whoever connects pins what was judged (`addresses`), because a name may
resolve to something else a moment later. Knows no protocol and fetches nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from basics.errors import Failure

Resolver = Callable[[str, int], Sequence[str]]
"""From a host and a port to all its addresses, as text. Raises OSError where there are none."""

PORTS = {"http": 80, "https": 443}

INNER = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
    ::/8 100::/64 2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
"""Beside what `is_global` refuses; some of these it takes for public, depending on the Python."""

CARRIERS = "64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32"
"""Of the sixth version with one of the fourth inside: translated, 6to4, Teredo; mapped ones are in ::/8."""

NEVER = tuple(ipaddress.ip_network(network) for network in (INNER + CARRIERS).split())


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address: where to connect, and to which of its numbers."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def check_public(
    url: str, allow_hosts: Sequence[str] = (), resolve: Resolver | None = None, field: str | None = None
) -> Address:
    """Judges a whole URL. `reference_refused`, or `reference_unreachable` where the name resolves to nothing."""
    parts = _split(url, field)
    host = _plain(parts.hostname or "", field)
    port = _port(parts, field)
    return Address(parts.scheme, host, port, check_host(host, port, allow_hosts, resolve, field))


def check_host(
    host: str,
    port: int,
    allow_hosts: Sequence[str] = (),
    resolve: Resolver | None = None,
    field: str | None = None,
) -> tuple[str, ...]:
    """The addresses to connect to. Refuses if any of them is not public: which one is met would be luck."""
    host = _plain(host, field)
    found = _addresses(host, port, resolve or resolved, field)
    if is_allowed(host, port, allow_hosts) or all(map(is_public, found)):
        return found
    raise _refused(field, f"{host} is not a public address", "Hosts named in ALLOW_HOSTS may be private.")


def is_allowed(host: str, port: int, allow_hosts: Sequence[str]) -> bool:
    """Whether a host is named exactly, alone or with its port."""
    bare = host.lower().strip("[]").rstrip(".")
    spellings = {bare, f"{bare}:{port}"}
    if ":" in bare:
        spellings = {bare, f"[{bare}]", f"[{bare}]:{port}"}
    return any(entry.lower() in spellings for entry in allow_hosts)


def is_public(address: str) -> bool:
    """Whether a numeric address belongs to the open internet."""
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(number in network for network in NEVER if network.version == number.version):
        return False
    return number.is_global and not number.is_multicast and not number.is_reserved


def resolved(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _split(url: str, field: str | None) -> SplitResult:
    # What one parser skips and another obeys: control characters, blanks, backslashes.
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise _refused(field, "the address holds blanks, control characters or backslashes")
    try:
        parts = urlsplit(url)
        scheme, host, user = parts.scheme, parts.hostname, "@" in parts.netloc
    except ValueError:
        raise _refused(field, "the address cannot be read") from None
    if scheme not in PORTS:
        raise _refused(field, "only https:// and http:// addresses are allowed")
    if user:
        raise _refused(field, "the address must not hold a user name or password")
    if not host:
        raise _refused(field, "the address names no host")
    return parts


def _port(parts: SplitResult, field: str | None) -> int:
    try:
        port = parts.port
    except ValueError:
        raise _refused(field, "the port is not a number from 1 to 65535") from None
    if port == 0:
        raise _refused(field, "the port is not a number from 1 to 65535")
    return port or PORTS[parts.scheme]


def _plain(host: str, field: str | None) -> str:
    """One spelling of a host. Numbers in any but the usual spelling are refused, whatever they stand for."""
    bare = host.lower().strip("[]").rstrip(".")
    if ":" in bare:
        if "%" in bare or not _is_number(bare):
            raise _refused(field, "the host is not an address that can be read")
        return bare
    try:
        bare = bare.encode("idna").decode().lower()
    except UnicodeError:
        raise _refused(field, "the host's name cannot be read") from None
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", bare):
        raise _refused(field, "the host's name cannot be read")
    last = bare.rpartition(".")[2]
    if (last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last)) and not _is_number(bare):
        raise _refused(field, "the host is a number that is not spelled as four decimals")
    return bare


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _addresses(host: str, port: int, resolve: Resolver, field: str | None) -> tuple[str, ...]:
    if _is_number(host):
        return (host,)
    try:
        found = tuple(resolve(host, port))
    except (OSError, UnicodeError):
        found = ()
    if not found:
        raise Failure("reference_unreachable", f"The host {host} cannot be found.", field=field)
    return found


def _refused(field: str | None, why: str, hint: str | None = None) -> Failure:
    return Failure("reference_refused", f"Refused: {why}.", field=field, hint=hint)
