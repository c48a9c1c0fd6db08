"""Pipecat's OpenAI service, unmodified, run in the clients' environment: speaks once and tells what came.

python tests/clients/pipecat_openai.py ADDRESS MODEL VOICE SPEED TEXT
"""

import asyncio
import json
import sys
from typing import Any

from pipecat.frames.frames import EndFrame, ErrorFrame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.tts import OpenAITTSService


class Ear(FrameProcessor):
    """Sound goes on down the line, an error back up it."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__()
        self.told = told

    async def process_frame(self, frame: object, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.told |= {"bytes": self.told["bytes"] + len(frame.audio), "rate": frame.sample_rate}
        if isinstance(frame, ErrorFrame):
            self.told["errors"].append(frame.error)
        await self.push_frame(frame, direction)


async def main(address: str, model: str, voice: str, speed: str, text: str) -> None:
    settings = OpenAITTSService.Settings(model=model, voice=voice, speed=float(speed))
    service = OpenAITTSService(api_key="secret", base_url=f"{address}/v1", settings=settings)
    told: dict[str, Any] = {"bytes": 0, "rate": 0, "errors": []}
    task = PipelineTask(Pipeline([Ear(told), service, Ear(told)]))
    await task.queue_frames([TTSSpeakFrame(text), EndFrame()])
    await PipelineRunner(handle_sigint=False).run(task)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
