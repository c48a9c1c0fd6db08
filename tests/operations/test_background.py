import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from basics.events import Audio, Done, Event, Failed, Started
from operations.background import Background, Perform
from operations.house import House
from operations.job import Job
from store.history.history import NullHistory
from store.history.record import Work
from tests.houses import answered, decoded, done, standing
from tests.platform.inside import until

ROOT = Path(__file__).parent.parent.parent
HELLO = {"text": "Good morning, and welcome."}


@asynccontextmanager
async def running(
    folder: Path, perform: Perform | None = None, **given: Any
) -> AsyncGenerator[tuple[House, Background]]:
    async with standing(folder, MODE="http") as house:
        background = Background(house, perform, **given)
        await background.start()
        try:
            yield house, background
        finally:
            await background.drain(0)


def held_up(gate: asyncio.Event, begun: list[str]) -> Perform:
    async def perform(job: Job) -> AsyncGenerator[Event, None]:
        begun.append(job.id)
        yield Started("tone", "sine", "en", 24_000, "pcm", 1, 5)
        yield Audio(0, b"first", 0.0, 0.1)
        await gate.wait()
        yield Audio(1, b"second", 0.1, 0.1)
        yield Done({"model": "tone", "voice": "sine", "audio": {"format": "pcm", "bytes": 11, "duration": 0.2}})

    return perform


