"""The silence before and after a line's speech, taken away as the sound comes in.

It goes by the level of frames of ten milliseconds, so what comes out does not depend on how the sound was cut.
Silence inside a line stays. It knows nothing of pauses; `joins.py` puts those between lines.
"""

from collections import deque

import numpy as np

from basics.audio import Samples, join

FRAME_SECONDS = 0.01
LEAD_FRAMES, TAIL_FRAMES = 4, 10
"""What stays before the first and after the last frame of speech: breath of a consonant, the room's decay."""
FLOOR_DB = -65.0
"""No frame under this is speech."""
VOICED_DB = -45.0
"""A frame over this is speech, without a look at the rest."""
RANGE_DB = 45.0
"""How far under the line's loudest frame its softest sounds are."""
NOISE_DB, NOISE_RANGE_DB = 6.0, 35.0
"""Speech is this far over steady noise; noise is this far under the loudest frame, or it is no noise."""
STEADY_DB = 8.0
"""Sound that varies less than this for half a second is noise: speech does not."""
LOOK_FRAMES = 50
"""How long quiet sound is held before it is called noise or speech."""
NOISE_FRAMES, NOISE_EVIDENCE_FRAMES = 10, 25
"""Noise is measured over the first frames, if there are more before the onset than a fricative is long."""
GAP_FRAMES = 6
"""A stop's closure, between its breath and the vowel."""
HELD_FRAMES = 500
"""Silence after speech that is held at most; of a longer one, the beginning stays."""


class Trim:
    def __init__(self, rate: int) -> None:
        self._frame = max(1, round(rate * FRAME_SECONDS))
        self._rest = np.zeros(0, np.float32)
        self._lead: Lead | None = Lead()
        self._tail = Tail(self._frame)
        self.skipped = 0
        """Samples taken away before the first that was given."""

    def feed(self, samples: Samples) -> Samples:
        waiting = np.concatenate([self._rest, samples])
        whole = waiting.size - waiting.size % self._frame
        self._rest = waiting[whole:]
        return join(self._take(waiting[:whole].reshape(-1, self._frame)))

    def finish(self) -> Samples:
        """The end of the speech. A line of silence, or of steady noise, gives nothing."""
        parts = self._take(self._rest[None]) if self._rest.size else []
        if self._lead is not None:
            parts += self._speak(self._lead.finish())
        return join([*parts, *self._tail.finish()])

    def _take(self, frames: Samples) -> list[Samples]:
        """`frames`: one a row."""
        levels, read = levels_db(frames), 0
        parts: list[Samples] = []
        while self._lead is not None and read < len(levels):
            parts += self._speak(self._lead.feed(frames[read], levels[read]))
            read += 1
        return parts + self._tail.feed(frames[read:].reshape(-1), levels[read:]) if read < len(levels) else parts

    def _speak(self, frames: list[tuple[Samples, float]]) -> list[Samples]:
        """What the lead lets through once it has found the onset."""
        if not frames or self._lead is None:
            return []
        self._tail.noise = self._lead.noise
        self.skipped, self._lead = self._lead.skipped, None
        return self._tail.feed(join([frame for frame, _ in frames]), [level for _, level in frames])


class Lead:
    """Holds sound until speech is certain, then gives it from its onset on."""

    def __init__(self) -> None:
        self.skipped = 0
        self.noise = FLOOR_DB
        """Of what came before the speech, once that is known."""
        self._frames: list[Samples] = []
        self._levels: list[float] = []

    def feed(self, frame: Samples, level: float) -> list[tuple[Samples, float]]:
        self._frames.append(frame)
        self._levels.append(level)
        if self._levels[-1] >= VOICED_DB:
            return self._open(self._onset())
        if len(self._frames) < LOOK_FRAMES:
            return []
        if self._varies():
            return self._open(self._first_over_noise())
        self._drop(1)
        return []

    def finish(self) -> list[tuple[Samples, float]]:
        """A line so quiet that it never was certain."""
        return self._open(self._first_over_noise()) if self._frames and self._varies() else []

    def _varies(self) -> bool:
        return max(self._levels) - min(self._levels) >= STEADY_DB

    def _first_over_noise(self) -> int:
        threshold = min(self._levels) + NOISE_DB
        return next(index for index, level in enumerate(self._levels) if level >= threshold)

    def _onset(self) -> int:
        """Back from the voiced frame as long as there is sound, over gaps no longer than a stop's."""
        if len(self._levels) >= NOISE_EVIDENCE_FRAMES:
            self.noise = float(np.median(self._levels[:NOISE_FRAMES]))
        threshold, first = min(over_noise(self.noise), self._levels[-1]), len(self._levels) - 1
        for index in range(first, -1, -1):
            if first - index > GAP_FRAMES:
                break
            if self._levels[index] >= threshold:
                first = index
        return first

    def _open(self, onset: int) -> list[tuple[Samples, float]]:
        self._drop(max(0, onset - LEAD_FRAMES))
        return list(zip(self._frames, self._levels, strict=True))

    def _drop(self, count: int) -> None:
        self.skipped += sum(frame.size for frame in self._frames[:count])
        del self._frames[:count], self._levels[:count]


class Tail:
    """Lets speech through at once and holds silence until there is speech again."""

    def __init__(self, frame: int) -> None:
        self.noise = FLOOR_DB
        self._frame = frame
        self._held: list[Samples] = []
        self._loudest = FLOOR_DB
        self._recent: deque[float] = deque(maxlen=NOISE_EVIDENCE_FRAMES)

    def feed(self, samples: Samples, levels: list[float]) -> list[Samples]:
        """`levels`: of each frame of the samples; a line's last frame may be shorter than the others."""
        frames = [number for number, level in enumerate(levels, 1) if self._speaks(level)]
        spoken = frames[-1] * self._frame if frames else 0
        given = [*self._held, samples[:spoken]] if spoken else []
        self._held = [samples[spoken:]] if spoken else [*self._held, samples]
        if (over := sum(each.size for each in self._held) - HELD_FRAMES * self._frame) > 0:
            silence, over = join(self._held), -(-over // self._frame) * self._frame
            given.append(silence[:over])
            self._held = [silence[over:]]
        return given

    def finish(self) -> list[Samples]:
        return [join(self._held)[: TAIL_FRAMES * self._frame]]

    def _speaks(self, level: float) -> bool:
        if level > self._loudest:
            self._loudest = level
        self._recent.append(level)
        low = self._loudest - NOISE_RANGE_DB
        if level >= low:
            return True
        self._hear_noise(low)
        return level >= max(self._loudest - RANGE_DB, min(over_noise(self.noise), low))

    def _hear_noise(self, low: float) -> None:
        """What is under `low`, and steady for longer than a fricative."""
        if len(self._recent) < NOISE_EVIDENCE_FRAMES:
            return
        highest = max(self._recent)
        if highest < min(low, min(self._recent) + STEADY_DB):
            self.noise = sorted(self._recent)[NOISE_EVIDENCE_FRAMES // 2]  # numpy's median takes twenty times as long


def over_noise(noise_db: float) -> float:
    """The least level that is speech where there is so much noise."""
    return noise_db + (NOISE_DB if noise_db > FLOOR_DB else 1.0)


def levels_db(frames: Samples) -> list[float]:
    """Of each row, about its own mean: a constant offset is no sound."""
    deviations = np.std(frames, axis=1, dtype=np.float64)
    return [max(FLOOR_DB, level) for level in (20 * np.log10(np.maximum(deviations, 1e-6))).tolist()]
