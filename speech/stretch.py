"""Speed and pitch of one line, as a stream: exactly as many samples come out as the speed says.

Pitch is moved by playing at another rate, then time is put right by overlapping pieces of the wave. Pauses
between lines do not pass through here, so their lengths stay as they were asked for.
"""

import numpy as np

from basics.audio import Samples, join, silence
from speech.chain import Chain

LOWEST_TEMPO = 0.5
"""What one `atempo` filter goes down to; slower takes two."""
TAIL_SECONDS = 0.5
"""Silence fed after the line, since the filter keeps back pieces too short for it."""
BLOCK_SECONDS = 0.01
"""What `atempo` is fed at once: cut differently, it would overlap the first pieces elsewhere."""


class Stretch:
    def __init__(self, rate: int, speed: float = 1.0, pitch: float = 0.0) -> None:
        """`speed`: 2 is twice as fast. `pitch`: semitones up."""
        self._rate, self._speed = rate, speed
        self._fed = self._given = 0
        self._block = max(1, round(rate * BLOCK_SECONDS))
        self._rest = np.zeros(0, np.float32)
        self._chain = None if speed == 1 and pitch == 0 else Chain(rate, *_steps(rate, speed, pitch))

    def feed(self, samples: Samples) -> Samples:
        if self._chain is None:
            return samples
        self._fed += samples.size
        return self._give(self._run(self._chain, samples))

    def finish(self) -> Samples:
        if self._chain is None or not self._fed:
            return np.zeros(0, np.float32)
        after = silence(TAIL_SECONDS * max(1.0, self._speed), self._rate)
        wanted = round(self._fed / self._speed) - self._given
        rest = join([self._run(self._chain, after), self._chain.finish()])[:wanted]
        return self._give(np.pad(rest, (0, wanted - rest.size)))

    def _run(self, chain: Chain, samples: Samples) -> Samples:
        waiting = join([self._rest, samples])
        whole = waiting.size - waiting.size % self._block
        self._rest = waiting[whole:]
        return join([chain.feed(block) for block in waiting[:whole].reshape(-1, self._block)])

    def _give(self, samples: Samples) -> Samples:
        self._given += samples.size
        return samples


def _steps(rate: int, speed: float, pitch: float) -> list[tuple[str, str]]:
    if pitch == 0:
        return _tempo(speed)
    played_rate = round(rate * 2 ** (pitch / 12))
    shift = [("asetrate", str(played_rate)), ("aresample", f"{rate}:filter_size=64")]
    return [*shift, *_tempo(speed * rate / played_rate)]


def _tempo(tempo: float) -> list[tuple[str, str]]:
    if tempo < LOWEST_TEMPO:
        return [("atempo", str(LOWEST_TEMPO)), *_tempo(tempo / LOWEST_TEMPO)]
    return [("atempo", f"{tempo:.9f}")]
