import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import Samples, silence
from speech.mastering import Mastering, Span
from tests.speech.sounds import cut, noise, pitch_hertz, sine, true_peak_db, voice

RATE = 24_000


def mastered(
    lines: list[tuple[float, Samples]], mastering: Mastering, size: int = 480, speed: float = 1.0, pitch: float = 0.0
) -> tuple[Samples, list[Span]]:
    parts, spans = [], []
    for pause, said in lines:
        mastering.begin(pause, speed=speed, pitch=pitch)
        parts += [mastering.feed(part) for part in cut(said, size)]
        rest, span = mastering.end()
        parts.append(rest)
        spans.append(span)
    return np.concatenate([*parts, mastering.finish()]), spans


def padded(said: Samples) -> Samples:
    return np.concatenate([silence(0.3, RATE), said, silence(0.4, RATE)])


def test_lines_start_and_end_where_they_are_said_to():
    lines = [(0.0, padded(sine(300, 0.5))), (0.25, padded(sine(500, 0.7)))]
    heard, (first, second) = mastered(lines, Mastering(RATE))
    assert first.start == 0
    assert second.start == pytest.approx(first.duration + 0.25, abs=1e-9)
    assert heard.size == round((second.start + second.duration) * RATE)
    gap = heard[round(first.duration * RATE) : round(second.start * RATE)]
    assert gap.size == 6_000
    assert not gap.any()
    spoken = heard[round(second.start * RATE) : round((second.start + second.duration) * RATE)]
    assert pitch_hertz(spoken) == pytest.approx(500, rel=0.02)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_pauses_stay_as_long_as_asked_at_any_speed(speed):
    heard, spans = mastered([(0.0, sine(300, 1.0)), (0.5, sine(300, 1.0))], Mastering(RATE), speed=speed)
    assert spans[1].start - (spans[0].start + spans[0].duration) == pytest.approx(0.5, abs=1e-9)
    assert spans[0].duration == pytest.approx(1 / speed, abs=1 / RATE)
    assert heard.size == round((0.5 + 2 / speed) * RATE)


def test_speed_and_pitch_are_each_lines_own():
    mastering, said = Mastering(RATE), sine(220, 1.0)
    durations, pitches = [], []
    for speed, pitch in ((1.0, 0.0), (2.0, 0.0), (1.0, 12.0)):
        mastering.begin(speed=speed, pitch=pitch)
        heard = mastering.feed(said)
        rest, span = mastering.end()
        durations.append(span.duration)
        pitches.append(pitch_hertz(np.concatenate([heard, rest])))
    assert durations == pytest.approx([1, 0.5, 1], abs=0.001)
    assert pitches == pytest.approx([220, 220, 440], rel=0.02)


def test_a_word_is_found_again_in_the_programme():
    mark = np.zeros(2 * RATE, np.float32)
    mark[12_000:36_000] = sine(200, 1.0, level=0.1)
    mark[24_000:24_480] = noise(0.02, level=0.9)
    heard, spans = mastered([(0.0, sine(300, 0.4)), (0.3, mark)], Mastering(RATE), speed=1.5)
    loudest = float(np.abs(heard).argmax()) / RATE
    assert spans[1].at(1.01) == pytest.approx(loudest, abs=0.03)
    assert spans[1].at(-5) == spans[1].start
    assert spans[1].at(99) == pytest.approx(spans[1].start + spans[1].duration)


def test_a_line_of_silence_leaves_only_its_pause():
    heard, spans = mastered([(0.0, sine(300, 0.2)), (0.4, silence(1.0, RATE))], Mastering(RATE))
    assert spans[1].duration == 0
    assert heard.size == round(0.6 * RATE)


def test_a_pause_after_the_last_line_is_as_long_as_asked():
    mastering = Mastering(RATE)
    mastering.begin()
    mastering.feed(sine(300, 0.2))
    mastering.end()
    assert mastering.finish(0.75).size == 18_000
    assert mastering.position == pytest.approx(0.95)


def test_nothing_clicks_where_lines_meet():
    said = np.roll(sine(200, 0.3), 13)
    heard, _ = mastered([(0.0, said), (0.0, said), (0.2, said)], Mastering(RATE))
    edges = np.concatenate([[0], heard, [0]])
    assert np.abs(np.diff(edges)).max() <= np.abs(np.diff(sine(200, 0.3))).max() + 1e-6


def test_a_stream_has_one_gain_and_no_peak_over_the_ceiling():
    quiet, loud = sine(300, 0.5, level=0.05), sine(300, 0.5, level=0.9)
    plain, _ = mastered([(0.0, quiet), (0.1, loud), (0.1, quiet)], Mastering(RATE))
    heard, spans = mastered([(0.0, quiet), (0.1, loud), (0.1, quiet)], Mastering.for_stream(RATE, -16.0, -22.0))
    assert heard.size == plain.size
    assert true_peak_db(heard) <= -1.0
    last = slice(round(spans[2].start * RATE) + 9_000, -200)
    assert np.allclose(heard[1_000:11_000], plain[1_000:11_000] * 10 ** (6 / 20), atol=1e-6)
    assert np.allclose(heard[last], plain[last] * 10 ** (6 / 20), atol=1e-5)


def test_a_stream_without_a_loudness_is_as_it_is_but_never_clips():
    said = sine(300, 0.5, level=0.97)
    plain, _ = mastered([(0.0, said)], Mastering(RATE))
    assert np.array_equal(mastered([(0.0, said)], Mastering.for_stream(RATE, None, -20.0))[0], plain)
    assert np.abs(mastered([(0.0, 2 * said)], Mastering.for_stream(RATE, None, -20.0))[0]).max() <= 1


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 4_000), st.sampled_from([1.0, 1.4]), st.lists(st.floats(0, 0.4), min_size=1, max_size=3))
def test_samples_add_up_and_the_cutting_does_not_matter(size, speed, pauses):
    lines = [(pause, padded(voice(0.5, level=0.3))) for pause in pauses]
    mastering = Mastering.for_stream(RATE, -16.0, -20.0)
    heard, spans = mastered(lines, mastering, size, speed)
    whole, same = mastered(lines, Mastering.for_stream(RATE, -16.0, -20.0), 50_000, speed)
    assert heard.size == round(mastering.position * RATE)
    assert np.array_equal(heard, whole)
    assert spans == same


def test_speech_leaves_soon_after_it_comes():
    mastering, given, fed = Mastering.for_stream(RATE, -16.0, -20.0), 0, 0
    mastering.begin()
    for part in cut(sine(200, 1.0, level=0.1), 480):
        given += mastering.feed(part).size
        fed += part.size
        assert fed - given <= 0.02 * RATE


def test_lines_are_not_mixed_up():
    mastering = Mastering(RATE)
    with pytest.raises(RuntimeError, match="no line has begun"):
        mastering.feed(sine(300, 0.1))
    mastering.begin()
    with pytest.raises(RuntimeError, match="has not ended"):
        mastering.begin()
