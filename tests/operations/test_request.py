import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.errors import Failure
from operations.fields import TEXT_CHARS
from operations.request import SpeakRequest, derive_seed


def asked(**fields: object) -> SpeakRequest:
    return SpeakRequest.parse({"text": "Hello.", **fields})


def outcome(input: object) -> SpeakRequest | Failure:
    try:
        return SpeakRequest.parse(input)
    except Failure as failure:
        return failure


def refused(**fields: object) -> Failure:
    with pytest.raises(Failure) as failure:
        asked(**fields)
    return failure.value


def refused_input(input: object) -> Failure:
    with pytest.raises(Failure) as failure:
        SpeakRequest.parse(input)
    return failure.value


def test_a_text_alone_is_a_request_with_the_defaults() -> None:
    request = SpeakRequest.parse({"text": "Hello."})
    assert (request.op, request.format, request.delivery, request.stamp) == ("speak", "wav", "auto", "metadata")
    assert (request.speed, request.pitch, request.loudness, request.take) == (1.0, 0.0, -16.0, 0)
    assert (request.captions, request.verify, request.normalize, request.cache) == ("none", False, True, True)
    assert (request.model, request.voice, request.language, request.seed, request.key) == (None,) * 5
    assert not request.dry_run
    assert not request.keep


def test_every_field_is_taken_as_it_was_given() -> None:
    given = {
        "op": "speak", "text": "Hello.", "model": "kokoro", "voice": "af_heart", "language": "en-us", "speed": 1.5,
        "pitch": -2, "params": {"a": [1, None, "x"]}, "seed": 5, "format": "mp3", "sample_rate": 24000, "bitrate": 64,
        "loudness": -20, "delivery": "stream", "keep": True, "cache": False, "stamp": "none", "dry_run": True,
        "instructions": "calmly",
    }  # fmt: skip
    request = SpeakRequest.parse(given)
    assert {name: getattr(request, name) for name in given} == given


def test_a_null_field_is_as_if_left_out_except_loudness() -> None:
    request = asked(speed=None, turns=None, format=None, loudness=None, seed=None)
    assert (request.speed, request.format, request.loudness) == (1.0, "wav", None)


def test_aliases_are_the_field_they_stand_for() -> None:
    assert SpeakRequest.parse({"prompt": "Hello."}) == SpeakRequest.parse({"text": "Hello."})
    assert asked(format="ogg").format == "opus"


@pytest.mark.parametrize(("alias", "name"), [("prompt", "text"), ("voice_url", "voice")])
def test_an_alias_beside_its_field_is_refused(alias: str, name: str) -> None:
    failure = refused_input({"text": "Hello.", "voice": "a", alias: "https://a.example/b"})
    assert (failure.code, failure.field) == ("invalid_input", alias)
    assert f"`{name}`" in failure.message


@pytest.mark.parametrize("input", [None, [], "text", 5, [{"text": "Hello."}]])
def test_an_input_that_is_no_object_is_refused(input: object) -> None:
    assert (refused_input(input).code, refused_input(input).field) == ("invalid_input", "input")


@pytest.mark.parametrize("input", [{}, {"turns": None}, {"text": "a", "turns": [{"text": "b"}]}])
def test_exactly_one_of_text_and_turns_is_needed(input: object) -> None:
    assert refused_input(input).message == "Give exactly one of `text` and `turns`."


def test_the_limit_of_text_is_exact() -> None:
    assert SpeakRequest.parse({"text": "a" * TEXT_CHARS})
    failure = refused_input({"text": "a" * (TEXT_CHARS + 1)})
    assert (failure.code, failure.field, failure.status) == ("text_too_long", "text", 413)
    assert "100,001" in failure.message
    assert "100,000" in failure.message


def test_turns_together_have_the_limit_of_a_text() -> None:
    assert SpeakRequest.parse({"turns": [{"text": "a" * 100}] * 1000})
    assert refused_input({"turns": [{"text": "a" * 101}] * 1000}).code == "text_too_long"
    assert refused_input({"turns": [{"text": "a"}] * 1001}).field == "turns"


