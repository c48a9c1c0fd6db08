"""Voices as zips: what goes in comes out, and what a stranger sends harms nothing."""

import io
import json
import struct
import zipfile
from typing import Any

import pytest

from basics.errors import Failure
from voices.parcel import AUDIO_BYTES, asked, pack, unpack

VOICE = {"id": "alice", "name": "Alice", "tags": ["warm"], "transcript": "Füße.", "consent": {"by": "Alice"}}


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zip:
        for name, data in members:
            zip.writestr(name, data)
    return file.getvalue()


def refused(data: bytes) -> Failure:
    with pytest.raises(Failure) as told:
        unpack(data)
    return told.value


def test_what_was_packed_comes_out_and_what_is_found_out_anew_stays_behind() -> None:
    found = unpack(pack({**VOICE, "quality": {"score": 1}, "sha256": "x", "language": ""}, b"flac"))
    assert (found.about, found.audio, found.id) == (VOICE, b"flac", "alice")


@pytest.mark.parametrize(
    ("state", "created", "changed"), [("given", True, False), ("edited", True, True), ("done", False, True)]
)
def test_words_are_whose_they_were_where_the_voice_arrives(state: str, created: bool, changed: bool) -> None:
    first, then = asked(unpack(pack({**VOICE, "transcript_state": state}, b"flac")).about)
    assert ("transcript" in first, "transcript" in then) == (created, changed)
    assert "transcript_state" not in first


def test_the_same_voice_makes_the_same_zip() -> None:
    assert pack(VOICE, b"flac") == pack(VOICE, b"flac")


def test_the_folders_name_is_the_id_whatever_the_file_says() -> None:
    data = zipped(("bob/voice.json", b'{"id": "../../etc"}'), ("bob/reference.flac", b"x"))
    assert unpack(data).id == "bob"


@pytest.mark.parametrize("folder", ["..", "../x", "/etc", "a/b", "", "C:", "a" * 65, ".hidden"])
def test_a_folder_that_leads_elsewhere_is_refused(folder: str) -> None:
    failure = refused(zipped((f"{folder}/voice.json", b"{}"), (f"{folder}/reference.flac", b"x")))
    assert failure.code == "invalid_input"


def test_members_beside_the_two_are_never_read() -> None:
    data = zipped(
        ("bob/voice.json", b"{}"), ("bob/reference.flac", b"x"), ("../../evil.pth", b"y"), ("/etc/passwd", b"z")
    )
    assert unpack(data).audio == b"x"


def test_a_bomb_is_stopped_while_it_unfolds() -> None:
    assert refused(zipped(("b/voice.json", bytes(3_000_000)), ("b/reference.flac", b"x"))).code == "reference_too_large"
    failure = refused(zipped(("b/voice.json", b"{}"), ("b/reference.flac", bytes(AUDIO_BYTES + 1))))
    assert failure.code == "reference_too_large"


def test_a_header_that_lies_about_the_size_gains_nothing() -> None:
    data = bytearray(zipped(("b/voice.json", b"{}"), ("b/reference.flac", bytes(AUDIO_BYTES + 1))))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    assert refused(bytes(data)).code in {"invalid_input", "reference_too_large"} or len(unpack(bytes(data)).audio) <= 10


@pytest.mark.parametrize(
    "told", [b"", b"[1]", b"{", b'"x"', b"\xff\xfe", b"[" * 100_000, json.dumps({"tags": 5}).encode()[:-1]]
)
def test_a_voice_that_is_no_object_is_refused(told: bytes) -> None:
    assert refused(zipped(("b/voice.json", told), ("b/reference.flac", b"x"))).code == "invalid_input"


@pytest.mark.parametrize(
    "members",
    [
        (),
        (("b/voice.json", b"{}"),),
        (("b/reference.flac", b"x"),),
        (("b/voice.json", b"{}"), ("c/voice.json", b"{}"), ("b/reference.flac", b"x")),
        tuple((f"b/{number}", b"") for number in range(200)),
    ],
)
def test_what_lacks_or_doubles_its_parts_is_refused(members: tuple[tuple[str, bytes], ...]) -> None:
    assert refused(zipped(*members)).code == "invalid_input"


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:40], lambda data: b"PK" + data[9:]])
def test_a_damaged_zip_is_refused(spoil: Any) -> None:
    assert refused(spoil(pack(VOICE, b"flac" * 100))).code == "invalid_input"


def test_a_locked_member_is_refused() -> None:
    data = bytearray(pack(VOICE, b"flac"))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + offset] |= 1
    assert refused(bytes(data)).code == "invalid_input"
