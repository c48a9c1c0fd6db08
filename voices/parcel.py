"""One voice as a zip: its recording, and what is known about it. What engines derived is left out: they derive it anew.

A parcel may come from anywhere. It is read in memory, member by member, by the two names it must have; nothing is
ever unpacked to disk, so no name in it leads anywhere.
"""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from basics.errors import Failure
from voices.record import FILE, RECORD_BYTES, is_id

AUDIO = "reference.flac"
AUDIO_BYTES = 100_000_000
MOST_BYTES = AUDIO_BYTES + RECORD_BYTES
MOST_MEMBERS = 100
KEPT = ("id", "name", "description", "tags", "language", "transcript", "transcript_state", "consent")
"""What of a voice travels: the rest is found out about the recording where it arrives."""
STAMP = (2020, 1, 1, 0, 0, 0)
"""The same voice makes the same zip."""


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    about: dict[str, Any]
    """`id`, and of the others those that the voice has."""
    audio: bytes

    @property
    def id(self) -> str:
        return str(self.about["id"])


def pack(voice: dict[str, Any], audio: bytes) -> bytes:
    """`voice` as `voices.get` tells it."""
    about = {name: voice[name] for name in KEPT if voice.get(name)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zip:
        text = json.dumps(about, ensure_ascii=False, indent=1)
        zip.writestr(zipfile.ZipInfo(f"{about['id']}/{FILE}", STAMP), text, zipfile.ZIP_DEFLATED)
        zip.writestr(zipfile.ZipInfo(f"{about['id']}/{AUDIO}", STAMP), audio)
    return file.getvalue()


def unpack(data: bytes) -> Parcel:
    """Raises `invalid_input` for what is no parcel, `reference_too_large`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zip:
            folder = _folder(zip)
            about = _about(_member(zip, f"{folder}/{FILE}", RECORD_BYTES), folder)
            return Parcel(about, _member(zip, f"{folder}/{AUDIO}", AUDIO_BYTES))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise _no_parcel("it is no zip, or a damaged one") from None


def asked(about: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What creates the voice anew, and what changes it afterwards so that its words are again whose they were.

    What a recogniser heard was of a part that is chosen anew where the voice arrives: it is heard again there.
    """
    state = about.get("transcript_state")
    created = {name: value for name, value in about.items() if name != "transcript_state"}
    words = {"transcript": created["transcript"]} if state in ("edited", "done") and "transcript" in created else {}
    if state == "done":
        created.pop("transcript", None)
    return created, words


def _folder(zip: zipfile.ZipFile) -> str:
    names = zip.namelist()
    if len(names) > MOST_MEMBERS:
        raise _no_parcel(f"it has more than {MOST_MEMBERS} members")
    found = {name.removesuffix(f"/{FILE}") for name in names if name.endswith(f"/{FILE}")}
    if len(found) != 1:
        raise _no_parcel(f"it must hold one folder with a {FILE}")
    folder = found.pop()
    if not is_id(folder):
        raise _no_parcel("its folder's name is no voice's id")
    return folder


def _member(zip: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    """What a header says of a member's size is not believed: bytes are counted while they come."""
    if zip.namelist().count(name) != 1:
        raise _no_parcel(f"it must hold one {name.rpartition('/')[2]}")
    with zip.open(name) as member:
        data = member.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise Failure("reference_too_large", f"The parcel's {name.rpartition('/')[2]} is over {most_bytes / 1e6:g} MB.")
    return data


def _about(data: bytes, folder: str) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise _no_parcel(f"its {FILE} is not JSON") from None
    if not isinstance(told, dict):
        raise _no_parcel(f"its {FILE} is no object")
    return {name: told[name] for name in KEPT if told.get(name)} | {"id": folder}


def _no_parcel(why: str) -> Failure:
    return Failure("invalid_input", f"This is no exported voice: {why}.", hint="`voices export` makes one.")