@pytest.mark.parametrize("text", ["", " ", "?!", "😀", "a\ud800", "a\x00b", "\x07\x1b"])
@pytest.mark.parametrize("turn", [False, True])
def test_text_that_cannot_be_spoken_is_refused_by_the_field_s_name(text: str, turn: bool) -> None:
    failure = refused_input({"turns": [{"text": "ok"}, {"text": text}]} if turn else {"text": text})
    assert (failure.code, failure.field) == ("invalid_input", "turns[1].text" if turn else "text")


BOUNDS: dict[str, tuple[list[object], list[object]]] = {
    "speed": ([0.5, 2, 1], [0, 0.49, 2.01, "1", True, float("nan"), float("inf"), 10**400, []]),
    "pitch": ([-12, 12, 0.5], [-12.1, 13, "0", False]),
    "take": ([0, 7], [-1, 1.5, True, "1", 2**63]),
    "seed": ([0, 2**63 - 1, "random"], [-1, 2**63, "Random", 1.5, True, "5"]),
    "format": (["wav", "mulaw", "ogg"], ["", "WAV", "mp4", 1, ["wav"]]),
    "sample_rate": ([8000, 48000], [7999, 48001, "24000", 24000.5, True]),
    "loudness": ([-40, -5, -23.5], [-40.5, 0, "-16", True]),
    "delivery": (["auto", "stream", "inline", "url", "volume"], ["", "file", 5]),
    "keep": ([True, False], [1, "true"]),
    "language": (["en", "pt-br", "zh_Hans_CN", "yue"], ["", "e", "english language", 5, "en-"]),
    "model": (["kokoro"], ["", "m" * 129, 5]),
    "voice": (["a", "library:a", {"blend": {"a": 1, "b": 0.5}}],
              ["", 5, [], {}, {"blend": {}}, {"blend": {"a": 0}}, {"blend": {"a(": 1}}, {"design": 5}]),
    "params": ([{}, {"a": {"b": [1]}}], [[], "x", {"a": float("nan")}, {"a": 2**63}, {"a": [0] * 1000}, {1: 2}]),
    "instructions": (["x"], ["", "x" * 2001, 5]),
    "s3Config": ([{"anything": 1}], ["x", 5, []]),
    "op": (["speak"], ["batch", "", 5]),
    "captions": ([], ["xml", True]),
    "verify": ([], ["yes", 1, {"max_wer": 2}, {"attempts": 0}]),
    "lexicon": ([], [5, {"a": 1}, []]),
    "key": ([], ["", "k" * 129, 5]),
    "stamp": (["none", "metadata"], ["yes", True]),
    "turns": ([], [[], "a", {}, [5], [None], [{}], [{"text": "a", "pause": 11}], [{"text": "a", "speed": 3}]]),
    "text": ([], [5, [], {"reference": 5}, {"reference": "/etc/passwd"}, {"reference": "file:///x"}, {}]),
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, (good, _) in BOUNDS.items() for value in good])
def test_a_value_within_its_limits_is_taken(field: str, value: object) -> None:
    assert asked(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, (_, bad) in BOUNDS.items() for value in bad],
    ids=lambda value: str(value)[:24],
)
def test_a_value_out_of_its_limits_is_refused_by_the_field_s_name(field: str, value: object) -> None:
    failure = refused_input({"text": "Hello.", field: value} if field != "turns" else {field: value})
    assert failure.code == "invalid_input"
    assert failure.field is not None
    assert failure.field.startswith("input" if value == {1: 2} and field != "params" else field)
    assert failure.field in failure.message
    assert len(failure.message) < 400


@pytest.mark.parametrize("format", ["wav", "flac", "pcm", "mulaw", "alaw"])
def test_a_bitrate_that_the_format_has_no_use_for_is_refused(format: str) -> None:
    failure = refused(bitrate=64, format=format)
    assert (failure.code, failure.field) == ("invalid_input", "bitrate")
    assert "mp3, opus, aac" in failure.message


