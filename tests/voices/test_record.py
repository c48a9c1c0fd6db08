import json

import pytest

from basics.errors import Failure
from tests.voices.recordings import record
from voices.record import Record, is_id


def test_what_is_written_is_read_again():
    voice = record("alice", tags=("warm",), consent={"by": "Alice"}, chosen=(0.5, 9.5), transcript="Grüß dich.")
    assert Record.read("alice", voice.written()) == voice


def test_a_file_written_by_hand_may_leave_things_out_and_have_more():
    voice = Record.read("alice", b'{"name": null, "tags": ["a"], "colour": "blue"}')
    assert (voice.id, voice.name, voice.tags) == ("alice", "", ("a",))


def test_the_folder_is_the_id_whatever_the_file_says():
    assert Record.read("alice", b'{"id": "../bob"}').id == "alice"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"tags": 5}',
        b"[" * 100_000,
        b'{"duration": "long"}',
        b'{"chosen": [NaN, 1]}',
        b'{"spans": [[-1, 2]]}',
        b'{"words": [["a", 0, Infinity]]}',
    ],
)
def test_a_file_that_makes_no_sense_is_an_unusable_voice(data):
    with pytest.raises(Failure) as caught:
        Record.read("alice", data)
    assert caught.value.code == "voice_unusable"


def test_conditioning_is_another_when_the_recording_is_and_what_is_read_when_the_transcript_is():
    voice, silent = record("alice", sha256="1", transcript="one"), record("alice", sha256="1")
    assert voice.digest != record("alice", sha256="2", transcript="one").digest
    assert voice.digest == silent.digest
    assert voice.reading != silent.reading
    assert record("alice", sha256="1", transcript="one", name="Alice", tags=("new",)).digest == voice.digest


def test_a_transcript_goes_with_all_of_the_recording_only():
    assert record("a", transcript="All of it.", duration=9.0, chosen=(0.0, 9.0)).spoken == "All of it."
    assert record("a", transcript="All of it.", duration=90.0, chosen=(3.0, 18.0)).spoken == ""


def test_callers_see_no_file_names():
    told = record("alice", audio="secret.flac", origin={"audio": ["alice.wav", "etag"]}).told()
    assert "secret" not in json.dumps(told)
    assert "alice.wav" not in json.dumps(told)
    assert told["origin"] == "file"


@pytest.mark.parametrize("id", ["a", "A.b_c-9", "x" * 64])
def test_an_id_is_letters_digits_and_a_little_more(id):
    assert is_id(id)


@pytest.mark.parametrize("id", ["", ".a", "a/b", "../a", "a\n", "a\x00", "ä", "x" * 65, "a b", "-a"])
def test_nothing_else_is_an_id(id):
    assert not is_id(id)
