"""How long a text plays needs nothing installed; how it is split is compared with upstream, in its environment."""

import pytest

from models.engines import f5_text

REFERENCE = "The harbour was quiet when the first boats came in."
SPEECH_SECONDS = 3.4


def pace() -> float:
    return f5_text.pace(REFERENCE, SPEECH_SECONDS)


def test_a_text_like_the_reference_plays_as_long_as_the_reference():
    assert f5_text.seconds(REFERENCE, pace()) == pytest.approx(SPEECH_SECONDS)


def test_twice_the_text_plays_about_twice_as_long_and_speed_divides():
    once, twice = (f5_text.seconds(REFERENCE * times, pace()) for times in (1, 2))
    assert twice / once == pytest.approx(2, abs=0.1)
    assert f5_text.seconds(REFERENCE, pace(), speed=2.0) == pytest.approx(once / 2)


@pytest.mark.parametrize("text", ["I", "No.", "Yes!", "好。", "Да."])
def test_the_shortest_texts_have_time_for_their_first_and_last_sound(text: str):
    """Upstream says those of under ten bytes at a third of the pace: over three seconds for `Goodbye.`"""
    assert f5_text.SHORTEST_SECONDS <= f5_text.seconds(text, pace()) < 1.0
    assert f5_text.seconds("Goodbye.", pace()) < 1.0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Гавань была тихой, когда вошли первые лодки.", 2.3, 4.2),  # by bytes: 5.3 s
        ("第一批船进港时，港口很安静。", 2.2, 3.9),
        ("최초의 배들이 들어왔을 때 항구는 조용했다.", 2.5, 5.0),
        ("最初の船が入ってきたとき、港は静かだった。", 2.5, 5.0),
        ("كان الميناء هادئا عندما دخلت القوارب الأولى.", 2.3, 4.5),
        ("जब पहली नावें आईं तब बंदरगाह शांत था।", 1.5, 3.5),
    ],
)
def test_another_script_after_an_english_reference_is_said_at_an_ordinary_pace(text: str, least: float, most: float):
    assert least < f5_text.seconds(text, pace()) < most


def test_a_transcript_of_half_the_recording_does_not_make_the_voice_crawl():
    assert f5_text.pace("The harbour.", 12.0) == f5_text.PACES[1]
    assert f5_text.pace(REFERENCE * 9, 3.0) == f5_text.PACES[0]
    assert f5_text.pace("...", 3.0) == f5_text.TYPICAL_PACE


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("Hello", "Hello."),
        (" Hello? ", "Hello?"),
        ('He said "no."', 'He said "no."'),
        ("你好", "你好。"),
        ("12", "12."),
    ],
)
def test_a_sentence_without_an_end_gets_one(text: str, ended: str):
    assert f5_text.closed(text) == ended


def test_a_transcript_is_kept_apart_from_what_follows():
    assert f5_text.introduced("Close the window") == "Close the window. "
    assert f5_text.introduced("Why?") == "Why? "
    assert f5_text.introduced("你好。") == "你好。"


TEXTS = (
    "Hello, world! It's 5:30; don't “quote” me.",
    "hello,world and(no)spaces...here",
    "我们终于走到河边的村子时，太阳已经升得很高了。",
    "用 Python 写的 program很好,对吗?",
    "Café naïve über straße",
    "Привет, мир! ελληνικά",
    "川のそばの村に着いた。カタカナ",
    "우리가 강가 마을에",
    "行长在银行里行走。 3〇年",
    "a 'b' \"c\" d:e",
    "",
)


@pytest.mark.engine
@pytest.mark.environment("modern")
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_split_as_upstream_splits_it(text: str):
    from models.engines.shims import stand_ins

    with stand_ins():
        from f5_tts.model.utils import convert_char_to_pinyin  # type: ignore[import-not-found,unused-ignore]
    assert f5_text.tokens(text) == convert_char_to_pinyin([text])[0]


@pytest.mark.engine
@pytest.mark.environment("modern")
def test_signs_that_upstream_stumbles_over_are_split_one_by_one():
    assert f5_text.tokens("नमस्ते") == list("नमस्ते")
