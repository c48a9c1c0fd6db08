"""All the benchmarks, as Markdown: `python -m bench`, or by name: `python -m bench overhead`.

Some take words: `python -m bench share kokoro`. `python -m bench --group cloning` runs those of a group of models
instead, in the group's own environment.
"""

import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping

from bench import (
    departures,
    encoders,
    history,
    http,
    loop,
    overhead,
    realtime,
    runtime,
    share,
    shortcuts,
    start,
    streams,
    swaps,
    voices,
)
from builder.engines import prepare

Bench = tuple[str, Callable[..., str]]

ALL: Mapping[str, Bench] = {
    "overhead": ("What the worker adds to the bare engine (hibari), in one process", overhead.main),
    "loop": ("Through the SDK's loop, against a worker that only echoes", loop.main),
    "voices": ("A library of 200 voices", voices.main),
    "streams": ("Streams that play without a gap, on a rehearsed engine", streams.main),
    "realtime": ("Clients that play in real time, on real models", realtime.main),
    "share": ("The worker's own time at 16 streams", share.main),
    "swaps": ("Memory over two hundred swaps", swaps.main),
    "http": ("Over HTTP and from afar (hibari)", http.main),
    "encoders": ("Each encoder", encoders.main),
    "history": ("History of a million jobs", history.main),
}
OF_GROUPS: Mapping[str, Mapping[str, Bench]] = {
    "cloning": {
        "runtime": ("Speech language models: our loop, and upstream's", runtime.main),
        "start": ("Chatterbox from a cold process", start.main),
        "departures": ("Chatterbox: what departs from upstream, and the borders of chunks", departures.main),
        "shortcuts": ("F5 and XTTS: fewer steps and half precision", shortcuts.main),
    }
}


OPTIONS: Mapping[str, Collection[str]] = {"share": share.MODELS}
"""What may follow a benchmark's name."""


def main(names: list[str]) -> int:
    if names[:1] == ["--group"]:
        return _elsewhere(names[1])
    known = {**ALL} | {name: bench for group in OF_GROUPS.values() for name, bench in group.items()}
    wanted = list[tuple[str, list[str]]]() if names else [(name, list[str]()) for name in ALL]
    for name in names:
        if wanted and name in OPTIONS.get(wanted[-1][0], ()):
            wanted[-1][1].append(name)
        elif name in known:
            wanted.append((name, []))
        else:
            sys.stderr.write(f"No benchmark is called {name}; there are {', '.join(known)}.\n")
            return 2
    print(f"{platform.processor() or platform.machine()}, {platform.python_version()}\n")
    for name, options in wanted:
        title, bench = known[name]
        print(f"### {title}\n\n{bench(*options)}\n", flush=True)
    return 0


def _elsewhere(group: str) -> int:
    if group not in OF_GROUPS:
        sys.stderr.write(f"Group `{group}` has no benchmarks of its own; there are those of {', '.join(OF_GROUPS)}.\n")
        return 2
    return subprocess.run([prepare(group), "-m", "bench", *OF_GROUPS[group]]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
