import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from basics.clock import TurnedClock
from basics.errors import Failure
from store.folder import Folder
from tests.voices.recordings import RATE, hertz, record, reference
from tests.voices.speaking import encoded, speech
from voices.library import Library, Rules
from voices.record import Record

KEPT = Rules(watch_seconds=1e9)
"""A worker that never looks again by itself."""


def library(folder: Path, rules: Rules = KEPT, **more: Any) -> Library:
    return Library(Folder(folder), rules, **more)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def refused(what: Any) -> str:
    with pytest.raises(Failure) as caught:
        await what
    return caught.value.code


class Unreadable(Folder):
    """A store that breaks when told to."""

    broken = False

    def list(self, prefix: str = "") -> Any:
        if self.broken:
            raise Failure("storage_failed", "The bucket does not answer.")
        return super().list(prefix)


class Sealed(Folder):
    """A folder that may only be read."""

    def put(self, *_: Any, **__: Any) -> str:
        raise Failure("storage_failed", "The folder did not take the file: read-only.")


async def test_a_voice_that_was_made_can_be_spoken_with(tmp_path):
    voices = library(tmp_path)
    made = await voices.create(record("alice", language="en"), reference(300))
    voice = await voices.get("alice")
    assert voice is not None
    assert (voice.kind, voice.language, voice.rate, voice.digest) == ("library", "en", RATE, made.digest)
    assert voice.samples is not None
    assert hertz(voice.samples) == 300


async def test_another_worker_finds_it_at_once(tmp_path):
    one, other = library(tmp_path), library(tmp_path)
    assert await other.get("alice") is None
    await one.create(record("alice"), reference())
    assert await other.get("alice") is not None


async def test_used_again_it_is_read_from_memory(tmp_path):
    voices = library(tmp_path)
    await voices.create(record("alice"), reference())
    assert await voices.get("alice") is await voices.get("alice")


async def test_an_id_that_exists_is_refused_unless_it_is_to_be_replaced(tmp_path):
    voices = library(tmp_path)
    first = await voices.create(record("alice", description="old"), reference(300))
    assert await refused(voices.create(record("alice"), reference(400))) == "voice_exists"
    second = await voices.create(record("alice"), reference(400), replace=True)
    assert second.created == first.created
    assert second.description == ""
    voice = await voices.get("alice")
    assert voice is not None
    assert voice.samples is not None
    assert hertz(voice.samples) == 400
    assert names(tmp_path) == [f"alice/{second.audio}", "alice/voice.json"]


async def test_of_many_who_make_the_same_voice_at_once_one_succeeds(tmp_path):
    workers = [library(tmp_path) for _ in range(8)]
    made = await asyncio.gather(
        *(worker.create(record("alice", tags=(str(number),)), reference()) for number, worker in enumerate(workers)),
        return_exceptions=True,
    )
    winners = [each for each in made if isinstance(each, Record)]
    assert len(winners) == 1
    assert all(each.code == "voice_exists" for each in made if isinstance(each, Failure))
    assert names(tmp_path) == [f"alice/{winners[0].audio}", "alice/voice.json"]


async def test_changes_made_at_once_by_many_are_all_kept(tmp_path):
    workers = [library(tmp_path) for _ in range(6)]
    await workers[0].create(record("alice"), reference())

    def tagged(tag: str) -> Any:
        return lambda known: known.model_copy(update={"tags": (*known.tags, tag)})

    await asyncio.gather(*(worker.update("alice", tagged(str(number))) for number, worker in enumerate(workers)))
    known = await library(tmp_path).record("alice")
    assert known is not None
    assert sorted(known.tags) == ["0", "1", "2", "3", "4", "5"]


async def test_deleting_leaves_nothing_in_store_or_memory(tmp_path):
    gone = []
    voices = library(tmp_path, gone=gone.append)
    made = await voices.create(record("alice"), reference())
    assert await voices.get("alice") is not None
    Folder(tmp_path).put("alice/derived/tone-1.safetensors", b"derived")
    await voices.delete("alice")
    await asyncio.sleep(0)
    assert names(tmp_path) == []
    assert gone == [made.digest]
    assert await voices.get("alice") is None
    assert await refused(voices.delete("alice")) == "unknown_voice"


