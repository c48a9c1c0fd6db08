"""All the benchmarks, as Markdown: `python -m bench`, or by name: `python -m bench overhead`."""

import platform
import sys

from bench import encoders, history, loop, overhead, realtime, runtime, share, streams, swaps, voices

ALL = {
    "overhead": ("What the worker adds to the bare engine (hibari), in one process", overhead.main),
    "loop": ("Through the SDK's loop, against a worker that only echoes", loop.main),
    "voices": ("A library of 200 voices", voices.main),
    "streams": ("Streams that play without a gap, on a rehearsed engine", streams.main),
    "realtime": ("Clients that play in real time, on real models", realtime.main),
    "share": ("The worker's own time at 16 streams", share.main),
    "swaps": ("Memory over two hundred swaps", swaps.main),
    "encoders": ("Each encoder", encoders.main),
    "history": ("History of a million jobs", history.main),
    "runtime": ("Speech language models: our loop, and upstream's (environment `modern`)", runtime.main),
}


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in ALL]:
        sys.stderr.write(f"No benchmark is called {unknown[0]}; there are {', '.join(ALL)}.\n")
        return 2
    print(f"{platform.processor() or platform.machine()}, {platform.python_version()}\n")
    for name in names or ALL:
        title, bench = ALL[name]
        print(f"### {title}\n\n{bench()}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
