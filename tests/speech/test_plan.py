import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.card import Card
from speech.breaks import Weights
from speech.characters import speakable, spoken
from speech.plan import Segment, estimate, longest_line, plan
from speech.script import Part, Passage, script

LONG = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair, we had everything before us."
)


def card(comfortable: int = 300, whole: bool = True, tags: tuple[str, ...] = ()) -> Card:
    return Card("some", "Some", ("en",), 24_000, "MIT", whole=whole, tags=tags, comfortable=comfortable, pace=15.0)


def lines(text: str, comfortable: int = 300, language: str = "en", stream: bool = False) -> list[str]:
    passages = script([Part(text, language=language)]).passages
    return [segment.text for segment in plan(passages, card(comfortable), stream=stream)]


def test_a_language_that_a_model_speaks_less_of_at_a_time_gets_shorter_lines() -> None:
    narrow = replace(card(200), languages=("en", "ru"), narrower=(("ru", 60),))
    text = "one two three four five six seven, " * 12
    longest = {}
    for language in ("en", "ru-ru"):
        passages = script([Part(text, language=language)]).passages
        longest[language] = max(len(segment.text) for segment in plan(passages, narrow, stream=False))
    assert longest["ru-ru"] <= 60 < longest["en"] <= 200


def together(passages: list[Passage], segments: tuple[Segment, ...]) -> list[str]:
    """The passages, rebuilt from where their lines begin: only single spaces may lie between lines."""
    rebuilt = [""] * len(passages)
    for segment in segments:
        gap = segment.start - len(rebuilt[segment.passage])
        assert gap in (0, 1)
        rebuilt[segment.passage] += " " * gap + segment.text
    return rebuilt


alphabet = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=20),
    st.sampled_from(
        ["Hello. ", "a, b; c ", "3,500.00 ", "U.S.A. ", "a.b/c?d,e ", "12 000 000 ", "... ", "— ", "« ", "("]
    ),
    st.sampled_from(
        ["今天天气很好。", "我们去，", "ก็ไป", "👩🏽\u200d🚀", "e\u0301", "🇩🇪", "a" * 90, "今" * 80, "\u1160" * 50]
    ),
)
texts = st.lists(alphabet, max_size=60).map("".join)


@given(
    st.lists(texts, max_size=3), st.sampled_from([40, 120, 300]), st.sampled_from(["en", "zh", "th", ""]), st.booleans()
)
@settings(deadline=None, max_examples=300)
@example(["a" + "." * 1000 + "b"], 40, "en", True)
@example(["\u1160" * 3000], 40, "ko", False)
def test_the_lines_put_together_are_the_text(given_texts: list[str], room: int, language: str, stream: bool) -> None:
    passages = [Passage(text, language=language) for text in given_texts]
    made = card(room)
    segments = plan(passages, made, stream=stream)
    said = [spoken(text) for text in given_texts]
    assert together(passages, segments) == [text if speakable(text) else "" for text in said]
    assert [segment.index for segment in segments] == list(range(len(segments)))
    for segment in segments:
        assert speakable(segment.text)
        assert segment.text == segment.text.strip()
        assert Weights(segment.text).of(0, len(segment.text)) <= longest_line(made)
        assert segment.pause >= 0


uncut = ["3,500.00", "U.S.A.", "https://a.b/c?d,e", "don't", "e\u0301tude", "well-known", "x@y.z", "12:30"]


@given(st.lists(st.sampled_from(uncut), min_size=1, max_size=80), st.sampled_from([", ", " ", ". ", "; "]))
@settings(deadline=None)
def test_no_word_number_or_address_is_cut(words: list[str], between: str) -> None:
    text = between.join(words)
    cut = [word for line in lines(text, 60) for word in line.split(" ")]
    assert cut == spoken(text).split(" ")


def test_a_long_sentence_is_cut_into_even_parts_behind_its_clauses() -> None:
    parts = lines(LONG, 150)
    assert len(parts) == 3
    assert all(part.endswith((",", ".")) and 75 <= len(part) <= 150 for part in parts)


def test_short_sentences_share_a_line_and_long_ones_have_their_own() -> None:
    sentence = "This sentence is long enough to be spoken all by itself, so it gets a line of its own and no other."
    assert lines(f"Yes. No. Maybe. {sentence} {sentence} Yes.", 150) == [
        f"Yes. No. Maybe. {sentence}",
        f"{sentence} Yes.",
    ]


def test_a_line_never_reaches_from_one_paragraph_into_the_next() -> None:
    assert lines("Yes.\n\nNo.") == ["Yes.", "No."]


def test_numbers_written_in_groups_stay_whole() -> None:
    text = "count " * 8 + "12 000 000 " + "sheep " * 8
    assert any("12 000 000" in line for line in lines(text, 54))


def test_text_without_spaces_is_cut_at_its_punctuation_else_between_characters() -> None:
    assert lines("今天天气很好，我们去公园吧。" * 6, 100, "zh") == ["今天天气很好，我们去公园吧。"] * 6
    assert lines("今天天气很好，我们去公园吧。" * 6, 30, "zh") == ["今天天气很好，", "我们去公园吧。"] * 6
    bare = lines("今天天气很好我们去公园吧" * 10, 90, "zh")
    assert all(15 <= len(line) <= 30 for line in bare)