async def test_a_submitted_job_is_done_and_its_sound_can_be_fetched(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        id = await background.submit(Job("one", HELLO))
        result = await background.result(id, wait_seconds=60)
        assert result is not None
        assert (result.record.state, result.error) == ("done", None)
        assert result.answer is not None
        assert result.answer["model"] == "tone"
        heard = await background.hear(id)
        assert heard.path is not None
        assert decoded(heard.path.read_bytes())[1] == 24_000
        assert heard.content_type == "audio/wav"


async def test_watchers_who_come_early_and_late_hear_the_same(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with running(tmp_path, held_up(gate, [])) as (_, background):
        id = await background.submit(Job("one", HELLO))
        early = asyncio.create_task(everything(background, id))
        await heard_of(background, id, Audio)
        gate.set()
        late = await everything(background, id)
        assert [type(event) for event in late] == [Started, Audio, Audio, Done]
        assert b"".join(event.data for event in late if isinstance(event, Audio)) == b"firstsecond"
        assert await early == late
        assert background.heard(id, since=3) == late[3:]


async def heard_of(background: Background, id: str, kind: type[Event]) -> None:
    """Returns when the job has said something of the kind."""
    async with aclosing(background.watch(id)) as events:
        async for event in events:
            if isinstance(event, kind):
                return


async def everything(background: Background, id: str) -> list[Event]:
    return [event async for event in background.watch(id)]


def at_once(begun: list[str]) -> Perform:
    gate = asyncio.Event()
    gate.set()
    return held_up(gate, begun)


async def test_of_a_job_that_begins_anew_the_first_beginning_is_forgotten(tmp_path: Path) -> None:
    async def perform(job: Job) -> AsyncGenerator[Event, None]:
        for sound in (b"lost on the way", b"whole"):
            yield Started("tone", "sine", "en", 24_000, "pcm", 1, 5)
            yield Audio(0, sound, 0.0, 0.1)
        yield Done({"model": "tone", "voice": "sine", "audio": {"format": "pcm", "bytes": 5, "duration": 0.1}})

    async with running(tmp_path, perform) as (_, background):
        id = await background.submit(Job("one", HELLO))
        await background.result(id, wait_seconds=60)
        assert (await background.hear(id)).read() == b"whole"
        assert [type(event) for event in background.heard(id)] == [Started, Audio, Done]


async def test_a_waiting_job_is_accepted_before_submit_returns(tmp_path: Path) -> None:
    begun: list[str] = []
    async with running(tmp_path, held_up(asyncio.Event(), begun), places=1) as (house, background):
        await background.submit(Job("one", HELLO))
        await background.submit(Job("two", HELLO | {"voice": "low"}, batch="b"))
        record = await asyncio.to_thread(house.history.get, "two")
        assert record is not None
        assert (record.state, record.voice, record.batch, record.text) == ("pending", "low", "b", HELLO["text"])
        assert (begun, background.waiting) == (["one"], 1)


async def test_a_caller_who_hangs_up_while_submitting_leaves_a_job_that_runs(tmp_path: Path) -> None:
    async with running(tmp_path, at_once(begun := [])) as (_, background):
        submitting = asyncio.create_task(background.submit(Job("one", HELLO)))
        await asyncio.sleep(0)
        submitting.cancel()
        last = (await everything(background, "one"))[-1]
    assert isinstance(last, Done)
    assert begun == ["one"]


async def test_over_the_room_jobs_are_refused_as_busy_and_an_id_is_taken_once(tmp_path: Path) -> None:
    async with running(tmp_path, held_up(asyncio.Event(), []), places=1, room=2) as (_, background):
        for id in ("one", "two", "three"):
            await background.submit(Job(id, HELLO))
        with pytest.raises(Failure) as full:
            await background.submit(Job("four", HELLO))
        with pytest.raises(Failure) as twice:
            await background.submit(Job("two", HELLO))
    assert (full.value.code, full.value.retryable) == ("busy", True)
    assert twice.value.code == "key_conflict"


@pytest.mark.parametrize("id", ["runs", "waits"])
async def test_a_cancelled_job_ends_as_cancelled_and_makes_room(tmp_path: Path, id: str) -> None:
    begun: list[str] = []
    async with running(tmp_path, held_up(asyncio.Event(), begun), places=1) as (_, background):
        await background.submit(Job("runs", HELLO))
        await background.submit(Job("waits", HELLO))
        await heard_of(background, "runs", Audio)
        assert await background.cancel(id)
        last = (await everything(background, id))[-1]
        assert isinstance(last, Failed)
        assert last.error.code == "cancelled"
        assert not await background.cancel(id), "it has ended"
        result = await background.result(id)
        assert result is not None
        assert result.record.state == "cancelled"
        with pytest.raises(Failure, match="No sound"):
            await background.hear(id)
        if id == "runs":
            await heard_of(background, "waits", Audio)
    assert begun == (["runs", "waits"] if id == "runs" else ["runs"])


async def test_jobs_cancel_reaches_what_waits_here(tmp_path: Path) -> None:
    async with running(tmp_path, held_up(asyncio.Event(), []), places=1) as (house, background):
        await background.submit(Job("runs", HELLO))
        await background.submit(Job("waits", HELLO))
        answer = (await done(house, {"op": "jobs.cancel", "id": "waits"})).answer
        assert answer == {"cancelled": "waits"}
        assert background.waiting == 0


async def test_a_job_that_fails_says_why_to_whoever_comes(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        await background.submit(Job("one", {"text": "Hello.", "voice": "nobody"}))
        result = await background.result("one", wait_seconds=60)
    assert result is not None
    assert result.error is not None
    assert (result.record.state, result.error.code) == ("failed", "unknown_voice")


async def test_what_is_asked_of_nobody_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        assert await background.result("nobody") is None
        assert background.heard("nobody") == []
        for asking in (background.cancel("nobody"), background.hear("nobody"), everything(background, "nobody")):
            with pytest.raises(Failure) as caught:
                await asking
            assert caught.value.code == "not_found"


async def test_what_was_running_at_shutdown_is_done_by_the_next_server(tmp_path: Path) -> None:
    begun: list[str] = []
    async with running(tmp_path, held_up(asyncio.Event(), begun), places=1) as (house, background):
        await background.submit(Job("one", HELLO, batch="b"))
        await background.submit(Job("two", HELLO))
        await heard_of(background, "one", Audio)
        watching = asyncio.create_task(everything(background, "one"))
        await asyncio.sleep(0)
        await background.drain(0)
        last = (await watching)[-1]
        assert isinstance(last, Failed)
        assert (last.error.code, last.error.retryable) == ("busy", True)
        with pytest.raises(Failure, match="shutting down"):
            await background.submit(Job("three", HELLO))
        left = await asyncio.to_thread(house.history.get, "one")
        assert left is not None
        assert left.state == "pending"
    async with running(tmp_path, at_once(begun)) as (_, background):
        for id in ("one", "two"):
            result = await background.result(id, wait_seconds=60)
            assert result is not None
            assert result.record.state == "done"
        assert begun == ["one", "one", "two"]


async def test_results_outlive_the_server_that_made_them(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        await background.submit(Job("one", HELLO))
        first = await background.result("one", wait_seconds=60)
        sound = (await background.hear("one")).read()
        await background.drain()
    async with running(tmp_path) as (house, background):
        result = await background.result("one")
        assert result is not None
        assert first is not None
        assert result.answer == first.answer
        assert (await background.hear("one")).read() == sound
        [last] = await everything(background, "one")
        assert isinstance(last, Done)
        told = await done(house, {"op": "jobs.audio", "id": "one"})
        assert told.data == sound


async def test_the_sound_of_a_stream_can_be_fetched_whole_afterwards(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, background):
        await background.submit(Job("one", HELLO | {"delivery": "stream", "format": "pcm"}))
        events = await everything(background, "one")
        await background.drain()
    joined = b"".join(event.data for event in events if isinstance(event, Audio))
    async with running(tmp_path) as (_, background):
        assert joined
        assert (await background.hear("one")).read() == joined


async def test_keys_that_came_with_a_job_are_not_stored_and_the_job_is_not_run_again(tmp_path: Path) -> None:
    bucket = {"endpointUrl": "https://s3.example", "accessId": "a", "accessSecret": "nobody-may-see", "bucketName": "b"}
    begun: list[str] = []
    async with running(tmp_path, held_up(asyncio.Event(), begun)) as (_, background):
        await background.submit(Job("one", HELLO, s3=bucket))
        await background.submit(Job("two", HELLO | {"s3Config": bucket}))
        await heard_of(background, "two", Audio)
        await background.drain(0)
    async with running(tmp_path, at_once(begun)) as (_, background):
        results = [await background.result(id, wait_seconds=60) for id in ("one", "two")]
    assert [result.error.code for result in results if result and result.error] == ["internal", "internal"]
    assert begun == ["one", "two"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "history").rglob("*") if path.is_file())
    assert b"nobody-may-see" not in kept


async def test_a_job_that_takes_each_server_with_it_is_given_up(tmp_path: Path) -> None:
    begun: list[str] = []
    for _ in range(4):
        async with running(tmp_path, held_up(asyncio.Event(), begun)) as (_, background):
            if not begun:
                await background.submit(Job("one", HELLO))
            if len(begun) < 3:
                await heard_of(background, "one", Audio)
    assert begun == ["one"] * 3
    async with running(tmp_path) as (_, background):
        result = await background.result("one")
    assert result is not None
    assert result.record.state == "failed"


async def test_two_servers_on_one_database_do_not_run_a_job_twice(tmp_path: Path) -> None:
    begun: list[str] = []
    async with running(tmp_path, held_up(asyncio.Event(), begun), places=1) as (_, one):
        for id in ("one", "two"):
            await one.submit(Job(id, HELLO))
        async with running(tmp_path, at_once(begun)) as (_, other):
            assert await other.resume() == 0
            assert await one.cancel("one")
            asking = asyncio.create_task(everything(other, "two"))
            assert await other.cancel("two"), "who runs it is asked"
            last = (await asking)[-1]
            assert isinstance(last, Failed)
            assert last.error.code == "cancelled"
    assert begun == ["one", "two"]


async def test_speech_goes_on_without_a_database(tmp_path: Path) -> None:
    """The database's folder is a file: it can never be opened."""
    (tmp_path / "history").write_text("in the way")
    async with running(tmp_path) as (house, background):
        await background.submit(Job("one", HELLO))
        result = await background.result("one", wait_seconds=60)
        assert result is not None
        assert result.record.state == "done"
        assert decoded((await background.hear("one")).read())[1] == 24_000
        assert isinstance((await answered(house, HELLO))[-1], Done)


async def test_a_database_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    async with standing(tmp_path, MODE="http") as house:
        released, asked = threading.Event(), []

        def hang(*given: object) -> bool:
            asked.append(given)
            return released.wait()

        house = replace(house, history=Hanging(hang))
        background = Background(house, places=4, accept_seconds=0.05)
        try:
            for number in range(40):
                await background.submit(Job(f"job-{number}", HELLO))
            for number in range(40):
                result = await background.result(f"job-{number}", wait_seconds=60)
                assert result is not None
                assert result.record.state == "done"
            await background.drain(0)
        finally:
            released.set()
    assert len(asked) == 1, "after the first, nobody asks for a while"


async def test_jobs_that_a_slow_database_gives_out_late_are_taken_up_then(tmp_path: Path) -> None:
    released, begun = threading.Event(), list[str]()

    def slow(limit: int) -> list[Work]:
        released.wait()
        return [Work("one", json.dumps(HELLO), 1)]

    async with standing(tmp_path, MODE="http") as house:
        history = NullHistory()
        history.claim = slow  # type: ignore[method-assign]
        background = Background(replace(house, history=history), at_once(begun), accept_seconds=0.05)
        try:
            await background.start()
            assert await background.resume() == 0, "it is asked once at a time, and not waited for"
            assert await background.result("one") is None
            released.set()
            await until(lambda: begun == ["one"])
            result = await background.result("one", wait_seconds=60)
        finally:
            released.set()
            await background.drain(0)
    assert result is not None
    assert result.record.state == "done"


class Hanging(NullHistory):
    def __init__(self, hang: Callable[..., bool]) -> None:
        self.accept = hang  # type: ignore[method-assign]


SERVER = """
import asyncio, sys
from pathlib import Path
from operations.background import Background
from operations.job import Job
from tests.houses import standing

async def main():
    async with standing(Path(sys.argv[1]), MODE="http") as house:
        background = Background(house, places=1, accept_seconds=60)
        await background.start()
        for number in range(3):
            await background.submit(Job(f"job-{number}", {"text": "Word. " * 12_000}))
        print("accepted", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def accept_and_die(folder: Path) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(folder)], cwd=ROOT, stdout=-1, text=True)
    with server:
        assert server.stdout is not None
        assert server.stdout.readline() == "accepted\n"
        server.kill()


@pytest.mark.slow
async def test_jobs_of_a_server_that_was_killed_are_finished_by_the_next(tmp_path: Path) -> None:
    await asyncio.to_thread(accept_and_die, tmp_path)
    begun: list[str] = []
    async with running(tmp_path, at_once(begun)) as (_, background):
        for number in range(3):
            result = await background.result(f"job-{number}", wait_seconds=60)
            assert result is not None
            assert result.record.state == "done"
    assert sorted(begun) == ["job-0", "job-1", "job-2"]
