"""What our decode loop adds to the network it runs, and Chatterbox's T3 beside upstream's own loop.

`python -m bench runtime`, in the environment `modern`. Weights are random, of T3's real width; `LAYERS` of them, so
that a laptop is done in minutes, or all with `python -m bench.runtime 30`. Every figure is of pairs, in turn in one
run (see bench/pairs.py), in processor time, which others on the machine disturb less.
"""

import contextlib
import io
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.pairs import ROUNDS, Pairs, table

LAYERS, TOKENS = 6, 20
ROWS = (1, 8)
TEXT = [255, *range(3, 40), 0]


def main(layers: int = LAYERS) -> str:
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.chatterbox_t3 import ENGLISH, Thinker
    from models.engines.shims import stand_ins

    with stand_ins():
        from chatterbox.models.t3 import T3, llama_configs  # type: ignore[import-not-found,unused-ignore]

    torch.manual_seed(1)
    llama_configs.LLAMA_CONFIGS["Llama_520M"]["num_hidden_layers"] = layers
    theirs = T3().eval()
    thinker = Thinker(theirs.state_dict(), ENGLISH, "cpu", torch.float32)
    lines = [[f"our loop over the bare network, {rows} lines", *_loop(thinker, rows)] for rows in ROWS]
    lines.append(["upstream's line over ours, alone", *_beside(theirs, thinker)])
    heads = ["what", "ours, tokens a second of the processor", "the other's", "times, median [middle half]", "certain"]
    told = f"{layers} of 30 layers in fp32, guided, {torch.get_num_threads()} threads, {TOKENS} tokens a line and turn"
    return f"{told}; {ROUNDS} pairs.\n\n{table(heads, lines)}"


def _loop(thinker: Any, rows: int) -> list[str]:
    """Turns of the decoder, sampling and fetching with them, over bare passes of the same rows, cache and lengths: the
    layers and the head, which is the ceiling."""
    import torch
    import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

    decoder = _filled(thinker, rows)
    network, cache, slots = decoder._network, decoder._cache, 2 * rows
    head = thinker._tensors["speech_head.weight"]

    def bare() -> None:
        with torch.inference_mode():
            row = decoder.rows["0"]
            for step in range(TOKENS):
                at = torch.full((slots, 1), row.length + row.frames + step)
                x = torch.zeros(slots, 1, 1024)
                span = cache.span(slice(0, slots), at, decoder._length([row], step + 1))
                F.linear(network.forward(x, cache, span)[0], head)

    def ours() -> None:
        decoder.decode({str(number): TOKENS for number in range(rows)})

    pairs = _pairs(ours, bare)
    return _told(pairs, rows, [mine / other for mine, other in zip(pairs.ours, pairs.theirs, strict=True)])


def _beside(theirs: Any, thinker: Any) -> list[str]:
    """From a text to so many tokens, prefix and all. Upstream's is the call that its `generate` makes."""
    import torch
    from chatterbox.models.t3.modules.cond_enc import T3Cond  # type: ignore[import-not-found,unused-ignore]

    cond = T3Cond(torch.ones(1, 256), None, torch.zeros(1, 150, dtype=torch.long), None, torch.full((1, 1, 1), 0.5))
    text = torch.tensor([TEXT] * 2)

    def upstream() -> None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            theirs.inference(t3_cond=cond, text_tokens=text, max_new_tokens=TOKENS, min_p=0.05, repetition_penalty=1.2)

    def ours() -> None:
        _filled(thinker, 1).decode({"0": TOKENS - 1})

    pairs = _pairs(ours, upstream)
    return _told(pairs, 1, [other / mine for mine, other in zip(pairs.ours, pairs.theirs, strict=True)])


def _filled(thinker: Any, rows: int) -> Any:
    """A decoder of so many lines, all behind their prefix, none of which ends by itself."""
    import numpy as np

    from models.engines.chatterbox_t3 import Style
    from models.runtime.sampler import Knobs

    voice = {
        "t3.speaker_emb": np.ones((1, 256), np.float32),
        "t3.cond_prompt_speech_tokens": np.zeros((1, 150), np.int64),
    }
    decoder = thinker.decoder(rows)
    decoder._stops.fill_(-1)
    for number in range(rows):
        thinker.join(decoder, str(number), TEXT, voice, Style(), Knobs(0.8, min_p=0.05, penalty=1.2), number)
    decoder.prefill([str(number) for number in range(rows)])
    return decoder


def _pairs(ours: Callable[[], None], theirs: Callable[[], None]) -> Pairs:
    ours()
    theirs()
    each, found = (ours, theirs), (list[float](), list[float]())
    for number in range(ROUNDS):
        for which in (0, 1) if number % 2 else (1, 0):
            began = time.process_time()
            each[which]()
            found[which].append(time.process_time() - began)
    return Pairs(*found)


def _told(pairs: Pairs, rows: int, times: list[float]) -> list[str]:
    from bench.pairs import Spread

    paces = [Spread.of([rows * TOKENS / seconds for seconds in each]).told() for each in (pairs.ours, pairs.theirs)]
    return [*paces, Spread.of(times).told(digits=3), "yes" if pairs.certain else "no"]


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))
