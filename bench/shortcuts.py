"""How far F5-TTS with fewer steps or in half precision lies from its 32 steps in fp32; XTTS' greedy tokens likewise.

`python -m bench shortcuts`, in the environment `modern`, on tiny random networks; `python -m bench.shortcuts --full` on
full-size ones, for an hour. The 32 steps in fp32 are upstream's own within 1e-3 of full scale, as the tests hold them
to. What random networks say of how it sounds is nothing, so there is no DNSMOS here.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.pairs import table
from bench.tokens import agreed, said
from models.engine import Line
from models.engines.f5 import F5Options

TEXTS = ("Is it five already?", "Good evening, and welcome.", "Nobody spoke in the harbour.", "We will be there soon.")
LINES, LINES_FULL = 4, 1
TOKENS, TOKENS_FULL = 200, 60
REFERENCE_SECONDS = 1.2
USUAL, QUICK = F5Options(), F5Options(steps=7)
DEPARTURES = {
    "7 of 32 steps": (F5Options(steps=7), "fp32", 0, USUAL),
    "16 of 32 steps": (F5Options(steps=16), "fp32", 0, USUAL),
    "7 even steps for 32": (F5Options(steps=7, pruned=False), "fp32", 0, USUAL),
    "bf16, both in 7 steps": (QUICK, "bf16", 0, QUICK),
    "another seed, both in 7 steps": (QUICK, "fp32", 1000, QUICK),
}
"""Knobs, precision and another seed; and the knobs of what it is set beside, in fp32."""
HALF = ("bf16", "fp16")


def main(full: bool = False) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        spectra = _f5(Path(scratch) / "f5-tts", full)
        tokens = _xtts(Path(scratch) / "xtts-v2", full)
    heads = ["F5", "spectrum, mean difference", "of its spread"]
    return "\n\n".join([table(heads, spectra), table(["XTTS' GPT, greedy", "tokens as in fp32"], tokens)])


def _f5(folder: Path, full: bool) -> list[list[str]]:
    from models.engines.f5 import F5
    from tests.engines import tiny_f5

    tiny_f5.make(folder, full=full)
    engines = {"fp32": F5.load(folder, "cpu", "fp32"), "bf16": F5.load(folder, "cpu", "bf16")}
    mels = {
        (knobs, dtype, seed): [
            _mels(engines[dtype], number, seed, knobs) for number in range(LINES_FULL if full else LINES)
        ]
        for knobs, dtype, seed in {(USUAL, "fp32", 0), *(each[:3] for each in DEPARTURES.values())}
    }
    spread, rows = float(np.std(np.concatenate(mels[USUAL, "fp32", 0]))), []
    for departure, (knobs, dtype, seed, beside) in DEPARTURES.items():
        pairs = zip(mels[knobs, dtype, seed], mels[beside, "fp32", 0], strict=True)
        off = float(np.mean([np.abs(one - other).mean() for one, other in pairs]))
        rows.append([departure, f"{off:.3f}", f"{off / spread:.0%}"])
    return rows


def _mels(engine: Any, number: int, seed: int, knobs: F5Options) -> Any:
    """The line's frames, as the network gives them."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.f5_deck import passage
    from tests.engines.f5_lines import recording

    voice = engine.prepare(recording(number, REFERENCE_SECONDS))
    going = passage(Line("a", TEXTS[number], "en", voice, knobs, number + seed), engine._tokens)
    with torch.inference_mode():
        while going.left:
            going.move(engine._network.flow([going.row(engine._network)])[0])
    return going.noise[len(going.mels) :].numpy()


def _xtts(folder: Path, full: bool) -> list[list[str]]:
    from models.engines.xtts import Xtts
    from tests.engines import tiny_xtts

    most = TOKENS_FULL if full else TOKENS
    tiny_xtts.make(folder, full=full, frames=2 * most)
    spoken = {dtype: _thoughts(Xtts.load(folder, "cpu", dtype), most, full) for dtype in ("fp32", *HALF)}
    rows = []
    for half in HALF:
        until = agreed(spoken["fp32"], spoken[half])
        rows.append([half, f"{np.median(until):.0f} of {most} (least {min(until)}, most {max(until)})"])
    return rows


def _thoughts(engine: Any, most: int, full: bool) -> list[list[int]]:
    """The likeliest tokens, with upstream's penalty."""
    from models.runtime.sampler import Knobs
    from tests.engines.xtts_lines import recording

    parts, lines = engine._parts, []
    for number in range(LINES_FULL if full else LINES):
        decoder, voice = parts.thinker.decoder(1), engine.prepare(recording(number))
        knobs = Knobs(0.0, penalty=10.0)
        parts.thinker.join(decoder, "a", parts.reader.ids(TEXTS[number], "en"), voice, knobs, 1, most)
        lines.append(said(decoder, "a", most))
    return lines


if __name__ == "__main__":
    print(main("--full" in sys.argv))