def test_thai_is_cut_at_its_spaces() -> None:
    phrase = "วันนี้อากาศดีมาก"
    assert all(line.startswith(phrase) and line.endswith(phrase) for line in lines(f"{phrase} " * 40, 100, "th"))


def test_a_word_longer_than_a_line_stays_whole_up_to_the_hard_limit() -> None:
    assert lines("a" * 500) == ["a" * 500]
    assert all(len(line) <= 300 for line in lines("a" * 5000))


def test_an_opening_quote_goes_with_what_it_opens() -> None:
    assert (
        lines("Il a dit tout bas dans la nuit noire, « bonjour à tous ceux qui sont venus ici »", 45, "fr")[1][0] == "«"
    )


def test_a_tag_with_a_space_inside_is_not_cut() -> None:
    made = card(30, tags=("[clear throat]",))
    segments = plan([Passage("word " * 5 + "[clear throat] " + "word " * 9)], made, stream=False)
    assert sum("[clear throat]" in segment.text for segment in segments) == 1


def test_the_first_line_of_a_stream_is_cut_at_a_clause_with_five_words_or_more() -> None:
    assert lines(LONG, stream=True)[0] == "It was the best of times,"
    assert lines(f"Well, no, {LONG}", stream=True)[0] == "Well, no, It was the best of times,"


def test_a_first_line_that_is_short_enough_stays_whole() -> None:
    assert lines("Well, no, not today, thanks.", stream=True) == ["Well, no, not today, thanks."]


def test_only_the_first_line_differs_between_a_stream_and_a_file() -> None:
    text = f"{LONG} {LONG}\n\n{LONG}"
    assert lines(text, stream=True)[2:] == lines(text)[-len(lines(text, stream=True)) + 2 :]
    assert lines(text)[0] != lines(text, stream=True)[0]


def test_engines_that_stream_get_the_same_lines_for_a_stream_and_a_file() -> None:
    made = card(whole=False)
    assert plan([Passage(LONG)], made, stream=True) == plan([Passage(LONG)], made, stream=False)


def pauses(text: str, comfortable: int = 30, speed: float = 1.0) -> list[float]:
    return [
        segment.pause for segment in plan(script([Part(text, speed=speed)]).passages, card(comfortable), stream=False)
    ]


def test_punctuation_says_how_long_the_silence_is() -> None:
    between = {}
    for mark in (",", ";", ".", "?", "..."):
        between[mark] = pauses(f"Here are quite a few words{mark} And there are some more")[1]
    paragraph = pauses("One.\n\nTwo.")[1]
    assert 0 < between[","] < between[";"] < between["."] <= between["?"] < between["..."] < paragraph


def test_silence_by_punctuation_is_shorter_in_faster_speech() -> None:
    assert pauses("One.\n\nTwo.", speed=2.0)[1] == pytest.approx(pauses("One.\n\nTwo.")[1] / 2)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 3.0])
def test_silence_asked_for_is_exact_and_replaces_that_of_punctuation(seconds: float) -> None:
    assert pauses(f"[pause:{seconds}]One.[pause:{seconds}]\n\nTwo.", speed=2.0) == [seconds, seconds]


def test_no_silence_stands_before_the_first_line_unless_asked_for() -> None:
    assert pauses("One.") == [0.0]


def test_a_change_of_turn_is_a_pause_longer_than_a_sentence() -> None:
    turns = script([Part("Yes.", turn=0), Part("No.", turn=1)]).passages
    assert plan(turns, card(), stream=False)[1].pause > pauses("One. Two three four five six seven.", 20)[1]


def test_segments_carry_what_was_asked_of_their_passage() -> None:
    passage = Passage("Hallo.", voice="v", language="de", speed=1.5, params={"x": 1}, turn=4)
    (segment,) = plan([passage], card(), stream=True)
    assert segment == Segment(0, "Hallo.", "de", 0.0, "v", 1.5, {"x": 1}, 4, 0, 0)


def test_the_model_s_language_is_spoken_where_none_is_named() -> None:
    assert plan([Passage("Hello.")], card(), stream=True)[0].language == "en"


def test_the_estimate_counts_speed_and_silence() -> None:
    passages = script([Part("a" * 150 + "[pause:2]" + "b" * 150 + "[pause:1]", speed=2.0)])
    segments = plan(passages.passages, card(), stream=False)
    assert estimate(segments, card(), after=passages.after) == pytest.approx(10 + 2 + 1)


@pytest.mark.parametrize(
    "piece",
    ["Hello there, you. ", "a", "a ", "a,", "今", "今天。", "ก", "1 ", "a\u0301", "a👩🏽\u200d🚀", ". a", "« a "],
)
def test_a_hundred_thousand_characters_of_anything_are_planned(piece: str) -> None:
    text = spoken((piece * (100_000 // len(piece) + 1))[:100_000])
    segments = plan([Passage(text)], card(), stream=True)
    assert together([Passage(text)], segments) == [text]
    assert not re.search(r"^\s|\s$", segments[-1].text)
