from pathlib import Path

import pytest

from tests.houses import done, failed, standing


async def test_every_model_of_the_contract_is_listed_with_where_it_is_served(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        cards = (await done(house, {"op": "models.list"})).answer["models"]
    by_id = {card["id"]: card for card in cards}
    assert {"hibari", "kokoro", "chatterbox", "xtts-v2", "dia-1.6b", "qwen3-tts", "parler-mini"} <= set(by_id)
    assert "tone" not in by_id
    assert by_id["hibari"]["served"]
    assert (by_id["chatterbox"]["group"], by_id["chatterbox"]["served"]) == ("cloning", False)


async def test_models_can_be_filtered(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        served = (await done(house, {"op": "models.list", "served": True})).answer["models"]
        german = (await done(house, {"op": "models.list", "language": "de"})).answer["models"]
        cloning = (await done(house, {"op": "models.list", "group": "cloning", "clones": True})).answer["models"]
    assert {card["id"] for card in served} == {"hibari", "kokoro"}
    assert german
    assert all(any(code.startswith("de") for code in card["languages"]) for card in german)
    assert {card["group"] for card in cloning} == {"cloning"}


async def test_a_model_tells_its_knobs_presets_and_tags(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        card = (await done(house, {"op": "models.get", "model": "tone"})).answer
        assert not card["resident"]
        await house.manager.warm("tone")
        assert (await done(house, {"op": "models.get", "model": "tone"})).answer["resident"]
    assert card["options_schema"]["properties"]["pitch"]["maximum"] == 24
    assert [preset["id"] for preset in card["presets"]] == ["sine", "low", "high"]
    assert card["tags"] == []


async def test_a_model_of_another_image_can_be_read_about(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        card = (await done(house, {"op": "models.get", "model": "dia-1.6b"})).answer
    assert (card["built"], card["options_schema"]) == (False, None)


async def test_health_tells_who_is_in_memory_and_how_it_got_there(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        before = (await done(house, {"op": "system.health"})).answer
        warmed = (await done(house, {"op": "system.warm", "model": "tone"})).answer
        after = (await done(house, {"op": "system.health"})).answer
    assert (before["status"], before["residents"], before["cold_start"]) == ("idle", [], None)
    assert warmed["model"] == "tone"
    assert warmed["seconds"] >= 0
    assert after["status"] == "ready"
    assert [resident["model"] for resident in after["residents"]] == ["tone"]
    assert set(after["cold_start"]) == {"imports", "weights", "warmup", "total"}
    assert after["queue"] == {"jobs": 1, "lines": 0}
    assert {"worker", "python", "numpy"} <= set(after["versions"])


async def test_without_a_card_there_are_no_cards(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        assert isinstance((await done(house, {"op": "system.gpu"})).answer["gpus"], list)


async def test_the_default_models_card_is_told_where_none_is_named(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        assert (await done(house, {"op": "models.get"})).answer["id"] == "tone"
        kokoro = (await done(house, {"op": "models.get", "model": "tts-1"})).answer
    assert kokoro["id"] == "kokoro"
    assert "tts-1" in kokoro["aliases"]


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"op": "models.get", "model": 5}, "invalid_input", "model"),
        ({"op": "models.get", "model": "nobody"}, "unknown_model", "model"),
        ({"op": "models.list", "langauge": "en"}, "invalid_input", "langauge"),
        ({"op": "models.list", "served": "yes"}, "invalid_input", "served"),
        ({"op": "system.health", "verbose": True}, "invalid_input", "verbose"),
        ({"op": "system.warm", "model": "chatterbox"}, "model_not_in_this_worker", "model"),
        ({"op": "voices.lst"}, "invalid_input", "op"),
    ],
)
async def test_what_is_wrong_with_a_small_operation_is_named(
    tmp_path: Path, asked: dict[str, object], code: str, field: str
) -> None:
    async with standing(tmp_path) as house:
        error = (await failed(house, asked)).error
    assert (error.code, error.field) == (code, field)
