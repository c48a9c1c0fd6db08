import pytest

from basics.errors import Failure
from operations.request import SpeakRequest


def refused(input: object) -> Failure:
    with pytest.raises(Failure) as failure:
        SpeakRequest.parse(input)
    return failure.value


@pytest.mark.parametrize(
    ("input", "field", "near"),
    [
        ({"text": "a", "vioce": "b"}, "vioce", "voice"),
        ({"text": "a", "sed": None}, "sed", "seed"),
        ({"text": "a", "s3config": {}}, "s3config", "s3Config"),
        ({"turns": [{"text": "a"}] * 3 + [{"text": "a", "vioce": "b"}]}, "turns[3].vioce", "voice"),
        ({"turns": [{"txt": "a"}]}, "turns[0].txt", "text"),
        ({"text": {"refrence": "https://a.example/b"}}, "text.refrence", "reference"),
        ({"text": "a", "voice": {"reference": "b", "transcrpt": "c"}}, "voice.transcrpt", "transcript"),
        ({"turns": [{"text": "a", "voice": {"blend": {"b": 1}, "blnd": 1}}]}, "turns[0].voice.blnd", "blend"),
        ({"text": "a", "verify": {"max_wr": 0.1}}, "verify.max_wr", "max_wer"),
    ],
)
def test_an_unknown_field_is_named_with_its_path_and_the_nearest_known_one(
    input: object, field: str, near: str
) -> None:
    failure = refused(input)
    assert (failure.code, failure.field) == ("invalid_input", field)
    assert f"`{field}`" in failure.message
    assert f"`{near}`" in failure.message
    assert failure.hint is not None


def test_an_unknown_field_comes_before_every_other_mistake() -> None:
    assert refused({"speed": 9, "txet": "a"}).field == "txet"


def test_a_message_says_what_the_field_takes_and_what_was_given() -> None:
    assert refused({"text": "a", "speed": 3}).message == "`speed` takes a number from 0.5 to 2; given was 3."


def test_a_missing_field_is_called_missing() -> None:
    assert "`turns[1].text` is missing" in refused({"turns": [{"text": "a"}, {"voice": "b"}]}).message


def test_the_caller_s_own_name_of_a_field_is_used() -> None:
    assert refused({"prompt": 5}).field == "prompt"
    assert refused({"prompt": "?"}).field == "prompt"
    assert refused({"text": "a", "voice_url": 5}).field == "voice_url"


@pytest.mark.parametrize(
    "input",
    [{"turns": "secret"}, {"turns": ["secret"]}, {"text": {"reference": "secret"}}, {"text": "a", "s3Config": "secret"},
     {"text": "a", "voice": {"reference": {"secret": "secret"}}}, {"text": "a", "voice": {"design": ["secret"]}},
     {"text": "a", "lexicon": ["secret"]}],
    ids=str,
)  # fmt: skip
def test_text_addresses_and_keys_are_never_repeated(input: object) -> None:
    assert "secret" not in refused(input).message


@pytest.mark.parametrize("value", ["x" * 5000, "x" * 10**6, ["x"] * 5000, 10**4000, {"x": "y" * 5000}], ids=range(5))
def test_long_values_are_never_repeated(value: object) -> None:
    assert len(refused({"text": "a", "format": value}).message) < 300


def test_a_long_name_of_an_unknown_field_is_cut() -> None:
    assert len(refused({"text": "a", "x" * 10**6: 1}).message) < 300


@pytest.mark.parametrize("name", [1, None, ("a",), "\ud800", "x\udfff"])
def test_a_field_s_name_that_is_no_text_is_refused(name: object) -> None:
    failure = refused({"text": "a", name: 1})
    assert failure.code == "invalid_input"
    assert failure.as_dict()["field"].encode()
