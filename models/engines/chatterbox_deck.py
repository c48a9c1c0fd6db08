"""Lines of Chatterbox, computed together: their texts are heard, tokens are thought of, drawn and sung, as they come.

Four stages, each over any of the lines aboard. While T3 goes on, its tokens become sound: a few at first, then more
at a time. A line to be converted begins with the tokens of its source and has no thinking to do. Imported only where
torch is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]

from basics.errors import Failure
from models.card import Card
from models.engine import Line, NoRoom, Piece, Work
from models.engines.chatterbox_reference import Ear
from models.engines.chatterbox_row import AHEAD, RAMP, Row
from models.engines.chatterbox_row import Knobs as SoundKnobs
from models.engines.chatterbox_sound import Sound
from models.engines.chatterbox_t3 import FRAMES, Style, Thinker
from models.engines.chatterbox_text import Reader
from models.engines.memory import fitting
from models.runtime.decoder import Decoder
from models.runtime.sampler import Knobs

TOKENS_A_SECOND = 25
OFFERED = 100
"""Tokens at a time, at the most: four seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a loaded Chatterbox consists of."""

    reader: Reader
    thinker: Thinker
    sound: Sound
    ear: Ear


@dataclass(frozen=True, slots=True)
class Wish:
    """A line's knobs, as each half wants them."""

    style: Style
    knobs: Knobs
    sound: SoundKnobs


@dataclass(slots=True, eq=False)
class _Aboard:
    line: Line
    row: Row
    signs: int
    """Of its text; of a source, the tokens it will be about."""


