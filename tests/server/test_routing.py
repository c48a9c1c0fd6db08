"""Which endpoint takes which job."""

from typing import Any

import pytest

from basics.errors import Failure
from basics.settings import Settings
from server.routing import Routes


def routes(endpoints: str, **more: str) -> Routes:
    return Routes(Settings.read({"ENDPOINTS": endpoints, "RUNPOD_API_KEY": "key", **more}))


@pytest.mark.parametrize(
    ("input", "endpoint"),
    [
        ({"model": "kokoro"}, "a"),
        ({"model": "chatterbox-turbo"}, "b"),
        ({"model": "fish-speech-s2"}, "c"),
        ({"model": "tts-1"}, "a"),
        ({}, "b"),
        ({"op": "voices.list"}, "b"),
        ({"op": "batch", "defaults": {"model": "kokoro"}, "items": [{"model": "tts-1"}, {"text": "x"}]}, "a"),
    ],
)
def test_a_model_goes_to_its_own_or_its_groups_endpoint(input: dict[str, Any], endpoint: str) -> None:
    table = routes("cloning=b,kokoro=a,fish-s2-pro=c", MODEL_ALIASES="tts-1=kokoro")
    assert table.of_input(input) == endpoint


def test_another_makers_model_goes_to_who_stands_in_for_it_else_to_the_default() -> None:
    table = routes("cloning=b,kokoro=a")
    assert [table.of_model(name) for name in ("tts-1", "tts-1-hd", "eleven_v3")] == ["a", "b", "b"]


def test_a_model_of_its_own_goes_before_its_group() -> None:
    assert routes("cloning=b,xtts-v2=x").of_model("xtts-v2") == "x"


def test_the_default_model_chooses_the_default_endpoint() -> None:
    assert routes("cloning=b,kokoro=a", MODEL="kokoro").of_input({"text": "Hello."}) == "a"


@pytest.mark.parametrize(("model", "code"), [("parler-mini", "model_not_in_this_worker"), ("none", "unknown_model")])
def test_a_model_that_no_endpoint_serves_is_refused_with_those_there_are(model: str, code: str) -> None:
    with pytest.raises(Failure) as refused:
        routes("cloning=b,kokoro=a").of_input({"model": model})
    assert (refused.value.code, refused.value.hint) == (code, "ENDPOINTS has cloning, kokoro.")


def test_models_of_two_endpoints_are_not_one_job() -> None:
    with pytest.raises(Failure, match="different endpoints"):
        routes("cloning=b,kokoro=a").of_input({"op": "batch", "items": [{"model": "kokoro"}, {"model": "f5-tts"}]})
