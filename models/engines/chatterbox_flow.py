"""Speech tokens into frames of a spectrum: upstream's encoder and flow, walked layer by layer over ragged rows.

Upstream's own walk takes one prompt length a batch, lets padding leak through the look-ahead and asks the device for
a number at every block. This one masks what is padding before each layer that looks around, so a row is as it is
alone, and asks for nothing. It keeps no row. Imported only where torch is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

from models.engines.chatterbox_row import FRAMES, Prompt

Tensor = Any
MEL = 80


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What one row's pass looks at, behind its prompt."""

    prompt: Prompt
    tokens: Sequence[int]
    noise: Tensor
    """(80, frames) of all of these tokens."""
    guidance: float


def flow(net: Any, windows: Sequence[Window], steps: int) -> list[Tensor]:
    """(80, frames) of each window's tokens."""
    device = net.input_embedding.weight.device
    before = [len(each.prompt.tokens) for each in windows]
    lengths = [own + len(each.tokens) for own, each in zip(before, windows, strict=True)]
    rows, frames = len(windows), FRAMES * max(lengths)
    tokens = torch.zeros(rows, max(lengths), dtype=torch.long, device=device)
    noise, held = torch.zeros(2, rows, MEL, frames, device=device)
    for row, (own, each) in enumerate(zip(before, windows, strict=True)):
        tokens[row, :own] = each.prompt.tokens
        tokens[row, own : lengths[row]] = torch.tensor(each.tokens, device=device)
        start = FRAMES * own
        noise[row, :, :start], noise[row, :, start : FRAMES * lengths[row]] = each.prompt.noise, each.noise
        held[row, :, :start] = each.prompt.mel
    sizes = None if min(lengths) == max(lengths) else torch.tensor(lengths, device=device)
    meaning = encode(net, tokens, sizes)
    speakers = torch.stack([each.prompt.speaker for each in windows])
    guidance = [each.guidance for each in windows]
    mask = None if sizes is None else _inside(FRAMES * sizes, frames)
    made = _solve(net.decoder.estimator, noise, meaning, speakers, held, mask, steps, guidance)
    return [
        made[row, :, FRAMES * own : FRAMES * length]
        for row, (own, length) in enumerate(zip(before, lengths, strict=True))
    ]


def encode(net: Any, tokens: Tensor, sizes: Tensor | None) -> Tensor:
    """(rows, 80, frames): what the tokens mean, two frames each. `sizes` where rows differ in length."""
    encoder = net.encoder
    everywhere = torch.ones(len(tokens), 1, tokens.shape[1], dtype=torch.bool, device=tokens.device)
    mask = everywhere if sizes is None else _inside(sizes, tokens.shape[1])
    wide = mask.transpose(1, 2)
    x, place, _ = encoder.embed(net.input_embedding(tokens) * wide, mask)
    x = encoder.pre_lookahead_layer(x * wide)
    for layer in encoder.encoders:
        x, *_ = layer(x, mask, place, mask)
    x, _ = encoder.up_layer(x.transpose(1, 2).contiguous(), torch.zeros(1))
    mask = mask.repeat_interleave(FRAMES, dim=2)
    x, place, _ = encoder.up_embed(x.transpose(1, 2).contiguous(), mask)
    for layer in encoder.up_encoders:
        x, *_ = layer(x, mask, place, mask)
    return net.encoder_proj(encoder.after_norm(x)).transpose(1, 2).contiguous()


def _solve(
    estimator: Any,
    x: Tensor,
    meaning: Tensor,
    speakers: Tensor,
    held: Tensor,
    mask: Tensor | None,
    steps: int,
    guidance: Sequence[float],
) -> Tensor:
    """Euler's method from noise to spectrum. Rows are doubled where any is guided."""
    times = torch.linspace(0, 1, steps + 1)
    if not estimator.meanflow:
        times = 1 - torch.cos(times * 0.5 * math.pi)
    guided = not estimator.meanflow and any(guidance)
    if guided:
        meaning, speakers, held = (torch.cat([each, torch.zeros_like(each)]) for each in (meaning, speakers, held))
        mask = None if mask is None else torch.cat([mask, mask])
    lean = torch.tensor(guidance, device=x.device)[:, None, None]
    given = torch.cat([meaning, speakers[:, :, None].expand(-1, -1, x.shape[2]), held], dim=1).to(estimator.dtype)
    weights = None if mask is None else mask.to(given.dtype)
    for now, then in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        both = torch.cat([x, x]) if guided else x
        slope = _slope(estimator, torch.cat([both.to(given.dtype), given], dim=1), weights, now, then).to(x.dtype)
        if guided:
            towards, away = slope.chunk(2)
            slope = (1 + lean) * towards - lean * away
        x = x + (then - now) * slope
    return x


def _slope(estimator: Any, x: Tensor, mask: Tensor | None, now: float, then: float) -> Tensor:
    """One look of the network: which way the spectrum goes at this time."""
    when = _time(estimator, now, x)
    if estimator.meanflow:
        when = estimator.time_embed_mixer(torch.cat([when, _time(estimator, then, x)], dim=1))
    ones = x.new_ones(1, 1, 1) if mask is None else mask
    bias = None if mask is None else (1 - mask) * -1e10
    skipped = []
    for resnet, blocks, down in estimator.down_blocks:
        x = _attend(blocks, resnet(x, ones, when), bias, when)
        skipped.append(x)
        x = down(x * ones)
    for resnet, blocks in estimator.mid_blocks:
        x = _attend(blocks, resnet(x, ones, when), bias, when)
    for resnet, blocks, up in estimator.up_blocks:
        x = _attend(blocks, resnet(torch.cat([x, skipped.pop()], dim=1), ones, when), bias, when)
        x = up(x * ones)
    return estimator.final_proj(estimator.final_block(x, ones) * ones) * ones


def _time(estimator: Any, at: float, like: Tensor) -> Tensor:
    when = torch.full((1,), at, device=like.device)
    return estimator.time_mlp(estimator.time_embeddings(when).to(like.dtype))


def _attend(blocks: Any, x: Tensor, bias: Tensor | None, when: Tensor) -> Tensor:
    x = x.transpose(1, 2).contiguous()
    for block in blocks:
        x = block(hidden_states=x, attention_mask=bias, timestep=when)
    return x.transpose(1, 2).contiguous()


def _inside(sizes: Tensor, longest: int) -> Tensor:
    """(rows, 1, longest) of bool."""
    found: Tensor = torch.arange(longest, device=sizes.device)[None, None] < sizes[:, None, None]
    return found
