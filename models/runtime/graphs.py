"""Steps as CUDA graphs, captured once for each number of rows, length and set of filters.

A step reads and writes tensors that stay where they are, so that replaying it is the step. Cards only: elsewhere
there is none of this.
"""

from collections.abc import Callable, Hashable
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]


class Graphs:
    def __init__(self) -> None:
        self._captured: dict[Hashable, Any] = {}
        self._pool: Any = None

    def run(self, key: Hashable, step: Callable[[], None], still: Callable[[], Any]) -> None:
        """`still()` is a context in which a step changes no row: a first, uncaptured one runs in it."""
        if key not in self._captured:
            with still():
                self._captured[key] = self._capture(step)
        self._captured[key].replay()

    def _capture(self, step: Callable[[], None]) -> Any:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            step()
        self._pool = self._pool or graph.pool()
        return graph
