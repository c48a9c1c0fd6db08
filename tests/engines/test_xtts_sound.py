"""XTTS v2's vocoder in parts against the whole, and which parts go through it together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples, join
from models.engines.xtts_sound import MOST, RAMP, Sound, together
from models.engines.xtts_vocoder import FRAME, REACH, SPREAD, known, spread
from tests.engines import tiny_xtts

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    from models.engines.xtts_weights import tensors

    folder: Path = tiny_xtts.make(tmp_path_factory.mktemp("sound"))
    return Sound(tensors(folder / "model.pth"), "cpu")


def latents(number: int, seed: int) -> Any:
    import torch

    return torch.randn(number, tiny_xtts.WIDTH, generator=torch.Generator().manual_seed(seed))


def begun(sound: Sound, seed: int, speed: float = 1.0) -> Any:
    embedding = np.random.default_rng(seed).normal(0, 0.04, (1, 512, 1)).astype(np.float32)
    return sound.begin({"speaker_embedding": embedding}, speed)


def whole(sound: Sound, number: int, seed: int, speed: float = 1.0) -> Samples:
    """In one pass over the line."""
    import torch

    row = begun(sound, seed, speed)
    frames = spread(latents(number, seed), 0, row.factors, 0, known(number, row.factors, over=True))
    with torch.inference_mode():
        made: Samples = sound._vocoder.sound(frames[None], row.voice[None])[0].numpy()
    return made


def streamed(sound: Sound, rows: list[Any], given: list[Any], step: int) -> list[Samples]:
    """Each row's latents come so many at a time, the first row's sooner."""
    said: list[list[Samples]] = [[] for _ in rows]
    while not all(row.over for row in rows):
        for number, (row, left) in enumerate(zip(rows, given, strict=True)):
            size = min(step + 3 * number, len(left) - row.count)
            if size:
                row.add(left[row.count : row.count + size], last=row.count + size == len(left))
        able = [number for number, row in enumerate(rows) if row.offer]
        sounds = sound.vocode([(rows[number], rows[number].offer[1]) for number in able])
        for number, each in zip(able, sounds, strict=True):
            said[number].append(each)
    return [join(each) for each in said]


@pytest.mark.parametrize(("step", "speed"), [(1, 1.0), (60, 1.0), (7, 0.6), (19, 1.9)])
def test_parts_joined_are_the_whole(sound: Sound, step: int, speed: float) -> None:
    lengths = (5, 30, 51)
    rows = [begun(sound, number, speed) for number in lengths]
    given = [latents(number, number) for number in lengths]
    for number, made in zip(lengths, streamed(sound, rows, given, step), strict=True):
        expected = whole(sound, number, number, speed)
        assert len(made) == len(expected), number
        assert np.abs(made - expected).max() < 1e-3 * np.abs(expected).max(), number


def test_no_frame_is_heard_from_further_than_the_network_reaches(sound: Sound) -> None:
    """The reach is what parts rely on: the sound changes within it and nowhere else."""
    import torch

    frames = torch.randn(1, tiny_xtts.WIDTH, 4 * REACH, generator=torch.Generator().manual_seed(1))
    other = frames.clone()
    other[:, :, 2 * REACH] += 1.0
    voice = begun(sound, 1).voice[None]
    with torch.inference_mode():
        change = (sound._vocoder.sound(frames, voice) - sound._vocoder.sound(other, voice))[0].abs().numpy()
    heard = np.flatnonzero(change > 1e-7) // FRAME
    assert heard.min() >= 2 * REACH - REACH
    assert heard.max() <= 2 * REACH + REACH
    assert heard.max() - heard.min() > 10


def test_the_first_parts_are_small_and_the_later_larger(sound: Sound) -> None:
    row = begun(sound, 1)
    row.add(latents(300, 1), last=False)
    sizes = []
    for _ in range(5):
        assert row.offer is not None
        sizes.append(row.offer[0])
        sound.vocode([(row, row.offer[0])])
    assert sizes == [*RAMP, RAMP[-1], RAMP[-1]]


def test_what_is_not_looked_at_again_is_let_go(sound: Sound) -> None:
    row = begun(sound, 1)
    for _ in range(10):
        row.add(latents(60, 1), last=False)
        while row.offer:
            sound.vocode([(row, row.offer[1])])
    assert sum(map(len, row.latents)) < 60


def test_a_line_without_latents_enough_for_a_frame_is_over(sound: Sound) -> None:
    row = begun(sound, 1, speed=2.0)
    row.add(latents(1, 1), last=True)
    assert (row.offer, row.over) == (None, True)


@pytest.mark.parametrize("speed", [1.0, 0.5, 1.3])
def test_frames_that_more_latents_would_change_are_waited_for(speed: float) -> None:
    factors = SPREAD if speed == 1.0 else (1 / speed, *SPREAD)
    given = latents(90, 2)
    end = known(90, factors, over=True)
    for count in range(2, 90, 11):
        settled = known(count, factors, over=False)
        assert settled <= end
        if settled:
            early = spread(given[:count], 0, factors, 0, settled)
            assert (early - spread(given, 0, factors, 0, settled)).abs().max() < 1e-5


def windows(*lengths: int) -> Iterator[tuple[int, bool]]:
    return ((length, False) for length in lengths)


def test_windows_of_like_lengths_go_together() -> None:
    assert together(list(windows(60, 284, 284, 92))) == [[0, 3], [1, 2]]
    assert MOST + 2 * REACH == 284


def test_a_line_that_is_whole_goes_with_others_as_long_only() -> None:
    assert together([(60, True), (70, False), (60, True), (61, True)]) == [[1], [0, 2], [3]]
