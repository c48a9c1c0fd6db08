"""What RunPod's OpenAI proxy is answered: their objects and SSE, under the queue's limits."""

import base64
import json
from functools import partial
from pathlib import Path
from typing import Any

from basics.errors import Failure
from basics.events import Audio, Done, Started
from basics.limits import YIELD_BYTES
from operations.answer import answer
from operations.job import Job
from operations.proxied import Proxied, talk
from operations.queue import Post, Talk, collected, size
from tests.houses import decoded, standing
from tests.operations.test_queue import road

SPEECH = {"input": "Hello there.", "model": "tone", "voice": "low"}


async def posts(folder: Path, route: str, body: Any = None, **environment: str) -> list[Post]:
    async with standing(folder, **environment) as house:
        job = Job("job-1", {"openai_route": route, "openai_input": body})
        return [post async for post in talk(job, partial(answer, house=house)).posts()]


async def object_of(folder: Path, route: str, body: Any = None) -> dict[str, Any]:
    [post] = await posts(folder, route, body)
    assert post.last
    told: dict[str, Any] = post.complete()
    return told


async def error_of(folder: Path, route: str, body: Any = None) -> dict[str, Any]:
    [post] = await posts(folder, route, body)
    assert post.failed
    assert set(post.payload) == {"error"}
    error: dict[str, Any] = json.loads(post.payload["error"])["error"]
    return error


async def test_speech_is_one_plain_object_with_the_file_in_it(tmp_path: Path) -> None:
    told = await object_of(tmp_path, "/v1/audio/speech", SPEECH)
    assert "event" not in told
    assert (told["model"], told["voice"], told["audio"]["format"]) == ("tone", "low", "mp3")
    samples, rate = decoded(base64.b64decode(told["audio"]["data"]))
    assert len(samples) / rate > 0.5


async def test_the_file_is_posted_late_as_with_any_answer(tmp_path: Path) -> None:
    [post] = await posts(tmp_path, "/v1/audio/speech", SPEECH)
    assert "data" not in post.payload["audio"]


async def test_a_long_file_says_nothing_before_its_end(tmp_path: Path) -> None:
    told = await posts(tmp_path, "/v1/audio/speech", SPEECH | {"input": "A sentence of some length. " * 60})
    assert [post.last for post in told] == [True]


async def test_sse_is_strings_that_join_to_one_file(tmp_path: Path) -> None:
    told = await posts(tmp_path, "/v1/audio/speech", SPEECH | {"stream_format": "sse", "response_format": "wav"})
    assert all(isinstance(post.payload, str) for post in told)
    events = [json.loads(post.payload.removeprefix("data: ")) for post in told]
    assert [event["type"] for event in events] == ["speech.audio.delta"] * (len(told) - 1) + ["speech.audio.done"]
    samples, rate = decoded(b"".join(base64.b64decode(event["audio"]) for event in events[:-1]))
    assert len(samples) / rate > 0.5
    assert [post.last for post in told] == [False] * (len(told) - 1) + [True]


async def test_no_string_outgrows_the_stream() -> None:
    said = Talk(
        road(Started("m", "v", "en", 1, "wav", 1, 1), Audio(0, bytes(1_500_000), 0, 9), Done({})), Proxied(True)
    )
    told = [post async for post in said.posts()]
    assert len(told) > 4
    assert all(size(post.payload) <= YIELD_BYTES for post in told)


async def test_without_a_stream_strings_are_collected_in_order() -> None:
    said = Talk(road(Audio(0, b"abc", 0, 1), Done({})), Proxied(True))
    told = await collected(said.posts())
    assert [json.loads(each[6:])["type"] for each in told] == ["speech.audio.delta", "speech.audio.done"]


async def test_a_stream_that_breaks_says_so_as_text_and_fails_the_job() -> None:
    said = Talk(road(Audio(0, b"abc", 0, 1), Failure("busy", "Full.")), Proxied(True))
    sound, broken, last = [post async for post in said.posts()]
    assert "speech.audio.delta" in sound.payload
    assert json.loads(broken.payload.removeprefix("data: "))["error"]["code"] == "busy"
    assert json.loads(last.payload["error"])["error"]["type"] == "rate_limit_error"
    assert said.outcome == "busy"


async def test_errors_are_their_body_as_a_string(tmp_path: Path) -> None:
    assert (await error_of(tmp_path, "/v1/audio/speech", SPEECH | {"input": ""}))["param"] == "input"
    assert (await error_of(tmp_path, "/v1/audio/speech", SPEECH | {"vioce": "x"}))["param"] == "vioce"
    assert (await error_of(tmp_path, "/v1/audio/speech", "text"))["param"] == "openai_input"
    assert (await error_of(tmp_path, "/v1/chat/completions", {}))["param"] == "openai_route"
    assert (await error_of(tmp_path, "/v1/models/nothing"))["code"] == "unknown_model"


async def test_lists_come_for_a_get_without_a_body(tmp_path: Path) -> None:
    models = await object_of(tmp_path, "/v1/models")
    assert "tts-1" in [each["id"] for each in models["data"]]
    assert (await object_of(tmp_path, "/v1/models/tts-1"))["root"] == "kokoro"
    voices = await object_of(tmp_path, "/v1/audio/voices?model=kokoro", {})
    assert voices["voices"][0] == {"id": "af_heart", "name": "Heart", "language": "en-us"}


async def test_jobs_of_ours_are_answered_in_our_own_manner(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        said = talk(Job("job-1", {"op": "models.list"}), partial(answer, house=house))
        assert [post.payload["event"] async for post in said.posts()] == ["done"]
