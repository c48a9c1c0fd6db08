import re
import subprocess
import sys

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models.card import Card
from models.catalogue import Catalogue, card, engine_class
from models.engines.tone import Score, Tone
from models.groups import Entry

CONTRACT = {
    "embedded": ["hibari", "kokoro", "tone"],
    "cloning": ["chatterbox", "chatterbox-multilingual", "chatterbox-turbo", "f5-tts", "xtts-v2"],
    "kokoro": ["kokoro"],
    "orpheus": ["orpheus-3b"],
    "dialogue": ["vibevoice-1.5b", "dia-1.6b"],
    "streaming": ["vibevoice-0.5b", "cosyvoice2", "fish-s2-pro"],
    "qwen": ["qwen3-tts", "qwen3-tts-custom", "qwen3-tts-design"],
    "parler": ["parler-mini"],
    "pocket": ["pocket-tts"],
}


def catalogue(group: str = "embedded", **settings: object) -> Catalogue:
    return Catalogue(Settings.model_validate({"group": group, **settings}))


def code_of(error: pytest.ExceptionInfo[Failure]) -> str:
    return error.value.code


@pytest.mark.parametrize("group", CONTRACT)
def test_each_group_holds_the_contracts_models_in_order(group: str) -> None:
    found = [entry.id for entry in catalogue(group)._entries if entry.group == group]
    assert found == CONTRACT[group]


def test_the_default_is_the_groups_first_or_what_was_set() -> None:
    assert catalogue().default.id == "hibari"
    assert catalogue(model="kokoro").default.id == "kokoro"
    assert catalogue(model="tts-1", model_aliases={"tts-1": "kokoro"}).default.id == "kokoro"


def test_a_default_that_is_not_served_is_misconfigured() -> None:
    with pytest.raises(Failure, match="MODEL: ") as error:
        catalogue(model="orpheus-3b")
    assert code_of(error) == "misconfigured"


def test_a_group_without_a_built_engine_says_so_when_asked() -> None:
    with pytest.raises(Failure, match="`parler-mini` is known") as error:
        _ = catalogue("parler").default
    assert code_of(error) == "not_supported"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(Failure, match="Did you mean `kokoro`") as error:
        catalogue().find("kokorro")
    assert (code_of(error), error.value.field) == ("unknown_model", "model")


def test_a_model_of_another_group_names_the_image_that_has_it() -> None:
    with pytest.raises(Failure, match=r"group `orpheus`; this worker serves `hibari`, `kokoro`\.") as error:
        catalogue().find("orpheus-3b")
    assert code_of(error) == "model_not_in_this_worker"


def test_open_speakers_names_are_aliases() -> None:
    served = catalogue()
    pairs = {
        "vibevoice": "vibevoice-0.5b",
        "fish-speech-s2": "fish-s2-pro",
        "cosyvoice-2": "cosyvoice2",
        "parler-tts": "parler-mini",
        "dia-1b": "dia-1.6b",
    }
    assert {alias: served.look(alias).id for alias in pairs} == pairs


def test_an_alias_that_names_nothing_is_misconfigured() -> None:
    with pytest.raises(Failure, match="`a` names `nothing`"):
        catalogue(model_aliases={"a": "nothing"})


def test_an_unknown_group_is_misconfigured_and_names_the_groups() -> None:
    with pytest.raises(Failure, match="no group `vocoder`; there are `cloning`"):
        catalogue("vocoder")


def test_groups_of_one_environment_are_served_together_and_of_two_are_not() -> None:
    both = catalogue("orpheus,dialogue")
    assert both.environment == "modern"
    with pytest.raises(Failure, match="`embedded` needs `embedded`; `qwen` needs `qwen`"):
        catalogue("embedded,qwen")


def test_kokoro_is_another_variant_in_each_of_its_groups() -> None:
    assert catalogue().look("kokoro").environment == "embedded"
    assert catalogue("kokoro").look("kokoro").repository == "hexgrad/Kokoro-82M"
    assert [entry.id for entry in catalogue().all()].count("kokoro") == 1


def test_cards_cover_every_model_of_the_contract_but_the_hidden() -> None:
    ids = {id for group in CONTRACT.values() for id in group} - {"tone"}
    assert {each.id for each in catalogue().cards()} == ids


def test_a_licence_must_be_accepted_by_its_word() -> None:
    forbidden = Tone.playing(Score(), Card("x", "X", ("en",), 24_000, "LicenseRef-X", accept="x-research"))
    entries = [Entry("x", "embedded", forbidden)]
    with pytest.raises(Failure, match="ACCEPT_LICENSES=x-research") as error:
        Catalogue(Settings(), entries).find("x")
    assert code_of(error) == "licence_not_accepted"
    assert Catalogue(Settings.model_validate({"accept_licenses": "x-research"}), entries).find("x").id == "x"


def test_weights_that_forbid_commercial_use_ask_for_acceptance() -> None:
    asks = {each.id: each.accept for each in catalogue().cards() if each.accept}
    assert asks == {"xtts-v2": "cpml", "fish-s2-pro": "fish-research", "f5-tts": "cc-by-nc"}


def test_engines_of_the_served_group_import_and_their_cards_carry_the_entrys_id() -> None:
    for entry in catalogue().served():
        assert engine_class(entry).card.id == entry.id == card(entry).id


def test_listing_models_imports_no_engine_library() -> None:
    code = (
        "import sys; from basics.settings import Settings; from models.catalogue import Catalogue;"
        "Catalogue(Settings()).cards();"
        "print({'torch', 'hibari', 'kokoro_onnx', 'onnxruntime', 'phonemizer'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize("each", catalogue().cards(), ids=lambda each: each.id)
def test_a_card_is_coherent(each: Card) -> None:
    assert each.name
    assert each.help
    assert each.licence
    assert each.rate in (24_000, 44_100)
    assert len(set(each.languages)) == len(each.languages)
    assert all(re.fullmatch(r"[a-z]{2}(-[a-z]{2})?", code) for code in each.languages)
    assert len({preset.id for preset in each.presets}) == len(each.presets)
    assert not (each.whole and each.streams)
    assert each.presets or each.clones or each.designs
    assert each.memory >= 0
    assert each.speed is None or each.speed[0] < 1 < each.speed[1]


def test_a_language_without_region_covers_its_regions() -> None:
    hibari = card(catalogue().find("hibari"))
    heart, emma = hibari.preset("heart"), hibari.preset("emma")
    assert hibari.speaks("en", heart)
    assert hibari.speaks("en-GB", emma)
    assert not hibari.speaks("en-gb", heart)
    assert not hibari.speaks("fr")
