"""ElevenLabs' own package, unmodified, on its socket: it speaks TLS only."""

import asyncio
from pathlib import Path

import pytest
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError

from tests.clients.test_openai import TEXT, seconds
from tests.clients.tls import HOST, secured
from tests.server.served import served

deprecated = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")
"""Their package asks websockets in an old way."""


def spoken(port: int, voice: str) -> bytes:
    """Blocks: for a thread."""
    client = ElevenLabs(api_key="secret", base_url=f"https://{HOST}:{port}")

    words = (f"{word} " for word in TEXT.split())
    settings = VoiceSettings(stability=0.5, similarity_boost=0.8, speed=1.0)
    return b"".join(
        client.text_to_speech.convert_realtime(
            voice, text=words, model_id="eleven_flash_v2_5", output_format="pcm_24000", voice_settings=settings
        )
    )


@deprecated
async def test_their_package_writes_word_by_word_and_hears_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await seconds(tmp_path)
    async with served(tmp_path) as server, secured(tmp_path, server.base_url.port or 0, monkeypatch) as port:
        sound = await asyncio.to_thread(spoken, port, "low")
    assert len(sound) / 48_000 == pytest.approx(expected, abs=0.3)


@deprecated
async def test_their_package_is_told_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as server, secured(tmp_path, server.base_url.port or 0, monkeypatch) as port:
        with pytest.raises(ApiError) as refused:
            await asyncio.to_thread(spoken, port, "nobody")
    assert refused.value.status_code == 1008
    assert "voice_not_found" in str(refused.value.body)