@pytest.mark.parametrize("seed", [5, "random"])
def test_a_take_beside_a_seed_would_be_ignored_and_is_refused(seed: object) -> None:
    assert refused(seed=seed, take=1).field == "take"
    assert asked(seed=seed, take=0)


def test_a_blend_is_one_voice_however_it_is_written() -> None:
    (part,) = asked(voice={"blend": {"af_heart": 0.6, "af_sky": 0.4}}).parts()
    assert part.voice == "af_heart(0.6)+af_sky(0.4)"


def test_turns_have_their_own_wishes_and_else_the_request_s() -> None:
    turns = [
        {"text": "A.", "voice": "bob", "speed": 2, "language": "de", "pause": 1, "params": {"x": 2}},
        {"text": "B."},
    ]
    first, second = SpeakRequest.parse({"turns": turns, "voice": "al", "params": {"x": 1, "y": 1}}).parts()
    assert (first.voice, first.speed, first.language, first.pause, first.params) == (
        "bob",
        2,
        "de",
        1,
        {"x": 2, "y": 1},
    )
    assert (second.voice, second.speed, second.language, second.pause, second.turn) == ("al", 1, "", None, 1)


def test_a_job_s_bucket_is_never_shown() -> None:
    request = asked(s3Config={"accessSecret": "hush"})
    assert request.s3 == {"accessSecret": "hush"}
    assert "hush" not in repr(request)
    assert "hush" not in str(refused(s3Config="hush", speed=1).as_dict())


DELIVERY = [
    {"format": "mp3"},
    {"delivery": "stream"},
    {"loudness": None},
    {"sample_rate": 8000},
    {"cache": False},
    {"stamp": "none"},
]
READING = [
    {"take": 1},
    {"voice": "b"},
    {"model": "m"},
    {"speed": 1.1},
    {"params": {"a": 1}},
    {"language": "de"},
    {"text": "Hello!"},
]


@pytest.mark.parametrize("change", DELIVERY, ids=str)
def test_the_derived_seed_does_not_depend_on_how_sound_is_delivered(change: dict[str, object]) -> None:
    assert derive_seed(asked(**change)) == derive_seed(asked())


@pytest.mark.parametrize("change", READING, ids=str)
def test_the_derived_seed_depends_on_what_is_read_and_how(change: dict[str, object]) -> None:
    assert derive_seed(asked(**change)) != derive_seed(asked())


def test_the_derived_seed_is_the_same_in_every_process() -> None:
    assert derive_seed(SpeakRequest.parse({"text": "Hello."})) == derive_seed(asked(op="speak"))
    assert derive_seed(asked()) == 3527869679741209667


def test_naming_a_default_changes_no_seed() -> None:
    resolved = {"model": "kokoro", "voice": "af_heart", "language": "en-us"}
    assert derive_seed(asked(**resolved), **resolved) == derive_seed(asked(), **resolved)


def test_a_given_seed_is_kept_and_a_random_one_is_drawn() -> None:
    assert derive_seed(asked(seed=5)) == 5
    drawn = {derive_seed(asked(seed="random")) for _ in range(4)}
    assert len(drawn) == 4
    assert all(0 <= seed < 2**63 for seed in drawn)


names = st.sampled_from([*SpeakRequest.model_fields, "prompt", "voice_url", "s3Config", "vioce"]) | st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.sampled_from(["text", "voice", "reference", "blend", "design"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values | st.dictionaries(names, values, max_size=6).map(lambda fields: {"text": "Hello.", **fields}))
@settings(deadline=None, max_examples=400)
def test_any_input_is_a_request_or_one_refusal_in_words(input: object) -> None:
    request = outcome(input)
    if isinstance(request, Failure):
        assert len(json.dumps(request.as_dict(), ensure_ascii=False).encode()) < 3000
        return
    assert request.parts()
    assert 0 <= derive_seed(request) < 2**63
