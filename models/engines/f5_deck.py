"""F5-TTS's deck: lines on their way from noise to speech, moved together, each by its own schedule.

A line's noise is drawn from its own generator and its text is read alone; what rows share is the work. Two stages:
`denoise` in steps, `vocode` in one go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, cos, pi
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]

from basics.errors import Failure
from models.engine import Line, NoRoom, Piece, Work
from models.engines import f5_text
from models.engines.f5 import RATE, F5Options
from models.engines.f5_network import MELS, POSITIONS, Network, Reading, Row
from models.engines.f5_vocoder import HOP, Vocoder
from models.engines.memory import fitting

PLACES = 32
UNEVEN = 2.0
"""Rows of which one is longer than this many times another are not padded to each other."""
_OF_32 = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""Steps of 32 that upstream found to be worth keeping."""

Tensor = Any


def schedule(knobs: F5Options) -> tuple[float, ...]:
    """The times of a line's steps, from 0 to 1."""
    kept = _OF_32.get(knobs.steps) if knobs.pruned else None
    times = [step / 32 for step in kept] if kept else [step / knobs.steps for step in range(knobs.steps + 1)]
    sway = knobs.sway or 0.0
    return tuple(time + sway * (cos(pi / 2 * time) - 1 + time) for time in times)


@dataclass(slots=True, eq=False)
class Passage:
    """A line aboard."""

    id: str
    ids: list[int]
    """Tokens of the reference's transcript and of the line's text."""
    mels: Tensor
    """The reference's frames, on the CPU."""
    frames: int
    """The reference's and the line's."""
    times: tuple[float, ...]
    guidance: float
    seed: int
    done: int = 0
    """Steps."""
    noise: Tensor = None
    """Where it is on its way; None before its first turn, as the two that follow."""
    heard: Tensor = None
    reading: Reading | None = None

    @property
    def steps(self) -> int:
        return len(self.times) - 1

    @property
    def left(self) -> int:
        return self.steps - self.done

    @property
    def seconds(self) -> float:
        return (self.frames - len(self.mels) - 1) * HOP / RATE

    def row(self, network: Network) -> Row:
        """As the network takes it. The first time it draws the noise and has the text read."""
        if self.reading is None:
            noise = torch.randn(self.frames, MELS, generator=torch.Generator().manual_seed(self.seed))
            self.noise = noise.to(network.device)
            self.heard = torch.nn.functional.pad(self.mels, (0, 0, 0, self.frames - len(self.mels))).to(network.device)
            self.reading = network.read(self.ids, self.frames)
        return Row(self.noise, self.heard, self.reading, self.times[self.done], self.guidance)

    def move(self, flow: Tensor) -> None:
        self.noise = self.noise + flow * (self.times[self.done + 1] - self.times[self.done])
        self.done += 1


class F5Deck:
    """Any line may leave between two turns, and any other take its place."""

    stages: tuple[str, ...] = ("denoise", "vocode")

    def __init__(self, network: Network, vocoder: Vocoder, tokens: Mapping[str, int], room: int) -> None:
        self.room = max(1, min(room, PLACES))
        self._network, self._vocoder, self._tokens = network, vocoder, tokens
        self._aboard: dict[str, Passage] = {}

    def admit(self, line: Line) -> None:
        if len(self._aboard) >= self.room:
            raise NoRoom
        self._aboard[line.id] = passage(line, self._tokens)

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", "f5-tts does not take text piece by piece.")

    def drop(self, line: str) -> None:
        self._aboard.pop(line, None)

    def ready(self) -> Sequence[Work]:
        return [
            Work(each.id, "denoise", each.left, each.seconds * each.left / each.steps)
            if each.left
            else Work(each.id, "vocode", each.frames, each.seconds, least=each.frames)
            for each in self._aboard.values()
        ]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        moved = [(self._aboard[item.line], item.size) for item in work if item.line in self._aboard]
        with fitting(f"f5-tts has no memory for {len(work)} lines at once."), torch.inference_mode():
            if work[0].stage == "vocode":
                return self._vocode([each for each, _ in moved if not each.left])
            self._denoise(moved)
            return []

    def close(self) -> None:
        self._aboard.clear()

    def _denoise(self, moved: Sequence[tuple[Passage, int]]) -> None:
        ends = {each.id: min(each.done + size, each.steps) for each, size in moved}
        while going := [each for each, _ in moved if each.done < ends[each.id]]:
            for rows in alike(going):
                flows = self._network.flow([each.row(self._network) for each in rows])
                for each, flow in zip(rows, flows, strict=True):
                    each.move(flow)

    def _vocode(self, ended: Sequence[Passage]) -> list[Piece]:
        pieces = [self._said(each) for each in ended]
        for each in ended:  # now that nothing can fail, so that the turn may be asked for again
            self.drop(each.id)
        return pieces

    def _said(self, each: Passage) -> Piece:
        """The line alone: the cut is where the reference's last frame ends. Vocoded row by row, since a vocoder
        hears the padding at the end of a shorter one."""
        mels = each.noise[len(each.mels) :]
        if not bool(torch.isfinite(mels).all()):
            message = "f5-tts's sums left the range of its precision; DTYPE=bf16 has more."
            return Piece(
                each.id, np.zeros(0, np.float32), last=True, error=Failure("internal", message, retryable=True)
            )
        return Piece(each.id, np.clip(self._vocoder.sound(mels), -1.0, 1.0), last=True)


def passage(line: Line, tokens: Mapping[str, int]) -> Passage:
    """Raises `invalid_input` for what cannot be said."""
    knobs, voice = line.options, line.conditioning
    assert isinstance(knobs, F5Options)
    if not any(char.isalnum() for char in line.text):
        raise Failure("invalid_input", "f5-tts has nothing to say: the text has no letter or digit.", field="text")
    text = f5_text.closed(line.text)
    if not f5_text.sayable(text, tokens):
        raise Failure("invalid_input", "f5-tts's vocabulary has no letter of the text.", field="text")
    seconds = min(f5_text.seconds(text, float(voice["pace"][0]), line.speed), line.longest)
    mels = torch.from_numpy(np.asarray(voice["mels"], np.float32))
    ids = f5_text.ids(f5_text.tokens(bytes(voice["transcript"]).decode() + text), tokens)
    # Sound between two frames' middles: one frame more than steps between them.
    frames = max(len(mels) + ceil(seconds * RATE / HOP) + 1, len(ids) + 1)
    if frames > POSITIONS:
        most = (POSITIONS - len(mels)) * HOP / RATE
        message = (
            f"The text would play about {seconds:.0f} s; f5-tts says at most {most:.0f} s at once after this voice."
        )
        raise Failure("invalid_input", message, field="text")
    return Passage(line.id, ids, mels, frames, schedule(knobs), knobs.guidance, line.seed % 2**63)


def alike(going: Sequence[Passage]) -> Iterator[list[Passage]]:
    """Those of like length together, longest first."""
    rows: list[Passage] = []
    for each in sorted(going, key=lambda each: -each.frames):
        if rows and rows[0].frames > UNEVEN * each.frames:
            yield rows
            rows = []
        rows.append(each)
    if rows:
        yield rows
