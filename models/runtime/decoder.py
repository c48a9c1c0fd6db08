"""Decodes speech language models: rows of different prefixes, knobs and seeds, computed together, each as if alone.

    decoder = Decoder(network, embed, heads, cache, words=8194, stops=(6562,), frames=1000)
    decoder.join("a", [embeddings], Knobs(temperature=0.8), seed=1, limit=1000)     # NoRoom when it is full
    said = decoder.prefill(["a", "b"])        # their prefixes, and each one's first frame
    said = decoder.decode({"a": 25, "b": 4})  # so many more of exactly these; all others keep their cache and wait
    decoder.rows["a"].done                    # until then
    decoder.leave("a")                        # at any turn; its place is free at once

An engine brings two functions: `embed(tokens [rows, codebooks], frames [rows])` gives the next input, and
`heads(hidden [rows, width], moment)` the frame's tokens, `[rows, codebooks]`. A card runs blocks of steps without
waiting for any; what they said is fetched when the turn is over. It knows no sound, no text and no engine.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray

from models.runtime.cache import Cache, Span
from models.runtime.graphs import Graphs
from models.runtime.moment import Moment
from models.runtime.rows import Row, Rows, tensors
from models.runtime.sampler import Knobs, Sampler, numbers

Tensor = Any

BLOCK = 16
"""Steps on a card between two looks at who is done."""
STRIDE, STRIDE_ON_CARDS = 64, 256
"""Positions by which what is looked at grows: on a card each length is a graph of its own."""
ROWS_ON_CARDS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Slots that a graph is captured for; a turn is filled up with slots that stay as they are."""


