from itertools import pairwise

import numpy as np
import pytest

from listening.activity import Activity, Levels, Span, joined
from listening.silero import Silero, installed, weights
from tests.voices.speaking import RATE, beside, hum, noise, sentence, speech


def hearers() -> list[Activity]:
    found = weights()
    return [Levels()] if found is None else [Levels(), Silero.load(found)]


@pytest.fixture(params=hearers(), ids=lambda hearer: type(hearer).__name__)
def activity(request: pytest.FixtureRequest) -> Activity:
    hearer: Activity = request.param
    return hearer


def test_speech_between_silences_is_found_where_it_is(activity: Activity) -> None:
    quiet = np.zeros(2 * RATE, np.float32)
    spans = activity.spans(np.concatenate([quiet, sentence(0), quiet]), RATE)
    assert 1.9 < spans[0].start < 2.6
    assert abs(spans[-1].end - (2 + len(sentence(0)) / RATE)) < 0.7


def test_a_pause_between_sentences_parts_them(activity: Activity) -> None:
    first = len(sentence(0)) / RATE
    spans = activity.spans(speech(), RATE)
    assert not any(span.start < first + 0.1 and span.end > first + 0.4 for span in spans)


@pytest.mark.parametrize("db", [25, 15])
def test_speech_is_found_in_noise(activity: Activity, db: float) -> None:
    clean = sum(span.seconds for span in activity.spans(speech(), RATE))
    noisy = sum(span.seconds for span in activity.spans(beside(speech(), noise(len(speech())), db), RATE))
    assert noisy == pytest.approx(clean, rel=0.25)


@pytest.mark.parametrize("other", [noise(5 * RATE), hum(5 * RATE, 50, 0.1), hum(5 * RATE, 440, 0.1)])
def test_noise_hum_and_tones_are_no_speech(activity: Activity, other: np.ndarray) -> None:
    assert activity.spans(other, RATE) == ()


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_silence_however_short_holds_nothing(activity: Activity, count: int) -> None:
    assert activity.spans(np.zeros(count, np.float32), RATE) == ()


def test_both_agree_about_clean_speech() -> None:
    found = [sum(span.seconds for span in hearer.spans(speech(), RATE)) for hearer in hearers()]
    assert max(found) - min(found) < 0.1 * max(found)


def test_the_network_hears_the_same_in_one_run_and_in_many() -> None:
    found = weights()
    if found is None:
        pytest.skip("the network's file is in no installed package")
    whole = np.tile(speech(), 10)
    spans = Silero.load(found).spans(whole, RATE)
    assert len(whole) / RATE > 64
    assert len(spans) >= 10
    assert all(one.end < other.start for one, other in pairwise(spans))


def test_what_is_installed_is_loaded_once() -> None:
    assert installed() is installed()


def test_gaps_are_closed_before_short_runs_are_dropped() -> None:
    active = np.array([0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0], np.bool_)
    assert joined(active, 0.1, pause=0.2, shortest=0.3) == [Span(0.1, pytest.approx(0.6))]
