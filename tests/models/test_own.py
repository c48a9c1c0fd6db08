"""People's own models: what MODELS_FILE makes of the table, and where their weights are found."""

import hashlib
import json
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.settings import Settings
from models import own, sources
from models.catalogue import Catalogue, card
from models.groups import Entry
from models.own import sourced
from store.bucket import Bucket
from store.bucket_config import BucketConfig
from tests.houses import done, failed, standing
from tests.hub import FakeHub, serving
from tests.operations.test_voices import recording
from tests.store.seaweed import Seaweed

TABLE = [
    Entry("tone", "embedded", "models.engines.tone:Tone"),
    Entry("hibari", "embedded", "models.engines.hibari:Hibari"),
    Entry("elsewhere", "cloning", None, repository="a/b"),
]


def catalogue(text: str, **settings: str) -> Catalogue:
    return Catalogue(Settings.read(settings), TABLE, text)


def test_weights_of_ones_own_are_a_model_with_the_engines_card() -> None:
    here = catalogue(
        "models:\n"
        "  - {id: mine, engine: tone, weights: 'hf:me/voice@abc', licence: Mine, languages: [de], params: {pitch: 3}}\n"
    )
    entry = here.find("mine")
    found = card(entry)
    assert (found.id, found.licence, found.languages, found.revision) == ("mine", "Mine", ("de",), "abc")
    assert (entry.repository, entry.revision, entry.files, entry.needs_weights) == ("me/voice", "abc", (), True)
    assert "mine" in [entry.id for entry in here.served()]


def test_models_are_switched_off_and_on_and_one_is_the_default() -> None:
    off = catalogue("disable: [tone]\ndefault: hibari")
    assert off.default.id == "hibari"
    with pytest.raises(Failure) as refused:
        off.find("tone")
    assert refused.value.code == "model_not_in_this_worker"
    assert [entry.id for entry in catalogue("enable: [tone]").served()] == ["tone"]
    assert catalogue("default: hibari").default.id == "hibari"
    assert catalogue("default: hibari", MODEL="tone").default.id == "tone"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: [", "line 1"),
        ("models: 3", "models"),
        ("modles: []", "modles"),
        ("default: nobody", "`nobody`"),
        ("disable: [tone, hibari]", "every model"),
        ("disable: [tone]\ndefault: tone", "disabled"),
        ("models: [{id: tone, engine: tone, weights: 'volume:x'}]", "name of their own"),
        ("models: [{id: mine, engine: tone}]", "needs weights"),
        ("models: [{id: mine, engine: elsewhere, weights: 'volume:x'}]", "no engine"),
        ("models: [{id: mine, engine: tone, weights: 'http://x'}]", "weights"),
        ("models: [{id: mine, engine: tone, weights: 'volume:x', sha256: abc}]", "sha256"),
        ("models: [{id: Mine!, engine: tone, weights: 'volume:x'}]", "id"),
        ("models: [{id: tone, params: {pitsch: 1}}]", "pitsch"),
        ("models: [{id: tone, params: {pitch: 99}}]", "pitch"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_a_mistake_names_its_place_in_the_file(text: str, says: str) -> None:
    with pytest.raises(Failure, match="MODELS_FILE") as wrong:
        catalogue(text)
    assert wrong.value.code == "misconfigured"
    assert says in wrong.value.message


async def test_default_knobs_are_used_where_a_request_leaves_them_open(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("models: [{id: tone, params: {fail_after: 0}}]")
    async with standing(tmp_path, MODELS_FILE=str(path)) as house:
        assert (await failed(house, {"text": "Hello."})).error.code == "internal"
        assert (await done(house, {"text": "Hello.", "params": {"fail_after": None}})).answer["model"] == "tone"


def test_a_file_that_cannot_be_read_is_misconfigured(tmp_path: Path) -> None:
    for given in (str(tmp_path / "none.yaml"), "s3://bucket/none.yaml"):
        with pytest.raises(Failure, match="MODELS_FILE"):
            own.read(Settings.read({"MODELS_FILE": given}))


def test_a_folder_on_the_volume_is_used_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "tuned" / "deep").mkdir(parents=True)
    (tmp_path / "tuned" / "model.safetensors").write_bytes(b"weights")
    assert sources.folder_of("tuned", tmp_path) == tmp_path / "tuned"
    assert sources.folder_of("tuned/model.safetensors", tmp_path) == tmp_path / "tuned"
    with pytest.raises(Failure) as missing:
        sources.folder_of("other", tmp_path)
    assert missing.value.code == "weights_missing"


def test_no_path_and_no_link_leads_out_of_the_volume(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "out").symlink_to(tmp_path)
    for path in ("../x", "/etc", "out", "a/../../x"):
        with pytest.raises(Failure) as refused:
            sources.folder_of(path, volume)
        assert refused.value.code in ("misconfigured", "weights_missing")


def test_other_weights_than_the_checksum_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"the weights")
    (tmp_path / "small.pt").write_bytes(b"x")
    right = hashlib.sha256(b"the weights").hexdigest()
    sources.verify(tmp_path, sourced(TABLE[0], "mine", "volume:x", right))
    with pytest.raises(Failure, match="sha256"):
        sources.verify(tmp_path, sourced(TABLE[0], "mine", "volume:x", "0" * 64))


@pytest.mark.service
def test_a_prefix_of_the_workers_bucket_is_copied_once(tmp_path: Path, seaweed: Seaweed, bucket_name: str) -> None:
    given = {
        "BUCKET_ENDPOINT_URL": seaweed.url,
        "BUCKET_ACCESS_KEY_ID": seaweed.access_key,
        "BUCKET_SECRET_ACCESS_KEY": seaweed.secret_key,
        "BUCKET_NAME": bucket_name,
        "BUCKET_PREFIX": "tts",
    }
    settings = Settings.read(given)
    config, _ = BucketConfig.of_worker(settings)
    assert config is not None
    Bucket(config).put("tuned/model.safetensors", b"weights" * 100)
    Bucket(config).put("tuned/deep/vocab.txt", b"a")
    Bucket(config).put("models.yaml", b"models: [{id: mine, engine: tone, weights: 'volume:x'}]")
    entry = sourced(TABLE[0], "mine", f"s3://{bucket_name}/tts/tuned")
    for _ in range(2):
        assert sources.located(entry, settings, tmp_path / "mine") == tmp_path / "mine"
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == b"weights" * 100
    assert (tmp_path / "mine" / "deep" / "vocab.txt").read_bytes() == b"a"
    assert "mine" in own.read(settings.model_copy(update={"models_file": f"s3://{bucket_name}/tts/models.yaml"}))
    for address, code in ((f"s3://{bucket_name}/tts/none", "weights_missing"), ("s3://other/tts/x", "misconfigured")):
        with pytest.raises(Failure) as refused:
            sources.located(sourced(TABLE[0], "mine", address), settings, tmp_path / "other")
        assert refused.value.code == code


async def voice_with(folder: Path, id: str, weights: str) -> None:
    """A voice to whose voice.json somebody added weights by hand."""
    async with standing(folder) as house:
        await done(house, {"op": "voices.create", "id": id, "reference": recording()})
    path = folder / "voices" / id / "voice.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights": weights}))


