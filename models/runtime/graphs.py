"""Steps as CUDA graphs, captured once for each number of rows, length and set of filters.

A step reads and writes tensors that stay where they are, so that replaying it is the step. Cards only: elsewhere
there is none of this.
"""

from collections.abc import Callable, Hashable
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]


class Graphs:
    def __init__(self, device: str) -> None:
        self._device = device
        self._captured: dict[Hashable, Any] = {}
        self._pool: Any = None
        # One for all: each stream that multiplies matrices keeps a workspace of 32 MB on Hopper.
        self._aside = torch.cuda.Stream(device)

    def run(self, key: Hashable, step: Callable[[], None], still: Callable[[], Any]) -> None:
        """`still()` is a context in which a step changes no row: a first, uncaptured one runs in it."""
        if key not in self._captured:
            with still():
                self._captured[key] = self._capture(step)
        self._captured[key].replay()

    def _capture(self, step: Callable[[], None]) -> Any:
        with torch.cuda.device(self._device):
            self._aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._aside):
                step()
            torch.cuda.current_stream().wait_stream(self._aside)
            graph = torch.cuda.CUDAGraph()
            # Other threads prepare voices and load models meanwhile: theirs is not to break the capture.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._aside, capture_error_mode="thread_local"):
                step()
        self._pool = self._pool or graph.pool()
        return graph
