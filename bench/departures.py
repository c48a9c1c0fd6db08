"""How far what departs from upstream lies from upstream in fp32, on the same tokens and the same noise.

`python -m bench departures`, in the environment `modern`, on tiny random networks; `python -m bench.departures --full`
on full-size ones, for hours. Upstream is our whole pass in fp32, which the tests hold to upstream's own within 1e-3 of
full scale. What random networks say of how it sounds is nothing, so there is no DNSMOS here; distances and borders are
what they are.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basics.audio import Samples
from bench.borders import Line, area, louder, missing
from bench.pairs import table
from bench.tokens import agreed, said

TOKENS, LINES = 120, 24
TOKENS_FULL, LINES_FULL = 88, 2
"""At full size a pass over so many takes most of a minute."""
VALID, RATE = 6561, 24_000
TOKEN = 960
"""Samples."""
NARROWER = ("bf16", "fp16", "int8")
"""On a CPU: all of T3, and twice its products' weights alone."""


def main(full: bool = False) -> str:
    from tests.engines import tiny_chatterbox

    with tempfile.TemporaryDirectory() as scratch, contextlib.nullcontext() if full else tiny_chatterbox.small():
        folder = tiny_chatterbox.make(Path(scratch) / "made", full=full, kinds=["english", "turbo"])
        size = (LINES_FULL, TOKENS_FULL) if full else (8, TOKENS)
        spectra = [row for name in ("english", "turbo") for row in _spectra(folder, name, *size)]
        thinks, asked = folder / "english" / tiny_chatterbox.THINKS["english"], (2, 60) if full else (8, 200)
        thoughts = _agreements(thinks, *asked)
        sound = _sound(folder / "english" / tiny_chatterbox.SINGS["english"], "fp32")
        lines = [] if full else [_streamed(sound, seed) for seed in range(2 * LINES)]
        told, marks = ([], []) if full else (_borders(lines), _marks(lines))
    heads = ["model", "departure", "spectrum, mean difference", "of its spread", "change at borders, elsewhere"]
    parts = [table(heads, spectra), table(["T3, greedy", "tokens as in fp32"], thoughts)]
    if not full:
        parts.append(table(["borders", "area under the curve"], told))
        parts.append(table(["sound", "score of the watermark's detector", "ms of marking a second"], marks))
    return "\n\n".join(parts)


def _spectra(folder: Path, name: str, lines: int, tokens: int) -> list[list[str]]:
    """Each departure over so many lines of so many random tokens, in as many voices."""
    from tests.engines import tiny_chatterbox

    exact, half = (_sound(folder / name / tiny_chatterbox.SINGS[name], dtype) for dtype in ("fp32", "bf16"))
    whole = [_whole(exact, seed, tokens) for seed in range(lines)]
    usual = 2 if name == "turbo" else 10
    fewer = [steps for steps in (5, 4, 2, 1) if steps < usual]
    made: dict[str, list[Any]] = {
        "chunks of 8, 16, 32 ...": [_chunks(exact, seed, tokens) for seed in range(lines)],
        "chunks of 32": [_chunks(exact, seed, tokens, 32) for seed in range(lines)],
        "flow in bf16": [_whole(half, seed, tokens) for seed in range(lines)],
        **{
            f"{steps} steps for {usual}": [_whole(exact, seed, tokens, steps) for seed in range(lines)]
            for steps in fewer
        },
        "another seed": [_whole(exact, seed, tokens, noise=1000) for seed in range(lines)],
    }
    spread = float(np.std(np.concatenate([each.ravel() for each in whole])))
    rows = []
    for departure, mels in made.items():
        off = float(np.mean([np.abs(one - other).mean() for one, other in zip(mels, whole, strict=True)]))
        ends = _BORDERS[32] if departure.endswith("of 32") else _BORDERS[8]
        steps = " ".join(f"{step:.2f}" for step in _changes(mels, ends)) if "chunks" in departure else ""
        rows.append([name, departure, f"{off:.3f}", f"{off / spread:.0%}", steps])
    return rows


_BORDERS = {8: (8, 24, 56, 88), 32: (32, 64, 96)}
"""Tokens at which chunks meet, where there are more."""


def _changes(mels: Sequence[Any], ends: Sequence[int]) -> tuple[float, float]:
    """From frame to frame: at borders, and everywhere else."""
    steps = np.stack([np.abs(np.diff(mel, axis=1)).mean(axis=0) for mel in mels])
    at = np.isin(np.arange(steps.shape[1]), [2 * end - 1 for end in ends])
    return float(steps[:, at].mean()), float(steps[:, ~at].mean())