class ChatterboxDeck:
    stages: tuple[str, ...] = ("prefill", "decode", "flow", "vocode")

    def __init__(self, parts: Parts, card: Card, room: int, wish: Callable[[Line], Wish]) -> None:
        self._parts, self._card, self._wish = parts, card, wish
        self.room, self._decoder = _roomy(parts.thinker, max(1, room), card.id)
        self._lines: dict[str, _Aboard] = {}
        self._does = {
            "prefill": self._prefill,
            "decode": self._decode,
            "flow": self._flow,
            "vocode": self._vocode,
        }

    def admit(self, line: Line) -> None:
        if len(self._lines) >= self.room:
            raise NoRoom
        with fitting(f"{self._card.id} has no memory for one more line."):
            self._lines[line.id] = self._boarded(line)

    def _boarded(self, line: Line) -> "_Aboard":
        wish = self._wish(line)
        row = self._parts.sound.begin(line.conditioning, line.seed, wish.sound)
        if line.source is None:
            signs = self._join(line, wish)
            row.surplus = self._parts.thinker.kind.surplus
        else:
            signs = max(1, round(len(line.source) / self._card.rate * TOKENS_A_SECOND))
        return _Aboard(line, row, signs)

    @property
    def bytes(self) -> int:
        """Of what is kept for its lines, whether there are any or not."""
        return self._decoder.bytes

    def feed(self, line: str, text: str, last: bool) -> None:
        raise Failure("not_supported", f"{self._card.id} does not take text piece by piece.")

    def drop(self, line: str) -> None:
        self._lines.pop(line, None)
        self._decoder.leave(line)

    def ready(self) -> Sequence[Work]:
        return [work for id, aboard in self._lines.items() for work in self._offers(id, aboard)]

    def run(self, work: Sequence[Work]) -> list[Piece]:
        with fitting(f"{self._card.id} has no memory for {len(work)} lines at once."):
            return self._does[work[0].stage]({item.line: item.size for item in work})

    def close(self) -> None:
        for id in list(self._lines):
            self.drop(id)

    def _join(self, line: Line, wish: Wish) -> int:
        ids = self._parts.reader.ids(line.text, line.language)
        limit = max(1, min(FRAMES, int(line.longest * TOKENS_A_SECOND)))
        self._parts.thinker.join(
            self._decoder, line.id, ids, line.conditioning, wish.style, wish.knobs, line.seed, limit
        )
        return len(ids)

    # What a line could do

    def _offers(self, id: str, aboard: _Aboard) -> list[Work]:
        row, thinks = aboard.row, self._decoder.rows.get(id)
        if row.frames:
            return [Work(id, "vocode", row.frames, row.frames / (2 * TOKENS_A_SECOND), least=row.frames)]
        offers = []
        if row.offer is not None:
            least, most = row.offer
            offers.append(Work(id, "flow", most, most / TOKENS_A_SECOND, least=least))
        if thinks is not None and not thinks.waits:
            size = min(OFFERED, thinks.limit - thinks.frames)
            offers.append(Work(id, "decode", size, size / TOKENS_A_SECOND, least=min(size, _lacking(row))))
        elif not row.last:
            offers.append(Work(id, "prefill", aboard.signs, self._expected(aboard), least=aboard.signs))
        return offers

    def _expected(self, aboard: _Aboard) -> float:
        """Seconds of sound that a prefix brings."""
        if aboard.line.source is not None:
            return aboard.signs / TOKENS_A_SECOND
        return max(1 / TOKENS_A_SECOND, self._card.seconds(aboard.line.text))

    # The stages

    def _prefill(self, sizes: dict[str, int]) -> list[Piece]:
        texts = [id for id in sizes if id in self._decoder.rows]
        sources = {id: source for id in sizes if (source := self._lines[id].line.source) is not None}
        heard = {id: self._parts.ear.tokens(source, self._card.rate) for id, source in sources.items()}
        said = self._decoder.prefill(texts)
        for id, tokens in heard.items():  # now that nothing can fail, so that the turn may be asked for again
            self._lines[id].row.add(tokens, last=True)
        thought = [piece for id in texts for piece in self._thought(id, said[id].tokens[:, 0].tolist())]
        return thought + [piece for id in sizes if id not in texts for piece in self._silence(id)]

    def _decode(self, sizes: dict[str, int]) -> list[Piece]:
        said = self._decoder.decode(sizes)
        return [piece for id in sizes for piece in self._thought(id, said[id].tokens[:, 0].tolist())]

    def _flow(self, sizes: dict[str, int]) -> list[Piece]:
        self._parts.sound.flow([(self._lines[id].row, size) for id, size in sizes.items()])
        return []

    def _vocode(self, sizes: dict[str, int]) -> list[Piece]:
        rows = [self._lines[id].row for id in sizes]
        sounds = self._parts.sound.vocode(rows)
        pieces = [Piece(id, sound, row.over) for id, row, sound in zip(sizes, rows, sounds, strict=True)]
        for piece in pieces:
            if piece.last:
                self.drop(piece.line)
        return pieces

    def _thought(self, id: str, tokens: list[int]) -> list[Piece]:
        """The line's tokens go on to the sound; a line that would not end is a runaway."""
        thinks, row = self._decoder.rows[id], self._lines[id].row
        row.add([*tokens, *(self._parts.sound.tail if thinks.done else ())], last=thinks.done)
        if not thinks.done:
            return []
        self._decoder.leave(id)
        if thinks.stopped:
            return self._silence(id)
        self.drop(id)
        message = f"The model did not come to an end within {thinks.limit / TOKENS_A_SECOND:g} s of sound."
        error = Failure("internal", message, retryable=True)
        return [Piece(id, np.zeros(0, np.float32), last=True, error=error)]

    def _silence(self, id: str) -> list[Piece]:
        """The end of a line in which nothing can be heard."""
        if not self._lines[id].row.over:
            return []
        self.drop(id)
        return [Piece(id, np.zeros(0, np.float32), last=True)]


def _roomy(thinker: Thinker, room: int, model: str) -> tuple[int, Decoder]:
    """A decoder of so many lines, or of as many as leave half of a small card's memory to what draws and sings."""
    wanted = room
    while not _fits(thinker, room):
        if room == 1:
            raise Failure("out_of_memory", f"{model} has no memory for a single line.")
        room //= 2
    room = room if room == wanted else max(1, room // 2)
    return room, thinker.decoder(room)


def _fits(thinker: Thinker, room: int) -> bool:
    try:
        thinker.decoder(room)
    except torch.OutOfMemoryError:
        return False
    return True


def _lacking(row: Row) -> int:
    """Tokens until the next chunk can be drawn."""
    wanted = RAMP[min(row.chunks, len(RAMP) - 1)] + AHEAD
    return 1 if row.whole else max(1, wanted - (len(row.tokens) - row.done))
