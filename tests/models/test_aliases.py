"""Other makers' names: what really has the name goes first, and nobody is left without a voice."""

from dataclasses import replace

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models import catalogue
from models.aliases import OPENAI_VOICES, STAND_INS, preset_for
from models.cards import KOKORO
from models.catalogue import Catalogue
from models.engines.tone import Tone
from models.groups import table

CARDS = {entry.key: catalogue.card(entry) for entry in table()}


@pytest.mark.parametrize("key", CARDS)
def test_each_of_openais_voices_has_a_preset_wherever_there_are_presets(key: str) -> None:
    card = CARDS[key]
    found = [preset_for(name, card) for name in OPENAI_VOICES]
    assert all(preset in card.presets for preset in found) if card.presets else found == [None] * 13


def test_kokoros_presets_for_openais_voices_stay_as_they_are() -> None:
    found = {name: preset.id for name in OPENAI_VOICES if (preset := preset_for(name, KOKORO))}
    assert found == {
        "alloy": "af_alloy", "ash": "am_adam", "ballad": "am_eric", "coral": "af_heart", "echo": "am_echo",
        "fable": "bm_fable", "onyx": "am_onyx", "nova": "af_nova", "sage": "af_aoede", "shimmer": "af_bella",
        "verse": "am_fenrir", "marin": "af_jessica", "cedar": "am_liam",
    }  # fmt: skip


def test_a_name_of_nobodys_has_no_preset() -> None:
    assert preset_for("heart", KOKORO) is None
    assert preset_for("nova", replace(KOKORO, presets=())) is None


def test_another_makers_model_is_spoken_for_by_the_one_in_the_table_where_it_is_served() -> None:
    here = Catalogue(Settings.read({"MODEL": "hibari"}))
    assert {name: here.find(name).id for name in ("tts-1", "gpt-4o-mini-tts", "tts-1-hd", "eleven_v3")} == {
        "tts-1": "kokoro", "gpt-4o-mini-tts": "kokoro", "tts-1-hd": "hibari", "eleven_v3": "hibari",
    }  # fmt: skip


def test_elsewhere_the_workers_default_speaks_for_it() -> None:
    entries = [replace(entry, engine=Tone) if entry.group == "parler" else entry for entry in table()]
    here = Catalogue(Settings.read({"MODEL_GROUP": "parler"}), entries)
    assert {here.find(name).id for name in STAND_INS} == {"parler-mini"}


def test_the_operators_own_aliases_go_before_the_shipped() -> None:
    here = Catalogue(Settings.read({"MODEL_ALIASES": "tts-1=tone"}))
    assert here.find("tts-1").id == "tone"
    assert here.aliases(here.look("tone")) == ("tts-1",)
    assert "gpt-4o-mini-tts" in here.aliases(here.look("kokoro"))


def test_a_default_may_be_named_by_an_alias() -> None:
    assert Catalogue(Settings.read({"MODEL": "tts-1"})).default.id == "kokoro"


def test_a_name_in_no_table_stays_unknown_and_the_nearest_is_named() -> None:
    with pytest.raises(Failure, match="tts-1-hd") as refused:
        Catalogue(Settings.read({})).find("tts-1-hdd")
    assert refused.value.code == "unknown_model"
