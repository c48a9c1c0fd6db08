"""Watches where in the text Chatterbox Multilingual is, by what three of its heads listen to, and ends it in time.

The model's second version goes on after the end or says parts again; the third is spoken without. The rules are
upstream's 0.1.7; there they are kept in hooks on the network, one more for each line that was ever spoken. Here they
are a few numbers a row, on the device.
"""

from collections.abc import Mapping
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

from models.runtime.moment import Moment

Tensor = Any

END = 3
"""Last signs of a text: who listens to them is nearly done."""
PATIENCE = 5.0
"""Attention to the end, or to what was said before it, after which the line is over."""
BACK, AHEAD = 4, 7
"""A step further than this is none."""
NEVER = 2.0**15


def state() -> dict[str, Tensor]:
    """What is kept of each row."""
    numbers = dict.fromkeys(("text_from", "text_length", "position", "before"), torch.zeros((), dtype=torch.long))
    return {
        **numbers,
        "complete": torch.zeros((), dtype=torch.bool),
        "tail": torch.zeros(END),
        "again": torch.zeros(()),
    }


def told(text_from: int, text_length: int) -> Mapping[str, int]:
    """Where the text stands in a row's prefix."""
    return {"text_from": text_from, "text_length": text_length}


def guarded(logits: Tensor, moment: Moment, stop: int, may_end: Tensor) -> Tensor:
    """Logits `[rows, words]` under which the line goes on to the end of its text and no further."""
    length, frame, last = moment.kept("text_length"), moment.frame, moment.kept("last")[:, 0]
    here, over = torch.zeros_like(length), torch.zeros_like(may_end)
    if moment.attention is not None:  # before, nothing was said yet
        here, over = _listened(moment, moment.attention[:, 0], length)
    stutters = (frame >= 2) & (last == moment.kept("before"))
    moment.keep("before", last)
    goes_on = (here < length - END) & (length > 5)
    ends = (stutters | over) & may_end
    words = torch.arange(logits.shape[-1], device=logits.device)
    logits = torch.where(goes_on[:, None] & (words == stop), -NEVER, logits)
    return torch.where(ends[:, None], torch.where(words == stop, NEVER, -NEVER), logits)


def _listened(moment: Moment, attention: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """Where in its text each row is now, and whether that is behind its end."""
    start = moment.kept("text_from")
    places = torch.arange(moment.span.length, device=length.device) - start[:, None]
    seen = (places >= 0) & (places < length[:, None]) & (places <= moment.frame[:, None])
    heard = torch.where(seen, attention, 0.0)
    here = (heard.argmax(dim=-1) - start).clamp(min=0)
    position, complete = moment.kept("position"), moment.kept("complete")
    step = here - position
    position = torch.where((step > -BACK) & (step < AHEAD), here, position)
    ends = (start + length - END)[:, None] + torch.arange(END, device=length.device)
    tail = moment.kept("tail") + heard.gather(1, ends.clamp(0, moment.span.length - 1)) * complete[:, None]
    said = torch.where(places < length[:, None] - 5, heard, 0.0).amax(dim=-1)
    again = moment.kept("again") + said * complete
    for name, value in (("position", position), ("tail", tail), ("again", again)):
        moment.keep(name, value)
    moment.keep("complete", complete | (position >= length - END))
    return here, (tail.amax(dim=-1) >= PATIENCE) | (again > PATIENCE)
