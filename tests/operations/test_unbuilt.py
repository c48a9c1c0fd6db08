import pytest

from basics.errors import Failure
from operations.request import SpeakRequest


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": {"reference": "https://a.example/b.txt"}}, "text"),
        ({"captions": "words"}, "captions"),
        ({"captions": "srt"}, "captions"),
        ({"verify": True}, "verify"),
        ({"verify": {"max_wer": 0.1}}, "verify"),
        ({"lexicon": {"a": "b"}}, "lexicon"),
        ({"lexicon": "mine"}, "lexicon"),
        ({"key": "k"}, "key"),
        ({"normalize": False}, "normalize"),
        ({"voice": {"design": "a calm old man"}}, "voice"),
        ({"text": None, "turns": [{"text": "a"}, {"text": "b", "voice": {"design": "c"}}]}, "turns[1].voice"),
    ],
)
def test_what_is_not_built_yet_is_refused_in_plain_words(fields: dict[str, object], field: str) -> None:
    with pytest.raises(Failure) as failure:
        SpeakRequest.parse({"text": "Hello.", **fields})
    assert (failure.value.code, failure.value.field) == ("not_supported", field)
    assert "not built yet" in failure.value.message
    assert failure.value.hint


def test_a_mistake_is_told_before_what_is_not_built() -> None:
    with pytest.raises(Failure) as failure:
        SpeakRequest.parse({"text": "Hello.", "captions": "srt", "speed": 9})
    assert failure.value.field == "speed"
