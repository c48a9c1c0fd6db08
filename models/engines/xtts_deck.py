"""Lines of XTTS v2, computed together: texts are heard, tokens are thought of, and their meanings sung as they come.

Three stages, each over any of the lines aboard. While the thinking goes on its latents become sound, a few at first and
then more at a time. Imported only where torch is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from basics.audio import silence
from basics.errors import Failure
from models.card import Card
from models.engine import Line, NoRoom, Piece, Work
from models.engines.memory import fitting
from models.engines.xtts_ear import Ear
from models.engines.xtts_gpt import Thinker
from models.engines.xtts_sound import Row, Sound
from models.engines.xtts_text import Reader
from models.engines.xtts_vocoder import FRAME, RATE
from models.runtime.decoder import Said
from models.runtime.sampler import Knobs

TOKENS_A_SECOND = 22_050 / 1024
OFFERED = 86
"""Tokens at a time, at the most: four seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a loaded XTTS consists of."""

    reader: Reader
    thinker: Thinker
    sound: Sound
    ear: Ear


@dataclass(slots=True, eq=False)
class _Aboard:
    line: Line
    row: Row
    signs: int
    """Of its text."""

    @property
    def pace(self) -> float:
        """Tokens of a second."""
        return TOKENS_A_SECOND * self.row.speed


class XttsDeck:
    stages: tuple[str, ...] = ("prefill", "decode", "vocode")

    def __init__(self, parts: Parts, card: Card, room: int, knobs: Callable[[Line], Knobs]) -> None:
        self.room = max(1, room)
        self._parts, self._card, self._knobs = parts, card, knobs
        self._decoder = parts.thinker.decoder(self.room)
        self._lines: dict[str, _Aboard] = {}
        self._does = {"prefill": self._prefill, "decode": self._decode, "vocode": self._vocode}

    def admit(self, line: Line) -> None:
        if len(self._lines) >= self.room:
            raise NoRoom
        with fitting(f"{self._card.id} has no memory for one more line."):
            self._lines[line.id] = self._boarded(line)

    def _boarded(self, line: Line) -> "_Aboard":
        ids = self._parts.reader.ids(line.text, line.language)
        aboard = _Aboard(line, self._parts.sound.begin(line.conditioning, line.speed), len(ids))
        limit = max(1, min(self._parts.thinker.habits.tokens, int(line.longest * aboard.pace)))
        knobs = self._knobs(line)
        self._parts.thinker.join(self._decoder, line.id, ids, line.conditioning, knobs, line.seed, limit)
        return aboard

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", f"{self._card.id} does not take text piece by piece.")

    def drop(self, line: str) -> None:
        self._lines.pop(line, None)
        self._decoder.leave(line)

    def ready(self) -> Sequence[Work]:
        return [work for id, aboard in self._lines.items() for work in self._offers(id, aboard)]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        with fitting(f"{self._card.id} has no memory for {len(work)} lines at once."):
            return self._does[work[0].stage]({item.line: item.size for item in work if item.line in self._lines})

    def close(self) -> None:
        for id in list(self._lines):
            self.drop(id)

    def _offers(self, id: str, aboard: _Aboard) -> list[Work]:
        row, thinks = aboard.row, self._decoder.rows.get(id)
        offers = []
        if row.offer is not None:
            least, most = row.offer
            offers.append(Work(id, "vocode", most, most * FRAME / RATE, least=least))
        if thinks is not None and thinks.waits:
            seconds = max(1 / TOKENS_A_SECOND, self._card.seconds(aboard.line.text) / row.speed)
            offers.append(Work(id, "prefill", aboard.signs, seconds, least=aboard.signs))
        elif thinks is not None:
            size = min(OFFERED, thinks.limit - thinks.frames)
            offers.append(Work(id, "decode", size, size / aboard.pace, least=min(size, row.lacking)))
        return offers

    def _prefill(self, sizes: dict[str, int]) -> list[Piece]:
        return self._thought(self._decoder.prefill(list(sizes)))

    def _decode(self, sizes: dict[str, int]) -> list[Piece]:
        return self._thought(self._decoder.decode(sizes))

    def _vocode(self, sizes: dict[str, int]) -> list[Piece]:
        rows = [self._lines[id].row for id in sizes]
        sounds = self._parts.sound.vocode(list(zip(rows, sizes.values(), strict=True)))
        pieces = [
            Piece(id, sound, row.over) if np.isfinite(sound).all() else _unsound(id)
            for id, row, sound in zip(sizes, rows, sounds, strict=True)
        ]
        for piece in pieces:
            if piece.last:
                self.drop(piece.line)
        return pieces

    def _thought(self, said: dict[str, Said]) -> list[Piece]:
        """What the lines' tokens meant goes on to the sound. A line that would not end is a runaway."""
        ended: list[Piece] = []
        for id, each in said.items():
            thinks, row = self._decoder.rows[id], self._lines[id].row
            assert each.hidden is not None
            row.add(self._parts.thinker.latents(each.hidden), last=thinks.done)
            if not thinks.done:
                continue
            self._decoder.leave(id)
            if not thinks.stopped:
                message = (
                    f"The model did not come to an end within {thinks.limit / self._lines[id].pace:.3g} s of sound."
                )
                ended.append(_ended(id, Failure("internal", message, retryable=True)))
            elif row.over:
                ended.append(_ended(id))
        for piece in ended:
            self.drop(piece.line)
        return ended


def _ended(id: str, error: Failure | None = None) -> Piece:
    return Piece(id, silence(0.0, RATE), last=True, error=error)


def _unsound(id: str) -> Piece:
    message = "XTTS v2's sums left the range of its precision; DTYPE=bf16 or fp32 has more."
    return _ended(id, Failure("internal", message, retryable=True))
