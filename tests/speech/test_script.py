import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.errors import Failure
from speech.characters import spoken
from speech.script import Part, Passage, Script, script

TAGS = ("[laugh]", "(coughs)", "[S1]", "[clear throat]")


def refused(text: str) -> Failure:
    with pytest.raises(Failure) as failure:
        script([Part(text)])
    return failure.value


def outcome(text: str) -> Script | Failure:
    try:
        return script([Part(text)], TAGS, (*TAGS, "[sigh]"))
    except Failure as failure:
        return failure


def heard(said: Script) -> list[tuple[float | None, str]]:
    return [(passage.pause, passage.text) for passage in said.passages]


@pytest.mark.parametrize(
    ("markup", "seconds"),
    [("0.5", 0.5), ("500ms", 0.5), (".25", 0.25), ("2s", 2.0), ("10", 10.0), (" 1.5 S ", 1.5), ("0", 0.0), ("1.", 1.0)],
)
def test_a_pause_is_kept_as_it_was_asked_for(markup: str, seconds: float) -> None:
    assert heard(script([Part(f"One.[pause:{markup}]Two.")])) == [(None, "One."), (seconds, "Two.")]


def test_pauses_at_both_ends_are_kept() -> None:
    said = script([Part("[pause:1]Hello.[pause:250ms]")])
    assert heard(said) == [(1.0, "Hello.")]
    assert said.after == 0.25


def test_pauses_in_one_place_add_up() -> None:
    assert heard(script([Part("One [pause:1] [PAUSE:500ms]\n[pause:2]two")])) == [(None, "One"), (3.5, "two")]


def test_pauses_in_one_place_that_add_up_to_more_than_the_limit_are_refused_where_they_do() -> None:
    failure = refused("One [pause:6][pause:6] two")
    assert (failure.code, failure.position) == ("bad_markup", 13)


@pytest.mark.parametrize(
    "markup",
    ["[pause:abc]", "[pause:-1]", "[pause:]", "[pause]", "[pause:11]", "[pause:10001ms]", "[pause:1", "[pause:1,5]",
     "[pause:1 hour]", "[pause:٣]", "[pause:1e3]", "[pause:nan]", "[pause:[pause:1]]", "[voice:bob", "[pause: 1\n]"],
)  # fmt: skip
def test_markup_that_does_not_parse_is_refused_with_its_position(markup: str) -> None:
    failure = refused(f"Hello there {markup} you")
    assert (failure.code, failure.field, failure.position) == ("bad_markup", "text", 12)


def test_positions_count_in_the_text_as_it_was_given() -> None:
    assert refused("cafe\u0301 \u200b  \r\n\r\n👩\u200d🚀[pause:x]").position == 16


def test_a_mistake_in_a_turn_names_the_turn() -> None:
    with pytest.raises(Failure, match=r"turns\[1\]\.text") as failure:
        script([Part("Hi.", turn=0), Part("No [pause:x].", turn=1)])
    assert failure.value.field == "turns[1].text"
    with pytest.raises(Failure) as failure:
        script([Part("Hi.", turn=0), Part("...", turn=1)])
    assert failure.value.field == "turns[1].text"


def test_a_change_of_voice_inside_text_is_not_built() -> None:
    failure = refused("Hi [voice:bob] there")
    assert (failure.code, failure.position) == ("not_supported", 3)


@pytest.mark.parametrize(
    "text", ["[1] is a note", "[pauses] are good", "[paused: twice]", "[voice] over", "a [b [c] d"]
)
def test_other_brackets_are_text(text: str) -> None:
    assert heard(script([Part(text)], TAGS)) == [(None, text)]


def test_tags_of_the_model_go_through_and_those_of_others_are_left_out_with_a_warning() -> None:
    said = script([Part("[S1] Well (coughs), [laugh] yes [sigh], [Sigh] no.")], TAGS, (*TAGS, "[sigh]"))
    assert heard(said) == [(None, "[S1] Well (coughs), [laugh] yes, no.")]
    assert len(said.warnings) == 2
    assert "`[sigh]`" in said.warnings[0]


def test_a_tag_left_out_does_not_join_its_neighbours() -> None:
    assert heard(script([Part("well[sigh]then[sigh].")], (), ("[sigh]",))) == [(None, "well then.")]


def test_a_text_of_nothing_but_tags_that_others_read_has_nothing_to_say() -> None:
    with pytest.raises(Failure, match="nothing that can be spoken"):
        script([Part("[laugh] [pause:1]")], (), TAGS)


