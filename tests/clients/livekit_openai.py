"""LiveKit's OpenAI plugin, unmodified, run in the clients' environment: speaks in every format and tells what came.

python tests/clients/livekit_openai.py ADDRESS TEXT MODEL...
"""

import asyncio
import json
import sys

from livekit.plugins import openai

FORMATS = ("mp3", "opus", "wav", "pcm", "flac", "aac")


async def main(address: str, text: str, *models: str) -> None:
    told = {}
    for model in models:
        for format in FORMATS:
            speaking = openai.TTS(
                model=model, voice="ash", base_url=f"{address}/v1", api_key="secret", response_format=format
            )
            speaking.prewarm()
            frames = [event.frame async for event in speaking.synthesize(text)]
            told[f"{model} {format}"] = {
                "rate": frames[0].sample_rate,
                "seconds": sum(each.duration for each in frames),
            }
            await speaking.aclose()
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
