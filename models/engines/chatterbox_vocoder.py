"""Frames of a spectrum into sound: upstream's HiFT, walked layer by layer over ragged rows.

Its source is a sum of harmonics. Their phase goes on from chunk to chunk, by the frame and in double precision, and
its noise belongs to the frame it falls on, so a chunk's source is the same as in one piece. Padding is put to zero
before each layer that looks around. It keeps no row. Imported only where torch is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

Tensor = Any
RATE = 24_000
FRAME = 480
"""Samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What one row's pass looks at."""

    mel: Tensor
    """(80, frames)"""
    source: Tensor
    """(samples,) of the first of these frames, made before."""
    noise: Tensor
    """(harmonics, samples) of the other frames."""
    phases: Tensor
    """(harmonics,) radians"""
    turns: Tensor
    """(harmonics,) float64: where each harmonic has come to behind `source`, in turns."""


@dataclass(frozen=True, slots=True, eq=False)
class Voiced:
    sound: Tensor
    """(samples,)"""
    source: Tensor
    """(samples,)"""
    turns: Tensor
    """(harmonics, frames) float64: where each harmonic stands at the end of every frame."""


def vocode(net: Any, rows: Sequence[Stretch]) -> list[Voiced]:
    frames = [each.mel.shape[1] for each in rows]
    mel = _padded([each.mel for each in rows])
    sizes = None if min(frames) == max(frames) else torch.tensor(frames, device=mel.device)
    pitch = _pitch(net.f0_predictor, mel, sizes)
    source, turns = _source(net.m_source, pitch, rows)
    sound = _decode(net, mel, source, frames, sizes)
    return [
        Voiced(sound[row, : size * FRAME], source[row, : size * FRAME], turns[row, :, :size])
        for row, size in enumerate(frames)
    ]


def _pitch(predictor: Any, mel: Tensor, sizes: Tensor | None) -> Tensor:
    """(rows, frames) in Hz."""
    x = mel
    for layer in predictor.condnet:
        x = _kept(layer(x), sizes)
    pitch: Tensor = predictor.classifier(x.transpose(1, 2)).squeeze(-1).abs()
    return pitch


def _source(module: Any, pitch: Tensor, rows: Sequence[Stretch]) -> tuple[Tensor, Tensor]:
    """(rows, samples), and (rows, harmonics, frames) of turns."""
    maker = module.l_sin_gen
    harmonics = torch.arange(1, maker.harmonic_num + 2, device=pitch.device, dtype=torch.float64)
    known = torch.tensor([each.source.shape[0] // FRAME for each in rows], device=pitch.device)
    fresh = torch.arange(pitch.shape[1], device=pitch.device) >= known[:, None]
    step = (pitch.double() / RATE * fresh)[:, None] * harmonics[:, None]
    end = torch.stack([each.turns for each in rows])[:, :, None] + (step * FRAME).cumsum(dim=2)
    begin = (end - step * FRAME).remainder(1).float()
    inside = torch.arange(1, FRAME + 1, device=pitch.device, dtype=torch.float32)
    angle = (begin[..., None] + step.float()[..., None] * inside).remainder(1).flatten(2) * (2 * math.pi)
    sines = maker.sine_amp * torch.sin(angle + torch.stack([each.phases for each in rows])[:, :, None])
    voiced = (pitch > maker.voiced_threshold).float().repeat_interleave(FRAME, dim=1)[:, None]
    loud = voiced * maker.noise_std + (1 - voiced) * maker.sine_amp / 3
    noise = _padded([F.pad(each.noise, (each.source.shape[0], 0)) for each in rows])
    mixed = module.l_linear((sines * voiced + loud * noise).transpose(1, 2)).squeeze(-1)
    source = module.l_tanh(mixed)
    for row, each in enumerate(rows):
        source[row, : each.source.shape[0]] = each.source
    return source, end.remainder(1)


def _decode(net: Any, mel: Tensor, source: Tensor, frames: Sequence[int], sizes: Tensor | None) -> Tensor:
    """(rows, samples)"""
    size, hop = net.istft_params["n_fft"], net.istft_params["hop_len"]
    window = net.stft_window.to(mel.device)
    spectra = _spectra(source, frames, window, hop)
    x = _kept(net.conv_pre(mel), sizes)
    for level, up in enumerate(net.ups):
        sizes = None if sizes is None else sizes * up.stride[0]
        x = up(F.leaky_relu(x, net.lrelu_slope))
        if level == net.num_upsamples - 1:
            x, sizes = net.reflection_pad(x), None if sizes is None else sizes + 1
        x = _kept(x, sizes)
        heard = _residual(net.source_resblocks[level], _kept(net.source_downs[level](spectra), sizes), sizes)
        x = x + heard
        blocks = net.resblocks[level * net.num_kernels : (level + 1) * net.num_kernels]
        x = sum(_residual(block, x, sizes) for block in blocks) / net.num_kernels
    x = net.conv_post(F.leaky_relu(x))
    bins = size // 2 + 1
    loud, phase = x[:, :bins].exp().clip(max=1e2), x[:, bins:].sin()
    sound = _overlapped(torch.polar(_kept(loud, sizes), phase), window, hop, sizes)
    return sound.clamp(-net.audio_limit, net.audio_limit)


def _residual(block: Any, x: Tensor, sizes: Tensor | None) -> Tensor:
    for first, second, bend, turn in zip(
        block.convs1, block.convs2, block.activations1, block.activations2, strict=True
    ):
        x = x + _kept(second(turn(_kept(first(bend(x)), sizes))), sizes)
    return x


def _spectra(source: Tensor, frames: Sequence[int], window: Tensor, hop: int) -> Tensor:
    """(rows, real and imaginary bins, frames), each row reflected at its own ends."""
    size = len(window)
    ends = (size // 2, size // 2)
    own = [F.pad(row[None, : n * FRAME], ends, mode="reflect")[0] for row, n in zip(source, frames, strict=True)]
    bins = torch.fft.rfft(_padded(own).unfold(-1, size, hop) * window)
    counted = torch.tensor([n * FRAME // hop + 1 for n in frames], device=source.device)
    return _kept(torch.cat([bins.real, bins.imag], dim=2).transpose(1, 2), counted)


def _overlapped(bins: Tensor, window: Tensor, hop: int, sizes: Tensor | None) -> Tensor:
    """(rows, samples): the inverse of a centred transform, each row weighed by the frames that it has."""
    size = len(window)
    parts = torch.fft.irfft(bins, n=size, dim=1) * window[:, None]
    weight = (window * window)[None, :, None].expand(1, -1, bins.shape[2])
    weight = weight if sizes is None else _kept(weight.expand(len(bins), -1, -1), sizes)
    spread = torch.eye(size, device=bins.device)[:, None]
    sound = F.conv_transpose1d(parts, spread, stride=hop) / F.conv_transpose1d(weight, spread, stride=hop).clamp(1e-8)
    return sound[:, 0, size // 2 : -(size // 2)]


def _kept(x: Tensor, sizes: Tensor | None) -> Tensor:
    """What lies behind a row's end is zero."""
    if sizes is None:
        return x
    return x * (torch.arange(x.shape[-1], device=x.device) < sizes[:, None, None])


def _padded(parts: Sequence[Tensor]) -> Tensor:
    """Stacked, zero behind the shorter ones."""
    longest = max(each.shape[-1] for each in parts)
    return torch.stack([F.pad(each, (0, longest - each.shape[-1])) for each in parts])