class Network(Protocol):
    def forward(
        self, x: Tensor, cache: Cache, span: Span, watched: Sequence[tuple[int, int]] = ()
    ) -> tuple[Tensor, Tensor | None]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a row said in a turn, without its stop."""

    tokens: NDArray[np.int64]
    """`[frames, codebooks]`."""
    hidden: NDArray[np.float32] | None = None
    """What the network gave for each and for its stop, `[frames, width]`, where the decoder was made to keep it."""


class Decoder:
    def __init__(
        self,
        network: Network,
        embed: Callable[[Tensor, Tensor], Tensor],
        heads: Callable[[Tensor, Moment], Tensor],
        cache: Cache,
        *,
        words: int,
        stops: Sequence[int],
        frames: int,
        codebooks: int = 1,
        sampler: Sampler | None = None,
        watched: Sequence[tuple[int, int]] = (),
        extra: Mapping[str, Tensor] | None = None,
        hidden: int = 0,
    ) -> None:
        """`words`: of the first codebook. `frames`: a row's most. `watched`: (layer, head)s whose attention the heads
        are shown. `extra`: what they keep of each row, as it begins. `hidden`: the network's width, to fetch it too."""
        device = str(cache.pool.device)
        self._network, self._embed, self._heads, self._cache = network, embed, heads, cache
        self._sampler, self._watched, self._extra = sampler or Sampler(), tuple(watched), dict(extra or {})
        self._frames, self._codebooks = frames, codebooks
        self._rows = Rows(cache.slots, tensors(cache.slots, frames, codebooks, words, hidden, self._extra, device))
        self._stops = torch.tensor(list(stops), device=device)
        self._device = device
        self._pairs = torch.arange(cache.slots, device=device).repeat(2, 1)
        """Leads and mates of the turn."""
        self._graphs = Graphs(device) if device.startswith("cuda") else None

    @property
    def rows(self) -> Mapping[str, Row]:
        return self._rows.named

    @property
    def bytes(self) -> int:
        """Of its cache: taken once, and kept."""
        pool = self._cache.pool
        return int(pool.numel() * pool.element_size())

    @property
    def free(self) -> int:
        """Slots that nobody has. A guided row needs two."""
        return len(self._rows.free)

    def join(
        self,
        id: str,
        prefix: Sequence[Tensor],
        knobs: Knobs,
        seed: int,
        limit: int,
        *,
        guidance: float = 0.0,
        inner: Knobs | None = None,
        heard: Sequence[int] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> Row:
        """A place for a row. `prefix`: embeddings `[length, width]`, or ids `[length]` or `[length, codebooks]`; a
        second one of the same length is its mate, from which `guidance` leads it away. `heard`: words that its
        penalty counts from the start. Raises NoRoom; ValueError where it could never fit."""
        limit, length = min(limit, self._frames), len(prefix[0])
        if not (length and limit > 0 and length + limit <= self._cache.capacity):
            raise ValueError(f"a prefix of {length} and {limit} frames do not fit into {self._cache.capacity}")
        row = self._rows.enter(id, prefix, limit, [knobs, inner or knobs])
        drawn = {"knobs": [knobs.row, (inner or knobs).row], "numbers": numbers(seed, self._frames, self._codebooks)}
        counted = {"frame": 0, "start": length - 1, "until": 0, "over": False, "heard": False, "guidance": 0.0}
        self._rows.write(row.slots, {**counted, **drawn, **self._extra, **(extra or {})})
        self._rows.write(row.slots[:1], {"guidance": guidance})
        for slot in row.slots if heard else ():
            self._rows.tensors["heard"][slot, list(heard)] = True
        return row

    def leave(self, id: str) -> None:
        self._rows.named.pop(id, None)

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def prefill(self, ids: Sequence[str]) -> dict[str, Said]:
        """Computes the prefixes, and each row's first frame."""
        rows = [row for id in ids if (row := self._rows.named[id]).waits]
        if rows:
            self._begin(rows)
            for row in rows:
                row.prefix = []
            self._look(rows)
        return self._fetch(rows)

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def decode(self, wanted: Mapping[str, int]) -> dict[str, Said]:
        """So many frames more of each, fewer where it ends before."""
        rows = [self._rows.named[id] for id in wanted]
        until = {row.id: min(row.frames + wanted[row.id], row.limit) for row in rows}
        left: list[Row] = []
        while going := [row for row in rows if row.frames < until[row.id] and not row.done and not row.waits]:
            if going != left:
                self._line_up(going, until)
                left = going
            self._run(left, until)
            self._look(left)
        return self._fetch(rows)

    def _begin(self, rows: Sequence[Row]) -> None:
        given = [self._embedded(prefix) for row in rows for prefix in row.prefix]
        slots = torch.tensor([slot for row in rows for slot in row.slots], device=self._device)
        self._rows.tensors["until"][slots] = 1
        longest = max(map(len, given))
        x = given[0].new_zeros(len(given), longest, given[0].shape[-1])
        for place, each in zip(x, given, strict=True):
            place[: len(each)] = each
        span = self._cache.span(slots, torch.arange(longest, device=self._device).expand(len(given), -1), longest)
        hidden, _ = self._network.forward(x, self._cache, span)
        last = torch.tensor([len(each) - 1 for each in given], device=self._device)
        lead, mate = _mated([len(row.slots) for row in rows])
        pairs = torch.tensor([lead, mate], device=self._device)
        self._close(span, hidden[torch.arange(len(given), device=self._device), last], None, pairs, _filters(rows))

    def _embedded(self, prefix: Tensor) -> Tensor:
        prefix = prefix.to(self._device)
        if prefix.is_floating_point():
            return prefix.to(self._cache.pool.dtype)
        ids = prefix.reshape(len(prefix), -1).expand(-1, self._codebooks)
        return self._embed(ids, torch.zeros(len(ids), dtype=torch.long, device=ids.device))

    def _line_up(self, rows: Sequence[Row], until: Mapping[str, int]) -> None:
        """Brings the turn's rows to the front, and tells the device who they are."""
        pairs = self._rows.to_front(rows)
        if pairs:
            self._cache.move(pairs, self._length(self._rows.named.values(), 0))
        alone = range(self._cache.slots)
        lead, mate, ends = list(alone), list(alone), [0] * self._cache.slots
        for row in rows:
            for slot in row.slots:
                lead[slot], ends[slot] = row.slots[0], until[row.id]
            mate[row.slots[0]] = row.slots[-1]
        told = torch.tensor([lead, mate, ends]).to(self._device)
        self._pairs.copy_(told[:2])
        self._rows.tensors["until"].copy_(told[2])

    def _run(self, rows: Sequence[Row], until: Mapping[str, int]) -> None:
        """A step, on a card a block of them."""
        steps = min(BLOCK if self._graphs else 1, max(until[row.id] - row.frames for row in rows))
        slots, length, filters = sum(len(row.slots) for row in rows), self._length(rows, steps), _filters(rows)
        if self._graphs is None:
            self._step(slots, length, filters)
            return
        slots = next((size for size in ROWS_ON_CARDS if slots <= size <= self._cache.slots), self._cache.slots)
        for _ in range(steps):
            self._graphs.run((slots, length, filters), lambda: self._step(slots, length, filters), self._still)

    def _step(self, slots: int, length: int, filters: frozenset[str]) -> None:
        """A frame of the first so many slots whose turn it is. Touches nothing but tensors that stay."""
        front, kept = slice(0, slots), self._rows.tensors
        frame = kept["frame"][front]
        x = self._embed(kept["last"][front], frame)[:, None]
        span = self._cache.span(front, (kept["start"][front] + frame)[:, None], length)
        hidden, attention = self._network.forward(x, self._cache, span, self._watched)
        self._close(span, hidden[:, 0], attention, self._pairs[:, :slots], filters)

    def _close(
        self, span: Span, hidden: Tensor, attention: Tensor | None, pairs: Tensor, filters: frozenset[str]
    ) -> None:
        kept = self._rows.tensors
        moves = (kept["frame"][span.rows] < kept["until"][span.rows]) & ~kept["over"][span.rows]
        # A slot that only fills a graph up may be a mate whose row lies outside.
        lead, mate = pairs.clamp(max=len(moves) - 1)
        moment = Moment(span, kept, moves, attention, lead, mate, self._sampler, filters)
        moment.close(self._heads(hidden, moment), hidden, self._stops)

    def _look(self, rows: Sequence[Row]) -> None:
        """Who has come how far. Here a card is waited for, once a block, and nowhere in a step."""
        first = [row.slots[0] for row in rows]
        kept = self._rows.tensors
        for row, (frames, over) in zip(
            rows, torch.stack([kept["frame"], kept["over"]])[:, first].T.tolist(), strict=True
        ):
            row.frames, row.stopped = frames, bool(over)

    def _fetch(self, rows: Sequence[Row]) -> dict[str, Said]:
        """What is new of each, in one piece, so that a card is asked once."""
        if not rows:
            return {}
        first, last = min(row.fetched for row in rows), max(row.frames for row in rows)
        slots, kept = [row.slots[0] for row in rows], self._rows.tensors
        held = {name: kept[name][slots, first:last].cpu().numpy() for name in ("said", "hidden") if name in kept}
        made = dict[str, Said]()
        for at, row in enumerate(rows):
            given = slice(row.fetched - first, row.frames - first)
            row.fetched = row.frames
            tokens = held["said"][at, given.start : max(given.start, given.stop - row.stopped)]
            made[row.id] = Said(tokens.copy(), held["hidden"][at, given].copy() if "hidden" in held else None)
        return made

    def _length(self, rows: Iterable[Row], steps: int) -> int:
        longest = max(row.length + row.frames for row in rows) + steps
        stride = STRIDE_ON_CARDS if self._graphs else STRIDE
        return min(-(-longest // stride) * stride, self._cache.capacity)

    @contextmanager
    def _still(self) -> Iterator[None]:
        until = self._rows.tensors["until"]
        before = until.clone()
        until.zero_()
        yield
        until.copy_(before)


def _mated(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Leads and mates of rows of so many slots each, one behind the other."""
    lead: list[int] = []
    mate: list[int] = []
    for size in sizes:
        at = len(lead)
        lead += [at] * size
        mate += [at + size - 1, *range(at + 1, at + size)]
    return lead, mate


def _filters(rows: Iterable[Row]) -> frozenset[str]:
    return frozenset[str]().union(*(row.filters for row in rows))
