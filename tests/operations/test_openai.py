"""OpenAI's bodies as our input, and our events as their objects and SSE."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from basics.errors import CODES, Failure
from operations.openai import SpeechRequest, broken, delta, ended, error_body, status, usage
from operations.request import SpeakRequest

BODY = {"input": "Hello.", "model": "tts-1", "voice": "alloy"}


def asked(**fields: Any) -> dict[str, Any]:
    return SpeechRequest.model_validate(BODY | fields).as_input()


def refused(**fields: Any) -> Failure:
    with pytest.raises(Failure) as raised:
        asked(**fields)
    return raised.value


def test_openai_input_and_ours_make_the_same_request() -> None:
    theirs = asked(response_format="pcm", speed=1.5, voice={"id": "low"}, language="en", seed=3, pitch=-2.0)
    ours = {"text": "Hello.", "model": "tts-1", "voice": "low", "format": "pcm", "sample_rate": 24_000}
    ours |= {"speed": 1.5, "language": "en", "seed": 3, "pitch": -2.0}
    assert SpeakRequest.parse(theirs) == SpeakRequest.parse(ours)


def test_mp3_unless_asked_and_nothing_that_was_not_said() -> None:
    assert asked() == {"text": "Hello.", "model": "tts-1", "voice": "alloy", "format": "mp3", "speed": 1.0}


def test_null_and_empty_fields_are_as_if_left_out() -> None:
    assert asked(model="", voice=None, instructions="", language=None) == {
        "text": "Hello.", "format": "mp3", "speed": 1.0,
    }  # fmt: skip


def test_voice_objects_of_ours_go_through() -> None:
    assert asked(voice={"blend": {"a": 1.0}})["voice"] == {"blend": {"a": 1.0}}


def test_an_unknown_field_is_told_with_the_nearest() -> None:
    failure = refused(response_fromat="mp3")
    assert (failure.code, failure.field) == ("invalid_input", "response_fromat")
    assert "response_format" in str(failure.hint)


def test_two_names_of_one_thing_are_not_both_taken() -> None:
    assert refused(language="en", lang_code="de").field == "lang_code"
    assert asked(lang_code="de")["language"] == "de"


def test_sse_is_text_that_ends_in_what_it_took() -> None:
    assert delta(b"abc") == 'data: {"type": "speech.audio.delta", "audio": "YWJj"}\n\n'
    told = json.loads(ended({"usage": {"characters": 6, "audio_seconds": 1.2}}).removeprefix("data: "))
    assert told["usage"] == {"input_tokens": 6, "output_tokens": 2, "total_tokens": 8}


def test_usage_of_an_answer_without_any_is_nothing() -> None:
    assert set(usage({}).values()) == {0}


@pytest.mark.parametrize("code", CODES)
def test_every_failure_has_their_shape_and_a_status_that_their_clients_understand(code: str) -> None:
    failure = Failure(code, "`text` is wrong.", field="text", hint="Change `format`.")
    error = error_body(failure)["error"]
    assert error["message"] == "`input` is wrong. Change `response_format`."
    assert (error["param"], error["code"]) == ("input", code)
    assert (error["type"] == "server_error") == (status(failure) >= 500)
    assert json.loads(broken(failure).removeprefix("data: "))["error"] == error


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
)


@given(some.dictionaries(some.sampled_from([*SpeechRequest.model_fields, "other"]), json_values))
def test_whatever_a_body_holds_it_is_an_input_or_a_failure(body: dict[str, Any]) -> None:
    try:
        SpeakRequest.parse(SpeechRequest.model_validate(body).as_input())
    except Failure as failure:
        json.dumps(error_body(failure))