async def test_a_change_elsewhere_is_seen_within_the_time_that_is_set(tmp_path):
    clock, gone = TurnedClock(), []
    watching = library(tmp_path, Rules(watch_seconds=5), clock=clock, gone=gone.append)
    other = library(tmp_path)
    made = await other.create(record("alice"), reference())
    assert await watching.get("alice") is not None
    await other.update("alice", lambda known: known.model_copy(update={"name": "Alice B."}))
    clock.turn(5)
    assert [each.name for each in await watching.records()] == ["Alice B."]
    await other.delete("alice")
    clock.turn(5)
    assert await watching.records() == []
    await asyncio.sleep(0)
    assert gone == [made.digest]


async def test_a_busy_worker_looks_around_behind_its_jobs(tmp_path):
    clock = TurnedClock()
    watching, other = library(tmp_path, Rules(watch_seconds=10), clock=clock), library(tmp_path)
    assert await watching.records() == []
    await other.create(record("alice"), reference())
    clock.turn(6)
    assert await watching.records() == []
    for _ in range(200):
        await asyncio.sleep(0.01)
        if await watching.records():
            break
    assert [each.id for each in await watching.records()] == ["alice"]


async def test_a_store_that_fails_for_a_while_takes_no_known_voice_away(tmp_path):
    clock, store = TurnedClock(), Unreadable(tmp_path)
    voices = Library(store, Rules(watch_seconds=5), clock)
    await voices.create(record("alice"), reference())
    store.broken = True
    clock.turn(6)
    assert await voices.get("alice") is not None
    assert [each.id for each in await voices.records()] == ["alice"]


async def test_a_store_that_never_answered_is_told(tmp_path):
    store = Unreadable(tmp_path)
    store.broken = True
    assert await refused(Library(store).records()) == "storage_failed"


async def test_a_recording_put_there_is_a_voice_with_its_text(tmp_path):
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    (tmp_path / "alice.txt").write_text("Good morning everyone.\n")
    voices = library(tmp_path)
    assert [(each.id, each.told()["origin"]) for each in await voices.records()] == [("alice", "file")]
    voice = await voices.get("alice")
    assert voice is not None
    assert voice.transcript == "Good morning everyone."
    assert voice.samples is not None
    assert len(voice.samples) > 2 * RATE
    other = await library(tmp_path).record("alice")
    assert other is not None
    assert other.quality is not None


async def test_another_recording_put_in_its_place_is_another_voice(tmp_path):
    clock = TurnedClock()
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    voices = library(tmp_path, Rules(watch_seconds=5), clock=clock)
    first = await voices.get("alice")
    (tmp_path / "alice.wav").write_bytes(encoded(speech(2)))
    clock.turn(6)
    second = await voices.get("alice")
    assert first is not None
    assert second is not None
    assert first.digest != second.digest
    assert len([name for name in names(tmp_path) if name.endswith(".flac")]) == 1


async def test_a_voice_goes_with_the_file_it_came_from(tmp_path):
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    voices = library(tmp_path, Rules(watch_seconds=0))
    assert await voices.get("alice") is not None
    (tmp_path / "alice.wav").unlink()
    assert await voices.get("alice") is None
    assert names(tmp_path) == []


async def test_a_file_that_was_given_a_name_stays_as_a_voice(tmp_path):
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    voices = library(tmp_path, Rules(watch_seconds=0))
    await voices.update("alice", lambda known: known.model_copy(update={"name": "Alice"}))
    (tmp_path / "alice.wav").unlink()
    known = await voices.record("alice")
    assert known is not None
    assert known.name == "Alice"


async def test_deleting_a_voice_takes_its_files_along(tmp_path):
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    (tmp_path / "alice.txt").write_text("Good morning.")
    voices = library(tmp_path)
    await voices.get("alice")
    await voices.delete("alice")
    assert names(tmp_path) == []
    assert await voices.records() == []


