"""The voice operations on a real bucket: what one worker keeps there, another speaks with."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.houses import decoded, done, failed, standing
from tests.store.seaweed import Seaweed
from tests.voices.recordings import hertz
from tests.voices.speaking import encoded, speech

pytestmark = [pytest.mark.service, pytest.mark.slow]


def environment(seaweed: Seaweed, bucket: str, voices: str) -> dict[str, Any]:
    return {
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket,
        "BUCKET_PREFIX": "ours",
        "VOICES": voices,
        "WATCH_SECONDS": "0",
    }


@pytest.mark.parametrize("second", ["", "cache"])
async def test_a_voice_made_by_one_worker_is_spoken_by_another(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str, second: str
) -> None:
    voices = f"s3://{bucket_name}/people" + (f",{tmp_path / second}" if second else "")
    given = environment(seaweed, bucket_name, voices)
    recording = base64.b64encode(encoded(speech(1))).decode()
    async with standing(tmp_path / "one", **given) as one, standing(tmp_path / "two", **given) as two:
        made = (await done(one, {"op": "voices.create", "id": "alice", "reference": recording})).answer["voice"]
        found = (await done(two, {"op": "voices.list"})).answer
        assert [voice["id"] for voice in found["voices"]] == ["alice"]
        spoken = await done(two, {"text": "A line to be sung by both.", "voice": "alice", "seed": 1})
        again = await done(one, {"text": "A line to be sung by both.", "voice": "alice", "seed": 1})
        assert hertz(decoded(spoken.data or b"")[0]) == pytest.approx(hertz(decoded(again.data or b"")[0]), rel=1e-3)
        changed = (await done(two, {"op": "voices.update", "id": "alice", "description": "calm"})).answer["voice"]
        assert (changed["description"], changed["sha256"]) == ("calm", made["sha256"])
        assert (await done(one, {"op": "voices.get", "id": "alice"})).answer["voice"]["description"] == "calm"
        await done(one, {"op": "voices.delete", "id": "alice"})
        gone = (await failed(two, {"text": "Hello.", "voice": "alice"})).error
        assert gone.code == "unknown_voice"
        assert [entry.key for entry in two.shelves[-1].objects.list("")] == []


async def test_a_reference_in_the_workers_own_bucket_is_read_and_another_bucket_is_not(
    tmp_path: Path, seaweed: Seaweed, bucket_name: str
) -> None:
    async with standing(tmp_path, **environment(seaweed, bucket_name, str(tmp_path / "voices"))) as house:
        house.objects.put("take.wav", encoded(speech(1)), "audio/wav")  # type: ignore[union-attr]
        inside = {"op": "voices.create", "id": "bob", "reference": f"s3://{bucket_name}/ours/take.wav"}
        assert (await done(house, inside)).answer["voice"]["duration"] > 1
        for outside in (f"s3://{bucket_name}/theirs/take.wav", "s3://somebody-else/take.wav"):
            asked = {"op": "voices.create", "id": "carol", "reference": outside}
            assert (await failed(house, asked)).error.code == "reference_refused"
