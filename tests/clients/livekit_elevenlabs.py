"""LiveKit's ElevenLabs plugin, unmodified, run in the clients' environment: speaks live and at once; tells what came.

python tests/clients/livekit_elevenlabs.py ADDRESS VOICE TEXT ENCODING...
"""

import asyncio
import json
import sys
from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, tts
from livekit.plugins import elevenlabs

ONCE = APIConnectOptions(max_retry=0)


async def told(stream: "tts.SynthesizeStream | tts.ChunkedStream") -> dict[str, Any]:
    words: list[tuple[str, float, float]] = []
    frames = []
    try:
        async for event in stream:
            frames.append(event.frame)
            for word in event.frame.userdata.get("lk.timed_transcripts", []):
                words.append((str(word), word.start_time, word.end_time))
    except Exception as error:  # noqa: BLE001 what they raise is what is told
        return {"error": str(error)}
    finally:
        await stream.aclose()
    return {"rate": frames[0].sample_rate, "seconds": sum(each.duration for each in frames), "words": words}


async def main(address: str, voice: str, text: str, *encodings: str) -> None:
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession() as session:
        for encoding in encodings:
            speaking = elevenlabs.TTS(
                voice_id=voice, api_key="secret", base_url=f"{address}/v1", encoding=encoding, http_session=session
            )
            live = speaking.stream(conn_options=ONCE)
            for word in text.split():
                live.push_text(f"{word} ")
            live.end_input()
            found[f"live {encoding}"] = await told(live)
            found[f"whole {encoding}"] = await told(speaking.synthesize(text, conn_options=ONCE))
            await speaking.aclose()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