async def test_a_folder_that_may_only_be_read_serves_its_files(tmp_path):
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    voices = Library(Sealed(tmp_path), KEPT)
    voice = await voices.get("alice")
    assert voice is not None
    assert await voices.get("alice") is voice
    assert names(tmp_path) == ["alice.wav"]
    assert await refused(voices.update("alice", lambda known: known)) == "storage_failed"


async def test_a_file_that_is_no_recording_says_so_when_it_is_used(tmp_path):
    (tmp_path / "alice.wav").write_bytes(b"not a sound at all")
    voices = library(tmp_path)
    assert await refused(voices.get("alice")) == "reference_not_audio"
    assert names(tmp_path) == ["alice.wav"]


async def test_a_record_nobody_can_read_hides_no_other_voice(tmp_path):
    voices = library(tmp_path)
    await voices.create(record("bob"), reference())
    Folder(tmp_path).put("alice/voice.json", b"{")
    assert [each.id for each in await library(tmp_path).records()] == ["bob"]
    assert await refused(voices.get("alice")) == "voice_unusable"
    await voices.create(record("alice"), reference(), replace=True)
    assert await voices.get("alice") is not None


async def test_a_damaged_or_missing_recording_is_not_spoken_with(tmp_path):
    made = await library(tmp_path).create(record("alice"), reference())
    (tmp_path / "alice" / made.audio).write_bytes(b"fLaC but no more")
    assert await refused(library(tmp_path).get("alice")) == "voice_unusable"
    (tmp_path / "alice" / made.audio).unlink()
    assert await refused(library(tmp_path).get("alice")) == "voice_unusable"


async def test_where_consent_is_asked_for_a_voice_without_is_silent(tmp_path):
    voices = library(tmp_path, Rules(watch_seconds=1e9, require_consent=True))
    await voices.create(record("alice"), reference())
    await voices.create(record("bob", consent={"by": "Bob"}), reference())
    assert await refused(voices.get("alice")) == "consent_required"
    assert await voices.get("bob") is not None


@pytest.mark.parametrize("id", ["../alice", "alice/voice.json", "", "a\x00", "x" * 65])
async def test_what_is_no_id_reaches_no_file(tmp_path, id):
    (tmp_path / "alice.wav").write_bytes(b"")
    assert await library(tmp_path / "inner").get(id) is None
    assert await refused(library(tmp_path / "inner").delete(id)) == "unknown_voice"


async def test_what_a_dead_worker_left_half_done_is_no_voice_and_swept_in_time(tmp_path):
    orphan = tmp_path / "alice" / "0123456789abcdef-00000000.flac"
    orphan.parent.mkdir()
    orphan.write_bytes(b"half")
    voices = library(tmp_path)
    assert await voices.records() == []
    os.utime(orphan, (0, 0))
    await voices.create(record("alice"), reference(300))
    await voices.create(record("alice"), reference(400), replace=True)
    assert len(names(tmp_path)) == 2


async def test_long_recordings_are_heard_in_part_and_kept_whole(tmp_path):
    voices = library(tmp_path)
    made = await voices.create(record("alice", transcript="All of it."), reference(300, seconds=40.0))
    voice = await voices.get("alice")
    assert voice is not None
    assert voice.samples is not None
    assert 5 <= len(voice.samples) / RATE <= 30
    assert voice.transcript == ""
    assert made.duration == 40.0
    assert len((await voices.sound("alice"))[1]) == 40 * RATE


async def test_looking_from_many_threads_lists_the_store_once(tmp_path):
    lists = []

    class Counted(Folder):
        def list(self, prefix: str = "") -> Any:
            lists.append(threading.get_ident())
            return super().list(prefix)

    voices = Library(Counted(tmp_path), Rules(watch_seconds=60))
    await asyncio.gather(*(voices.records() for _ in range(10)))
    assert len(lists) == 1


async def test_another_recording_has_another_transcript(tmp_path):
    voices = library(tmp_path)
    await voices.create(record("alice", transcript="What I said.", transcript_state="edited"), reference(300))
    changed = await voices.update("alice", lambda known: known, reference(400))
    assert (changed.transcript, changed.transcript_state) == ("", "none")
