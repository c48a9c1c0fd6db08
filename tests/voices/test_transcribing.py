"""Voices whose words a recogniser writes down later: by whom, when, and that nobody's own words are lost to it."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from basics.audio import Samples
from basics.errors import Failure
from basics.events import Word
from listening.recogniser import Flag, Heard
from store.folder import Folder
from tests.voices.recordings import RATE, record, reference
from tests.voices.speaking import encoded, speech
from voices.library import Library, Rules
from voices.record import Record, record_key

SAID = "One two three four five six seven eight nine ten"


@dataclass
class Ear:
    """Hears a word a second, once it is let."""

    text: str = SAID
    fails: bool = False
    let: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    heard: list[tuple[float, str]] = field(default_factory=list)

    def ready(self) -> bool:
        return True

    def hear(self, samples: Samples, rate: int, language: str, cancel: Flag) -> Heard | None:
        self.begun.set()
        while not self.let.wait(0.01):
            if cancel.is_set():
                raise Failure("cancelled", "Nobody wants it any more.")
        self.heard.append((len(samples) / rate, language))
        words = tuple(Word(word, float(at), at + 0.9) for at, word in enumerate(self.text.split()))
        return None if self.fails else Heard(self.text, language, words)


def open_ear(**parts: Any) -> Ear:
    ear = Ear(**parts)
    ear.let.set()
    return ear


def library(folder: Path, ear: Ear | None = None) -> Library:
    rules = Rules(watch_seconds=0)
    return Library(Folder(folder), rules, transcriber=ear) if ear is not None else Library(Folder(folder), rules)


async def settled(voices: Library, id: str = "alice") -> Record:
    for _ in range(500):
        known = await voices.record(id)
        assert known is not None
        if known.transcript_state != "pending":
            return known
        await asyncio.sleep(0.01)
    raise AssertionError("still pending")


def aged(folder: Path, id: str = "alice") -> None:
    """As if the voice had been made a day ago."""
    store = Folder(folder)
    data, _ = store.get(record_key(id))
    store.put(
        record_key(id), Record.read(id, data).model_copy(update={"updated": "2026-01-01T00:00:00.000Z"}).written()
    )


async def test_a_voice_is_there_before_its_words_are(tmp_path: Path) -> None:
    ear = Ear()
    voices = library(tmp_path, ear)
    made = await voices.create(record("alice", language="de"), reference(300, seconds=40.0))
    assert (made.transcript, made.transcript_state) == ("", "pending")
    assert await voices.get("alice") is not None
    ear.let.set()
    known = await settled(voices)
    assert (known.transcript, known.transcript_state) == (SAID, "done")
    assert known.digest == made.digest
    assert ear.heard[0][0] <= 30
    assert ear.heard[0][1] == "de"
    await voices.close()


async def test_words_that_were_given_are_not_heard_over(tmp_path: Path) -> None:
    ear = open_ear()
    voices = library(tmp_path, ear)
    made = await voices.create(record("alice", transcript="What I said.", transcript_state="given"), reference())
    assert (made.transcript, made.transcript_state) == ("What I said.", "given")
    await voices.close()
    assert ear.heard == []


@pytest.mark.parametrize("state", ["edited", "none"])
async def test_what_somebody_wrote_meanwhile_stays(tmp_path: Path, state: str) -> None:
    ear = Ear()
    voices = library(tmp_path, ear)
    await voices.create(record("alice"), reference())
    await asyncio.to_thread(ear.begun.wait, 60)
    mine = {"transcript": "Mine." if state == "edited" else "", "transcript_state": state}
    await library(tmp_path).update("alice", lambda known: known.model_copy(update=mine))
    written = asyncio.gather(*voices._scribe._under_way.values())
    ear.let.set()
    await written
    known = await voices.record("alice")
    assert known is not None
    assert (known.transcript, known.transcript_state) == (mine["transcript"], state)
    await voices.close()


async def test_what_a_stopped_worker_owed_is_written_by_the_next_that_looks(tmp_path: Path) -> None:
    stopped = library(tmp_path, Ear())
    await stopped.create(record("alice"), reference())
    await stopped.close()
    other = library(tmp_path, ear := open_ear())
    await other.records()
    await asyncio.sleep(0.05)
    assert ear.heard == [], "somebody may still be at it"
    aged(tmp_path)
    await other.records()
    assert (await settled(other)).transcript_state == "done"
    await other.close()


async def test_a_worker_that_cannot_hear_leaves_it_to_others(tmp_path: Path) -> None:
    stopped = library(tmp_path, Ear())
    await stopped.create(record("alice"), reference())
    await stopped.close()
    aged(tmp_path)
    deaf = library(tmp_path)
    assert await deaf.written("alice", 15.0) is not None
    known = await deaf.record("alice")
    assert known is not None
    assert known.transcript_state == "pending"


async def test_whoever_reads_the_words_waits_for_them(tmp_path: Path) -> None:
    stopped = library(tmp_path, Ear())
    await stopped.create(record("alice"), reference())
    await stopped.close()
    other = library(tmp_path, open_ear())
    voice = await other.written("alice", 15.0)
    assert voice is not None
    assert voice.transcript == SAID
    await other.close()


async def test_where_the_recogniser_fails_the_voice_goes_without(tmp_path: Path) -> None:
    voices = library(tmp_path, open_ear(fails=True))
    await voices.create(record("alice"), reference())
    known = await settled(voices)
    assert (known.transcript, known.transcript_state) == ("", "none")
    await voices.close()


async def test_given_words_find_their_times_when_an_engine_hears_a_part(tmp_path: Path) -> None:
    ear = open_ear()
    voices = library(tmp_path, ear)
    given = record("alice", transcript=f"{SAID}, and more that is said later.", transcript_state="given")
    await voices.create(given, reference(300, seconds=40.0))
    voice = await voices.written("alice", 12.0)
    assert voice is not None
    assert [word.text for word in voice.words[:3]] == ["One", "two", "three"]
    known = await voices.record("alice")
    assert known is not None
    assert (known.transcript, known.transcript_state) == (given.transcript, "given")
    await voices.written("alice", 12.0)
    assert len(ear.heard) == 1
    await voices.close()


async def test_what_cannot_be_found_again_is_heard_once(tmp_path: Path) -> None:
    ear = open_ear(text="nothing of the kind at all")
    voices = library(tmp_path, ear)
    given = record("alice", transcript=SAID, transcript_state="given")
    await voices.create(given, reference(300, seconds=40.0))
    for _ in range(2):
        voice = await voices.written("alice", 12.0)
        assert voice is not None
        assert voice.words == ()
    assert len(ear.heard) == 1
    await voices.close()


async def test_a_recording_put_there_is_written_down_and_stays_the_files(tmp_path: Path) -> None:
    (tmp_path / "alice.wav").write_bytes(encoded(speech(1)))
    voices = library(tmp_path, open_ear())
    voice = await voices.written("alice", 15.0)
    assert voice is not None
    assert voice.transcript == SAID
    assert len(voice.samples if voice.samples is not None else ()) > RATE
    await voices.close()
    (tmp_path / "alice.wav").unlink()
    assert await voices.get("alice") is None
