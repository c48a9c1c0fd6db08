"""What our decode loop adds to the network it runs, and Chatterbox's T3 beside upstream's own loop, on a CPU.

`python -m bench runtime`, in the environment `modern`. Weights are random, of T3's real width; `LAYERS` of them, so
that a laptop is done in minutes, or all with `python -m bench.runtime 30`, which takes 10 GB, in fewer rounds, or in as
many as a second number says. Every figure is of pairs, in turn in one run (see bench/pairs.py), in processor time,
which others on the machine disturb less.
"""

import contextlib
import io
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.pairs import ROUNDS, Pairs, Spread, table

LAYERS, ALL, ROUNDS_OF_ALL = 6, 30, 5
TOKENS, LINE = 20, 40
"""Of a turn of the loop, and of a line from its text on; the text would take more."""
ROWS = (1, 8)
TEXT = [255, *range(3, 40), 0]
KEPT = ("fp32", "fp16", "int8")
"""As DTYPE on a CPU; upstream's is fp32."""


def main(layers: int = LAYERS, rounds: int = 0) -> str:
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.chatterbox_t3 import ENGLISH, Thinker
    from models.engines.shims import stand_ins

    with stand_ins():
        from chatterbox.models.t3 import T3, llama_configs  # type: ignore[import-not-found,unused-ignore]

    torch.manual_seed(1)
    llama_configs.LLAMA_CONFIGS["Llama_520M"]["num_hidden_layers"] = layers
    theirs, rounds = T3().eval(), rounds or (ROUNDS if layers < ALL else ROUNDS_OF_ALL)
    held = theirs.state_dict()
    thinkers = {kept: Thinker(held, ENGLISH, "cpu", torch.float32, "" if kept == "fp32" else kept) for kept in KEPT}
    lines = [_loop(thinkers["fp32"], rows, rounds) for rows in ROWS]
    lines += _beside(theirs, thinkers, rounds)
    heads = ["what", "ours, tokens a second of the processor", "the other's", "times, median [middle half]", "certain"]
    told = f"{layers} of {ALL} layers, guided, {torch.get_num_threads()} threads, turns of {TOKENS} and lines of {LINE}"
    sizes = ", ".join(f"{kept} {thinker.bytes / 1e6:.0f} MB" for kept, thinker in thinkers.items())
    return f"{told} tokens; {rounds} pairs; {sizes}.\n\n{table(heads, lines)}"


def _loop(thinker: Any, rows: int, rounds: int) -> list[str]:
    """Turns of the decoder, sampling and fetching with them, over bare passes of the same rows, cache and lengths: the
    layers and the head, which is the ceiling."""
    import torch

    decoder = _filled(thinker, rows)
    network, cache, slots = decoder._network, decoder._cache, 2 * rows

    def bare() -> None:
        with torch.inference_mode():
            row = decoder.rows["0"]
            for step in range(TOKENS):
                at = torch.full((slots, 1), row.length + row.frames + step)
                x = torch.zeros(slots, 1, 1024)
                span = cache.span(slice(0, slots), at, decoder._length([row], step + 1))
                thinker._head(network.forward(x, cache, span)[0])

    def ours() -> None:
        decoder.decode({str(number): TOKENS for number in range(rows)})

    times = _times({"ours": ours, "bare": bare}, rounds)
    pairs = Pairs(times["ours"], times["bare"])
    name = f"our loop over the bare network, {rows} line{'s' * (rows > 1)}"
    return _told(name, pairs, rows * TOKENS, pairs.ratio)


def _beside(theirs: Any, thinkers: Mapping[str, Any], rounds: int) -> list[list[str]]:
    """From a text to so many tokens, prefix and all. Upstream's is the call that its `generate` makes."""
    import torch
    from chatterbox.models.t3.modules.cond_enc import T3Cond  # type: ignore[import-not-found,unused-ignore]

    cond = T3Cond(torch.ones(1, 256), None, torch.zeros(1, 150, dtype=torch.long), None, torch.full((1, 1, 1), 0.5))
    text = torch.tensor([TEXT] * 2)

    def upstream() -> None:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            theirs.inference(t3_cond=cond, text_tokens=text, max_new_tokens=LINE, min_p=0.05, repetition_penalty=1.2)

    def ours(thinker: Any) -> Callable[[], None]:
        def line() -> None:
            _filled(thinker, 1).decode({"0": LINE - 1})

        return line

    times = _times({**{kept: ours(thinker) for kept, thinker in thinkers.items()}, "upstream": upstream}, rounds)
    lines = []
    for kept in thinkers:
        pairs = Pairs(times[kept], times["upstream"])
        ahead = Spread.of([other / mine for mine, other in zip(pairs.ours, pairs.theirs, strict=True)])
        lines.append(_told(f"upstream's line in fp32 over ours alone, {kept}", pairs, LINE, ahead))
    return lines


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


def _times(each: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of the processor, all in turn, beginning with another every round."""
    names, found = list(each), {name: list[float]() for name in each}
    for number in range(rounds + 1):
        for name in (*names[number % len(names) :], *names[: number % len(names)]):
            began = time.process_time()
            each[name]()
            found[name] += [time.process_time() - began] if number else []
    return found


def _told(name: str, pairs: Pairs, tokens: int, times: Spread) -> list[str]:
    paces = [Spread.of([tokens / seconds for seconds in each]).told() for each in (pairs.ours, pairs.theirs)]
    return [name, *paces, times.told(digits=3), "yes" if pairs.certain else "no"]


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))