@pytest.mark.parametrize("blank", ["\n\n", "\r\n\r\n", "\n \t\n", "\u2029", "\n\n\n\n", "\r\r"])
def test_a_blank_line_begins_a_paragraph(blank: str) -> None:
    passages = script([Part(f"One.{blank}Two.\nStill two.")]).passages
    assert [(passage.text, passage.paragraph) for passage in passages] == [("One.", False), ("Two. Still two.", True)]


def test_marks_without_a_word_join_the_passage_before_or_else_the_next() -> None:
    said = script([Part('"[pause:1]Hello[pause:2].\n\n***\n\nBye')])
    assert heard(said) == [(1.0, '"Hello. ***'), (2.0, "Bye")]


def test_turns_keep_what_was_asked_of_each() -> None:
    one = Part("One.", voice="a", turn=0)
    two = Part("Two.[pause:1]Three.", voice="b", pause=0.5, language="de", speed=1.5, params={"x": 1}, turn=1)
    assert script([one, two]).passages == (
        Passage("One.", voice="a", turn=0),
        Passage("Two.", 0.5, voice="b", language="de", speed=1.5, params={"x": 1}, turn=1),
        Passage("Three.", 1.0, voice="b", language="de", speed=1.5, params={"x": 1}, turn=1),
    )


@pytest.mark.parametrize(
    "document",
    ["<speak>Hi <break time='1s'/></speak>", " \ufeff<speak version='1.1'>Hi &amp; bye</speak>",
     "<?xml version='1.0' encoding='utf-16'?><speak>é</speak>"],
)  # fmt: skip
def test_ssml_that_is_sound_is_not_built(document: str) -> None:
    assert refused(document).code == "not_supported"


@pytest.mark.parametrize(
    ("document", "position"),
    [
        ("<speak>Hi", 9),
        ("  <speak>é <b>Hi</speak>", 18),
        ("<speak>a & b</speak>", 9),
        ("<speak>&lol9;</speak>", 7),
        ("<?xml version='1.0'?><ssml>Hi</ssml>", 21),
        ("<!DOCTYPE speak><speak>Hi</speak>", None),
        ('<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><speak>&b;</speak>', None),
        ('<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>Hi</speak>', None),
        ("<speak>Hi</speak><speak>Hi</speak>", 17),
    ],
)
def test_ssml_that_is_broken_or_dangerous_is_bad_markup(document: str, position: int | None) -> None:
    failure = refused(document)
    assert failure.code == "bad_markup"
    assert failure.position == position or (position is None and failure.position is not None)


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000 + "a", "[pause:" * 10_000, "[pause:1" * 10_000, "a[" * 50_000, "[pause" * 16_000, "a]" * 50_000,
     "<speak>" * 14_000, "<speak>" + "<a>" * 30_000,
     "(coughs" * 14_000, "a" + "\u0301\u0323" * 50_000, "a" + "\n " * 50_000,
     "[pause: " + " " * 99_000 + "1]", "a[pause:0]." * 9000, "a\n\n.\n\n" * 14_000],
    ids=lambda text: text[:8].encode("unicode_escape").decode(),
)  # fmt: skip
def test_a_hostile_text_is_read_or_refused(text: str) -> None:
    said = outcome(text)
    assert isinstance(said, Script) or said.code in ("bad_markup", "not_supported")


pieces = st.sampled_from(
    [
        "a",
        "Hello.",
        " ",
        "\n\n",
        "[pause:1]",
        "[pause:250ms]",
        "[laugh]",
        "[sigh]",
        "...",
        "[",
        "]",
        "你好。",
        "é",
        "👩\u200d🚀",
    ]
)


@given(st.lists(pieces, max_size=40).map("".join))
@settings(deadline=None)
def test_every_pause_and_every_word_is_kept_in_order(text: str) -> None:
    said = outcome(text)
    if isinstance(said, Failure):
        assert said.code in ("bad_markup", "invalid_input")
        return
    asked = text.count("[pause:1]") + 0.25 * text.count("[pause:250ms]")
    assert sum(passage.pause or 0 for passage in said.passages) + said.after == pytest.approx(asked)
    bare = text.replace("[pause:1]", "").replace("[pause:250ms]", "").replace("[sigh]", "")
    words = "".join(passage.text for passage in said.passages)
    assert [*filter(str.isalnum, words)] == [*filter(str.isalnum, bare)]


@given(st.text(st.characters(exclude_categories=[]), max_size=300))
@settings(deadline=None)
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    said = outcome(text)
    if isinstance(said, Failure):
        assert said.as_dict()["message"]
        return
    assert all(passage.text == spoken(passage.text) != "" for passage in said.passages)