async def test_a_voice_with_weights_speaks_through_its_engine_as_a_model_of_its_own(tmp_path: Path) -> None:
    await voice_with(tmp_path, "alice", "tone=hf:me/tuned@abc")
    cache = tmp_path / "models"
    with serving(FakeHub({"me/tuned/model.safetensors": b"tuned"})) as hub:
        async with standing(tmp_path, HF_ENDPOINT=hub.address, MODEL_CACHE_DIR=str(cache)) as house:
            told = (await done(house, {"text": "Hello.", "voice": "alice"})).answer
            resident = [info["model"] for info in house.manager.residents()]
            other = await failed(house, {"text": "Hello.", "voice": "alice", "model": "hibari"})
            turns = [{"text": "One.", "voice": "alice"}, {"text": "Two.", "voice": "low"}]
            mixed = await failed(house, {"turns": turns})
    assert told["model"].startswith("tone@")
    assert told["revision"] == "abc"
    assert resident == [told["model"]]
    assert (cache / told["model"] / "model.safetensors").read_bytes() == b"tuned"
    assert (other.error.code, mixed.error.code) == ("voice_unusable", "voice_unusable")


@pytest.mark.parametrize("weights", ["tone=volume:none", "nothing=volume:x", "tone", "tone=http://x", "tone=s3://b/x"])
async def test_weights_that_cannot_be_had_are_said(tmp_path: Path, weights: str) -> None:
    await voice_with(tmp_path, "alice", weights)
    async with standing(tmp_path) as house:
        error = (await failed(house, {"text": "Hello.", "voice": "alice"})).error
    assert error.code in ("voice_unusable", "weights_missing", "misconfigured")
    assert str(tmp_path) not in error.message
