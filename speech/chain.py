"""A chain of libavfilter filters as a stream: mono samples in, mono samples out, whatever the pieces.

What comes out does not depend on how the input was cut. It knows nothing of speech; rooms beside it name
the filters.
"""

from itertools import pairwise
from math import gcd
from typing import Any, Literal, Self

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from basics.audio import Samples

PHASES = 10
"""Filters of a resampler at most, as a power of two."""


class Chain:
    def __init__(self, rate: int, *steps: tuple[str, str], kind: Literal["flt", "dbl"] = "flt") -> None:
        """`steps`: each filter's name and its arguments. `kind`: the samples' type at both ends."""
        self._rate, self._kind, self._fed = rate, kind, 0
        self._type: type[np.floating[Any]] = np.float32 if kind == "flt" else np.float64
        self._graph = Graph()
        self._graph.threads = 1  # Else each graph starts a pool of its own, for filters that use one thread.
        nodes = [self._graph.add_abuffer(sample_rate=rate, format=kind, layout="mono")]
        nodes += [self._graph.add(name, arguments) for name, arguments in steps]
        nodes += [self._graph.add("aformat", f"sample_fmts={kind}"), self._graph.add("abuffersink")]
        for upper, lower in pairwise(nodes):
            upper.link_to(lower)
        self._graph.configure()

    @classmethod
    def resampler(cls, source_rate: int, rate: int, taps: int = 64) -> Self:
        """Holds back half of its taps, at the slower rate: soxr's stream holds 38 to 75 ms, over half of what a
        stream may."""
        # Where every phase has its own filter nothing lies between two, and looking there takes half as long again.
        between = int(rate // gcd(source_rate, rate) > 2**PHASES)
        settings = f"filter_size={taps}:phase_shift={PHASES}:linear_interp={between}:exact_rational=1:cutoff=0.95"
        return cls(source_rate, ("aresample", f"{rate}:{settings}:filter_type=kaiser:kaiser_beta=9"))

    def feed(self, samples: NDArray[Any]) -> NDArray[Any]:
        if not samples.size:
            return np.zeros(0, self._type)
        row = np.ascontiguousarray(samples[None], self._type)
        frame = av.AudioFrame.from_ndarray(row, format=self._kind, layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._fed
        self._fed += samples.size
        self._graph.push(frame)
        return self._pull()

    def finish(self) -> NDArray[Any]:
        """What was held back. The chain takes nothing afterwards."""
        if not self._fed:
            return np.zeros(0, self._type)
        self._graph.push(None)
        return self._pull()

    def _pull(self) -> NDArray[Any]:
        parts = []
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray().reshape(-1))
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(parts) if parts else np.zeros(0, self._type)


def resampled(samples: Samples, source_rate: int, rate: int) -> Samples:
    """All of a sound at another rate, as long as before."""
    if source_rate == rate:
        return samples
    chain = Chain.resampler(source_rate, rate)
    return np.concatenate([chain.feed(samples), chain.finish()])
