import numpy as np
import pytest

from basics.audio import Samples
from models.watermark import MARGIN_SECONDS, Watermark
from speech.marking import BLOCK_SECONDS, Marking

RATE = 1000


class Spread:
    """A mark that hears as far as it may: each sample takes something of those within the margin."""

    def __init__(self) -> None:
        self.longest = 0

    def mark(self, samples: Samples, rate: int) -> Samples:
        self.longest = max(self.longest, samples.size)
        width = round(MARGIN_SECONDS * rate)
        kernel = np.ones(2 * width + 1) / (2 * width + 1)
        return (samples + 0.1 * np.convolve(samples, kernel, "full")[width : width + samples.size]).astype(np.float32)

    def found(self, samples: Samples, rate: int) -> float:
        return 1.0


def marked(mark: Watermark, samples: Samples, bite: int) -> Samples:
    marking = Marking(lambda: mark, RATE)
    given = [marking.feed(samples[start : start + bite]) for start in range(0, len(samples), bite)]
    return np.concatenate([*given, marking.finish()])


@pytest.mark.parametrize("seconds", [0.001, 3, BLOCK_SECONDS, 3 * BLOCK_SECONDS + 1.234])
@pytest.mark.parametrize("bite", [1, 777, 50_000])
def test_blocks_join_as_if_all_had_been_marked_at_once(seconds: float, bite: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    if bite == 1:
        samples = samples[-2000:]
    assert np.allclose(marked(Spread(), samples, bite), Spread().mark(samples, RATE), atol=1e-6)


def test_however_long_the_programme_is_little_is_marked_at_once() -> None:
    mark = Spread()
    marked(mark, np.zeros(round(200 * RATE), np.float32), 5000)
    assert mark.longest <= (BLOCK_SECONDS + 2 * MARGIN_SECONDS) * RATE


def test_nothing_is_loaded_for_silence_of_no_length() -> None:
    def load() -> Watermark:
        raise AssertionError("nobody needs it")

    marking = Marking(load, RATE)
    assert marking.feed(np.zeros(0, np.float32)).size == marking.finish().size == 0
