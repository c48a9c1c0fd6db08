"""What each encoder holds back and what it costs. `python -m bench.encoders` prints a Markdown table.

Speech of the embedded voice goes in as a stream would bring it, in chunks of 20 ms at 24 kHz; each round takes
all formats in turn, so that a machine whose speed drifts is unfair to none.
"""

import time
from dataclasses import dataclass

import numpy as np

from basics.audio import Samples
from bench.pairs import ROUNDS, Spread, table
from speech.encoding import Encoder
from speech.formats import FORMATS, Output, output_for

RATE = 24_000
CHUNK = RATE // 50
SECONDS = 10
TEXT = "She sells sea shells by the sea shore, and the quick brown fox jumps over the lazy dog. "


@dataclass(frozen=True, slots=True)
class Round:
    """One stream, encoded."""

    cpu_seconds: float
    held_seconds: float
    """The most that was fed and had not come out."""
    kilobits: float


def speech() -> Samples:
    from hibari import Hibari  # type: ignore[import-untyped]

    spoken = np.asarray(Hibari()(TEXT, seed=1), np.float32)
    return np.resize(spoken, SECONDS * RATE)


def encode(said: Samples, output: Output) -> Round:
    encoder, size, held = Encoder(output, RATE), 0, 0.0
    start = time.process_time()
    for at in range(0, said.size, CHUNK):
        size += len(encoder.feed(said[at : at + CHUNK]))
        held = max(held, min(at + CHUNK, said.size) / RATE - encoder.seconds)
    size += len(encoder.finish())
    return Round(time.process_time() - start, held, size * 8 / SECONDS / 1_000)


def measured(rounds: int = ROUNDS) -> dict[str, list[Round]]:
    """The first round is thrown away."""
    said = speech()
    outputs = {name: output_for(name, None, None, RATE, streaming=True) for name in FORMATS}
    taken = [{name: encode(said, output) for name, output in outputs.items()} for _ in range(rounds + 1)]
    return {name: [each[name] for each in taken[1:]] for name in outputs}


def row(name: str, rounds: list[Round]) -> list[str]:
    output = output_for(name, None, None, RATE, streaming=True)
    held_ms = max(each.held_seconds for each in rounds) * 1_000
    cost = Spread.of([each.cpu_seconds for each in rounds]).told(1_000)
    return [name, str(output.rate), f"{rounds[0].kilobits:.0f}", f"{held_ms:.1f}", cost]


def main() -> str:
    rows = [row(name, rounds) for name, rounds in measured().items()]
    return table(["format", "Hz", "kbit/s", "held back, ms at most", f"CPU ms for {SECONDS} s of speech"], rows)


if __name__ == "__main__":
    print(main())
