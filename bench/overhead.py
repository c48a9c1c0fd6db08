"""(a) What the worker adds to the bare engine, in one process: first audio, and all of it.

The bare engine gives sentence after sentence, unmastered and unencoded. Ours is asked for a stream and for a file,
from the request to the last event. Hibari is many times faster than it plays, so that mastering and encoding weigh
as much as it does; Kokoro's int8 network, at about half real time here, is nearer to what people deploy.
"""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

from basics.events import Audio, Done
from basics.settings import Settings
from bench.pairs import Pairs, in_turn, table
from models.engine import Engine, Line
from models.engines.hibari import Hibari
from models.engines.kokoro_onnx import KokoroOnnx
from operations import house as houses
from operations.answer import answer
from operations.house import House
from operations.job import Job
from tests.engines.weights import kokoro
from voices.voice import Voice

SENTENCES = (
    "The harbour was quiet when the first boats came in, and nobody on the quay said a word.",
    "A woman in a grey coat counted the crates as they were lifted out, one after the other.",
    "By noon the fog had gone, and the town by the water looked very much like itself again.",
)
ASKED = {
    "pcm stream": {"delivery": "stream", "format": "pcm"},
    "mp3 stream": {"delivery": "stream", "format": "mp3"},
    "opus stream": {"delivery": "stream", "format": "opus"},
    "wav file": {"format": "wav"},
    "mp3 file": {"format": "mp3"},
}


async def ours(house: House, asked: dict[str, Any]) -> list[float]:
    began = time.perf_counter()
    first = None
    async for event in answer(Job("bench", {"text": " ".join(SENTENCES)} | asked), house):
        if isinstance(event, Audio | Done) and first is None:
            first = time.perf_counter() - began
    return [first or 0.0, time.perf_counter() - began]


def bare(engine: Engine, voice: str) -> list[float]:
    began = time.perf_counter()
    first = None
    conditioning = engine.prepare(Voice(voice, "preset", voice))
    for text in SENTENCES:
        for _ in engine.speak(Line("bench", text, "en-us", conditioning, engine.Options(), seed=0)):
            first = first or time.perf_counter() - began
    return [first or 0.0, time.perf_counter() - began]


async def measured(engine: Engine, model: str, voice: str, names: list[str]) -> dict[str, list[Pairs]]:
    house = houses.open(Settings.read({"MODEL": model, "WEIGHTS_DIR": str(kokoro().parent)}))
    try:
        await house.manager.warm(model)
        return {
            f"{model}, {name}": await in_turn(
                partial(ours, house, {"voice": voice, "language": "en-us"} | ASKED[name]),
                partial(asyncio.to_thread, bare, engine, voice),
            )
            for name in names
        }
    finally:
        await house.close()


def main() -> str:
    hibari = asyncio.run(measured(Hibari.load(Path(), "cpu", ""), "hibari", "heart", list(ASKED)))
    onnx = KokoroOnnx.load(kokoro(), "cpu", "int8")
    both = hibari | asyncio.run(measured(onnx, "kokoro", "jf_alpha", ["mp3 stream", "mp3 file"]))
    heads = ["asked for", "first audio, ms more", "in all, ms more", "in all, times bare", "certain"]
    return table(heads, [row(name, *pairs) for name, pairs in both.items()])


def row(name: str, first: Pairs, total: Pairs) -> list[str]:
    return [
        name,
        first.difference.told(1000) if "stream" in name else "",
        total.difference.told(1000),
        total.ratio.told(digits=2),
        "yes" if total.certain else "no",
    ]


if __name__ == "__main__":
    print(main())
