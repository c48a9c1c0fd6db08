"""What a recording becomes, beside what upstream's own networks make of it."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples
from basics.errors import Failure
from tests.engines import tiny_chatterbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

RATE = 22_050
SHAPES = {
    "t3.speaker_emb": (1, 256),
    "t3.emotion_adv": (1, 1, 1),
    "gen.embedding": (1, 192),
    "gen.prompt_token_len": (1,),
}


def recording(seconds: float, rate: int = RATE) -> Samples:
    at = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, len(at))
    return (0.3 * np.sin(2 * np.pi * 150 * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at)) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatterbox.make(tmp_path_factory.mktemp("chatterbox"))


@pytest.fixture(scope="module")
def ears(weights: Path) -> dict[str, Any]:
    from models.engines.chatterbox_reference import ENGLISH, TURBO, Ear
    from models.engines.chatterbox_sound import Sound

    with tiny_chatterbox.small():
        english = Sound.load(weights / "english" / "s3gen.safetensors", "cpu").net
        turbo = Sound.load(weights / "turbo" / "s3gen_meanflow.safetensors", "cpu").net
    return {
        "english": Ear.load(english, weights / "english" / "ve.safetensors", ENGLISH),
        "multilingual": Ear.load(english, weights / "multilingual" / "ve.pt", ENGLISH),
        "turbo": Ear.load(turbo, weights / "turbo" / "ve.safetensors", TURBO),
    }


@pytest.mark.parametrize(("name", "tokens"), [("english", 150), ("multilingual", 150), ("turbo", 182)])
def test_a_recording_becomes_upstreams_own_conditionals(name: str, tokens: int, ears: dict[str, Any]) -> None:
    heard = ears[name].heard(recording(7.3), RATE)
    shapes = {key: array.shape for key, array in heard.items()}
    assert {key: shapes[key] for key in SHAPES} == SHAPES
    assert abs(shapes["t3.cond_prompt_speech_tokens"][1] - tokens) <= 1
    assert {str(array.dtype) for array in heard.values()} == {"float32", "int64"}
    assert len(heard) == 7


def test_no_frame_of_the_prompt_is_lost_however_long_the_recording_is(ears: dict[str, Any]) -> None:
    for seconds, tokens in ((3.0137, 75), (4.02, 100), (14.0, 250)):
        heard = ears["english"].heard(recording(seconds), RATE)
        assert heard["gen.prompt_token"].shape == (1, tokens)
        assert heard["gen.prompt_feat"].shape == (1, 2 * tokens, 80)
        assert heard["gen.prompt_token_len"].tolist() == [tokens]


def test_the_speaker_is_heard_as_upstream_hears_them(ears: dict[str, Any]) -> None:
    """Upstream trims with librosa first; here nothing is there to trim."""
    from models.engines.chatterbox_reference import HEARS_RATE, resampled
    from models.engines.chatterbox_vocoder import RATE as SOUNDS_RATE

    samples = recording(5.0)
    ear = ears["english"]
    hears = resampled(resampled(samples, RATE, SOUNDS_RATE), SOUNDS_RATE, HEARS_RATE)
    theirs = ear._encoder.embeds_from_wavs([hears], sample_rate=HEARS_RATE, trim_top_db=None)
    assert np.abs(ear.heard(samples, RATE)["t3.speaker_emb"] - theirs).max() < 1e-5


def test_what_is_quiet_at_both_ends_is_no_part_of_the_speaker(ears: dict[str, Any]) -> None:
    from models.engines.chatterbox_reference import TRIM_FRAME, trimmed

    loud = recording(2.0, 16_000)
    quiet = np.full(8000, 1e-3, np.float32)
    kept = trimmed(np.concatenate([quiet, loud, quiet]))
    assert len(loud) <= len(kept) <= len(loud) + 2 * TRIM_FRAME
    assert len(trimmed(loud)) == len(loud)


def test_turbo_hears_every_recording_at_one_loudness(ears: dict[str, Any]) -> None:
    soft, loud = (ears["turbo"].heard(recording(6.0) * np.float32(gain), RATE) for gain in (0.1, 1.0))
    assert np.abs(soft["gen.prompt_feat"] - loud["gen.prompt_feat"]).max() < 1e-2
    soft, loud = (ears["english"].heard(recording(6.0) * np.float32(gain), RATE) for gain in (0.1, 1.0))
    assert np.abs(soft["gen.prompt_feat"] - loud["gen.prompt_feat"]).max() > 1


@pytest.mark.parametrize(("name", "seconds"), [("english", 0.9), ("turbo", 4.9)])
def test_a_recording_too_short_for_the_model_is_refused(name: str, seconds: float, ears: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="at the least") as error:
        ears[name].heard(recording(seconds), RATE)
    assert error.value.code == "voice_unusable"


def test_a_recording_in_which_the_encoder_hears_nobody_is_refused(ears: dict[str, Any]) -> None:
    from models.engines.chatterbox_reference import ENGLISH, Ear

    deaf = copy.deepcopy(ears["english"]._encoder)
    for parameter in deaf.proj.parameters():
        parameter.requires_grad_(False).zero_()
    with pytest.raises(Failure, match="no voice in it") as error:
        Ear(ears["english"]._net, deaf, ENGLISH).heard(recording(3.0), RATE)
    assert error.value.code == "voice_unusable"


def test_a_recording_is_said_again_in_another_voice(weights: Path, ears: dict[str, Any]) -> None:
    from models.engines.chatterbox_sound import Sound

    ear = ears["english"]
    tokens = ear.tokens(recording(2.5), RATE)
    assert abs(len(tokens) - 63) <= 1
    sound = Sound(ear._net)
    made = []
    for voice in (recording(3.0), recording(3.0)[::-1].copy() ** 3):
        row = sound.begin(ear.heard(voice, RATE), 1)
        row.add(tokens, last=True)
        sound.flow([(row, row.offer[1])])
        made += sound.vocode([row])
    assert [len(each) for each in made] == [960 * len(tokens)] * 2
    assert np.abs(made[0] - made[1]).max() > 1e-2
