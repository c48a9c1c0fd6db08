"""Pipecat's ElevenLabs services, unmodified, run in the clients' environment: speak two turns and tell what came.

python tests/clients/pipecat_elevenlabs.py ADDRESS VOICE HOW TEXT...
"""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.tts_service import TextAggregationMode


class Ear(FrameProcessor):
    """Sound and words go on down the line, an error back up it."""

    def __init__(self, told: dict[str, Any], turns: int = 0) -> None:
        super().__init__()
        self.told = told
        self.turns = turns
        self.done = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.told |= {"bytes": self.told["bytes"] + len(frame.audio), "rate": frame.sample_rate}
        if isinstance(frame, TTSTextFrame):
            self.told["words"].append([frame.text, frame.pts])
        if isinstance(frame, ErrorFrame):
            self.told["errors"].append(frame.error)
            self.done.set()
        if isinstance(frame, TTSStoppedFrame):
            self.told["turns"] += 1
            if self.told["turns"] >= self.turns:
                self.done.set()
        await self.push_frame(frame, direction)


def speaker(how: str, address: str, voice: str, session: aiohttp.ClientSession) -> FrameProcessor:
    if how == "http":
        settings = ElevenLabsHttpTTSService.Settings(voice=voice, model="eleven_flash_v2_5")
        return ElevenLabsHttpTTSService(
            api_key="secret", aiohttp_session=session, base_url=address, settings=settings, sample_rate=24_000
        )
    return ElevenLabsTTSService(
        api_key="secret",
        url=address.replace("http", "ws", 1),
        sample_rate=24_000,
        settings=ElevenLabsTTSService.Settings(voice=voice, model="eleven_flash_v2_5"),
        text_aggregation_mode=TextAggregationMode(how),
    )


async def main(address: str, voice: str, how: str, *texts: str) -> None:
    told: dict[str, Any] = {"bytes": 0, "rate": 0, "errors": [], "words": [], "turns": 0}
    ear = Ear(told, len(texts))
    async with aiohttp.ClientSession() as session:
        pipeline = Pipeline([Ear(told | {"words": []}), speaker(how, address, voice, session), ear])
        task = PipelineTask(pipeline, params=PipelineParams(audio_out_sample_rate=24_000))
        running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
        for text in texts:
            words = [LLMTextFrame(f"{word} ") for word in text.split()]
            await task.queue_frames([LLMFullResponseStartFrame(), *words, LLMFullResponseEndFrame()])
        async with asyncio.timeout(60):
            await ear.done.wait()
        await task.queue_frame(EndFrame())
        await running
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
