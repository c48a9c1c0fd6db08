from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.characters import spoken
from speech.sentences import WINDOW_CHARS, boundaries


def cut(text: str, language: str) -> list[str]:
    ends = [0, *boundaries(text, language), len(text)]
    return [text[start:end].strip() for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["Dr. Smith paid 3,500.00 dollars in the U.S.A. yesterday.", "Did he?", "No!"]),
        ("en-us", ["Mr. Jones left.", "She stayed."]),
        ("de", ["Sie kam z.B. am 3. Mai 2020 an.", "Dann ging sie."]),
        ("hi", ["आज मौसम अच्छा है।", "चलो पार्क चलते हैं।"]),
        ("ar", ["الطقس جميل اليوم.", "هل نذهب إلى الحديقة؟", "نعم."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(language: str, sentences: list[str]) -> None:
    assert cut(" ".join(sentences), language) == sentences


@pytest.mark.parametrize("language", ["zh", "ja", "zh-CN", "en", ""])
def test_full_width_stops_need_no_space(language: str) -> None:
    assert cut("今天天气很好。我们去公园吧！你觉得怎么样？", language) == [
        "今天天气很好。",
        "我们去公园吧！",
        "你觉得怎么样？",
    ]


def test_a_full_stop_inside_a_word_ends_nothing() -> None:
    assert boundaries("See example.Com and Hello.World for v1.2.3 now", "en") == []


def test_long_text_is_cut_as_its_beginning_is() -> None:
    sentence = "The cat sat on the mat and thought of nothing much. "
    text = (sentence * 200).strip()
    assert len(text) > 3 * WINDOW_CHARS
    assert boundaries(text, "en") == [len(sentence) * number for number in range(1, 200)]


def test_a_sentence_longer_than_a_window_has_no_ends_inside() -> None:
    text = "word " * WINDOW_CHARS + "end. Next one."
    assert boundaries(text, "en") == [text.index("Next")]


def test_a_fault_in_the_splitter_leaves_text_uncut_instead_of_ending_the_job(capfd: pytest.CaptureFixture[str]) -> None:
    text = ',^」।́！^]"éı…&\\ก(]0٣あ\r—٣ı\u2029<{\u2029A\u2029.'  # sentencex 1.0.32 panics on this
    assert boundaries(text, "en") == []
    capfd.readouterr()


@given(st.text(max_size=300), st.sampled_from(["en", "zh", "ja", "th", "ar", "de", "xx", ""]))
@settings(deadline=None)
def test_ends_rise_and_lie_inside(text: str, language: str) -> None:
    said = spoken(text)
    ends = boundaries(said, language)
    assert ends == sorted(set(ends))
    assert all(0 < end < len(said) for end in ends)
