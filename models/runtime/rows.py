"""What is known of each row while it is decoded: here its name and places, on the device a tensor of each kind.

The tensors have a line for each slot and move with it. `until` is the frame up to which a row's turn goes: a pass may
cover the slots of others, and leaves them as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

from models.engine import NoRoom
from models.runtime.sampler import Knobs

Tensor = Any


@dataclass(slots=True, eq=False)
class Row:
    id: str
    slots: list[int]
    """Its own, and its mate's where guidance compares the two."""
    prefix: list[Tensor]
    """Embeddings for each slot, until they are computed."""
    length: int
    """Of the prefix, in positions."""
    limit: int
    """Frames after which it ends."""
    filters: frozenset[str]
    """What its knobs need."""
    frames: int = 0
    """Made so far, the stop among them."""
    fetched: int = 0
    stopped: bool = False
    """Whether it came to its end by itself."""

    @property
    def done(self) -> bool:
        return self.stopped or self.frames >= self.limit

    @property
    def waits(self) -> bool:
        """For its prefix to be computed."""
        return bool(self.prefix)


@dataclass(slots=True, eq=False)
class Rows:
    """Who has which slot."""

    slots: int
    tensors: dict[str, Tensor]
    named: dict[str, Row] = field(default_factory=dict)

    @property
    def free(self) -> list[int]:
        taken = {slot for row in self.named.values() for slot in row.slots}
        return [slot for slot in range(self.slots) if slot not in taken]

    def enter(self, id: str, prefix: Sequence[Tensor], limit: int, knobs: Sequence[Knobs]) -> Row:
        if id in self.named:
            raise ValueError(f"a row is called {id} already")
        free = self.free
        if len(free) < len(prefix):
            raise NoRoom
        filters = frozenset[str]().union(*(each.filters for each in knobs))
        row = Row(id, free[: len(prefix)], list(prefix), len(prefix[0]), limit, filters)
        self.named[id] = row
        return row

    def write(self, slots: Sequence[int], values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            kept = self.tensors[name]
            kept[slots] = torch.as_tensor(value, dtype=kept.dtype).to(kept.device)

    def to_front(self, rows: Sequence[Row]) -> list[tuple[int, int]]:
        """Gives `rows` the first slots. The pairs of slots that change places, each slot in one of them at most."""
        wanted = {slot for row in rows for slot in row.slots}
        late = sorted(slot for slot in wanted if slot >= len(wanted))
        early = [slot for slot in range(len(wanted)) if slot not in wanted]
        pairs = list(zip(late, early, strict=True))
        moved = {**dict(pairs), **{there: here for here, there in pairs}}
        for row in self.named.values() if pairs else ():
            row.slots = [moved.get(slot, slot) for slot in row.slots]
        for kept in self.tensors.values() if pairs else ():
            kept[late + early] = kept[early + late]
        return pairs


def tensors(
    slots: int, frames: int, codebooks: int, words: int, hidden: int, extra: Mapping[str, Tensor], device: str
) -> dict[str, Tensor]:
    """Of every slot, as nobody has it."""
    longs = {"frame": (), "start": (), "until": (), "last": (codebooks,), "said": (frames, codebooks)}
    floats = {"guidance": (), "knobs": (2, len(Knobs().row)), "numbers": (frames, codebooks)}
    floats |= {"hidden": (frames, hidden)} if hidden else {}
    flags = {"over": (), "heard": (words,)}
    made = {name: torch.zeros(slots, *shape, dtype=torch.long, device=device) for name, shape in longs.items()}
    made |= {name: torch.zeros(slots, *shape, device=device) for name, shape in floats.items()}
    made |= {name: torch.zeros(slots, *shape, dtype=torch.bool, device=device) for name, shape in flags.items()}
    return made | {name: each.to(device).expand(slots, *each.shape).clone() for name, each in extra.items()}
