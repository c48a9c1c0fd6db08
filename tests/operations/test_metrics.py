from pathlib import Path

from operations.metrics import rendered
from tests.houses import done, failed, standing


async def test_jobs_and_turns_are_counted_for_prometheus(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await done(house, {"text": "One line. Another one."})
        await done(house, {"text": "A stream.", "delivery": "stream"})
        await failed(house, {"text": "x", "voice": "nobody"})
        lines = rendered(house).splitlines()
    assert 'tts_jobs_total{outcome="done"} 2' in lines
    assert 'tts_jobs_total{outcome="unknown_voice"} 1' in lines
    assert "tts_jobs 0" in lines
    assert 'tts_model_failures_total{model="tone"} 0' in lines
    assert "tts_first_audio_seconds_count 2" in lines
    assert any(line.startswith('tts_model_turn_seconds_count{model="tone",stage="speak"}') for line in lines)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


async def test_health_tells_the_figures(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await done(house, {"text": "One line."})
        health = (await done(house, {"op": "system.health"})).answer
    assert health["figures"]["jobs"] == {"done": 1}
    assert health["figures"]["first_audio"]["count"] == 1
    assert health["residents"][0]["misses"] == 0
    assert health["loop_lag"] >= 0
