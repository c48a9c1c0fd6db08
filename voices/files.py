"""Files of whoever gives a command: read within limits, and written whole or not at all. Their names may be shown."""

import base64
import secrets
from pathlib import Path

from basics.errors import Failure

SCHEMES = ("https://", "http://", "s3://", "volume:", "data:")


def read(path: Path, most_bytes: float) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(round(most_bytes) + 1)
    except OSError as error:
        raise Failure("invalid_input", f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > most_bytes:
        raise Failure("reference_too_large", f"{path} is over {most_bytes / 1e6:g} MB.")
    return data


def reference(source: str, most_bytes: float) -> str:
    """A file as the request carries it; an address as it is."""
    return source if source.startswith(SCHEMES) else inline(read(Path(source), most_bytes))


def inline(data: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def write(data: bytes, into: Path) -> None:
    part = into.with_name(f".{secrets.token_hex(8)}.part")
    try:
        part.write_bytes(data)
        part.rename(into)
    except OSError as error:
        raise Failure("storage_failed", f"{into} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