def _agreements(file: Path, lines: int, most: int) -> list[list[str]]:
    """T3's likeliest tokens in less precision beside fp32's, until they part."""
    exact, rows = _thoughts(file, "fp32", lines, most), []
    for narrower in NARROWER:
        until = agreed(exact, _thoughts(file, narrower, lines, most))
        told = f"{np.median(until):.0f} of {most} until the first other (least {min(until)}, most {max(until)})"
        rows.append([narrower, told])
    return rows


def _thoughts(file: Path, dtype: str, lines: int, most: int) -> list[list[int]]:
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.chatterbox_t3 import ENGLISH, Style, Thinker
    from models.runtime.sampler import Knobs

    kept = torch.load(file.with_name("conds.pt"), weights_only=True)["t3"]
    voice = {f"t3.{name}": each.numpy() for name, each in kept.items() if each is not None}
    thinker, found = Thinker.load(file, "cpu", dtype, ENGLISH), []
    for seed in range(lines):
        decoder, ids = thinker.decoder(1), [255, *(3 + (7 * seed + place) % 90 for place in range(20)), 0]
        thinker.join(decoder, "a", ids, voice, Style(), Knobs(0.0, penalty=1.2), 1, most)
        found.append(said(decoder, "a", most))
    return found


def _borders(lines: Sequence[Line]) -> list[list[str]]:
    kinds = {"as they are": None, "2 ms missing (control)": missing, "2 dB louder (control)": louder}
    return [
        [kind, " ".join(f"{area(lines, seed, spoil, TOKEN):.2f}" for seed in range(5))] for kind, spoil in kinds.items()
    ]


def _marks(lines: Sequence[Line]) -> list[list[str]]:
    """Of streams, which go out as they are, and of the same sound as a file."""
    from models.engines.perth import Perth
    from speech.marking import Marking

    perth, whole = Perth.load(), np.concatenate([sound for sound, _ in lines[:8]])
    began = time.process_time()
    made = Marking(lambda: perth, RATE)
    marked = np.concatenate([made.feed(whole), made.finish()])
    cost = 1000 * (time.process_time() - began) / (len(whole) / RATE)
    return [
        ["a stream, unmarked", f"{perth.found(whole, RATE):.2f}", "0"],
        ["a file", f"{perth.found(marked, RATE):.2f}", f"{cost:.0f}"],
    ]


def _sound(file: Path, dtype: str) -> Any:
    from models.engines.chatterbox_sound import Sound

    return Sound.load(file, "cpu", dtype)


def _begun(sound: Any, seed: int, tokens: int = TOKENS, steps: int | None = None, noise: int = 0) -> Any:
    from models.engines.chatterbox_row import Knobs

    dice = np.random.default_rng(seed)
    voice = {
        "gen.prompt_token": dice.integers(0, VALID, (1, 50)),
        "gen.prompt_token_len": np.array([50]),
        "gen.prompt_feat": dice.normal(-5, 1, (1, 100, 80)).astype(np.float32),
        "gen.embedding": dice.normal(0, 1, (1, 192)).astype(np.float32),
    }
    row = sound.begin(voice, seed + noise, Knobs(steps=steps))
    row.add([int(token) for token in dice.integers(0, VALID, tokens)], last=True)
    return row


def _whole(sound: Any, seed: int, tokens: int, steps: int | None = None, noise: int = 0) -> Any:
    row = _begun(sound, seed, tokens, steps, noise)
    sound.flow([(row, tokens)])
    return row.mel.numpy()


def _chunks(sound: Any, seed: int, tokens: int, least: int = 8) -> Any:
    row, made = _begun(sound, seed, tokens), []
    for end in (*(end for end in _BORDERS[least] if end < tokens), tokens):
        start = row.done
        sound.flow([(row, end - start)])
        made.append(row.mel[:, 2 * start - row.first : 2 * end - row.first])
        sound.vocode([row])
    return np.concatenate([each.numpy() for each in made], axis=1)


def _streamed(sound: Any, seed: int) -> Line:
    row, pieces = _begun(sound, seed), list[Samples]()
    while not row.over:
        sound.flow([(row, row.offer[0])])
        pieces += sound.vocode([row])
    return np.concatenate(pieces), [int(at) for at in np.cumsum([len(piece) for piece in pieces])[:-1]]


if __name__ == "__main__":
    print(main("--full" in sys.argv))
