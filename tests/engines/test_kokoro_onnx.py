from pathlib import Path

import numpy as np
import pyloudnorm  # type: ignore[import-untyped]
import pytest

from basics.audio import Samples, join
from basics.errors import Failure
from models.engine import Line, Options
from models.engines.kokoro_onnx import LOUDNESS, KokoroOnnx
from tests.engines import weights
from tests.engines.recogniser import SENTENCES, transcribe, wer
from voices.voice import Voice

SPOKEN = SENTENCES[1:6]


def spoken(kokoro: KokoroOnnx, text: str, voice: str = "jf_alpha", language: str = "en") -> Samples:
    conditioning = kokoro.prepare(Voice(voice, "preset", voice))
    return join(list(kokoro.speak(Line("a", text, language, conditioning, Options(), 1))))


def test_the_card_has_54_voices_with_language_and_gender_from_their_names() -> None:
    presets = {preset.id: preset for preset in KokoroOnnx.card.presets}
    assert len(presets) == 54
    assert (presets["af_heart"].name, presets["af_heart"].language, presets["af_heart"].gender) == (
        "Heart",
        "en-us",
        "female",
    )
    assert (presets["bm_lewis"].language, presets["bm_lewis"].gender) == ("en-gb", "male")
    assert next(iter(presets)) == "af_heart"


def test_a_precision_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    (tmp_path / "voices-v1.0.bin").touch()
    with pytest.raises(Failure, match="int8, fp16, fp32, not `bf16`") as error:
        KokoroOnnx.load(tmp_path, "cpu", "bf16")
    assert error.value.code == "misconfigured"


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"voices file .* `python -m builder\.fetch_weights --model kokoro`"):
        KokoroOnnx.load(tmp_path, "cpu", "")


def test_damaged_files_are_missing_weights_and_not_a_traceback(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices-v1.0.npz", jf_alpha=np.zeros((510, 1, 256), np.float32))
    (tmp_path / "kokoro-v1.0.int8.onnx").write_bytes(b"half a file")
    with pytest.raises(Failure, match="damaged"):
        KokoroOnnx.load(tmp_path, "cpu", "int8")


def test_cuda_is_refused_where_the_runtime_has_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices-v1.0.npz", jf_alpha=np.zeros((510, 1, 256), np.float32))
    (tmp_path / "kokoro-v1.0.onnx").touch()
    with pytest.raises(Failure, match="DEVICE=cpu"):
        KokoroOnnx.load(tmp_path, "cuda:0", "")


@pytest.fixture(scope="module")
def kokoro() -> KokoroOnnx:
    return KokoroOnnx.load(weights.kokoro(), "cpu", "int8")


@pytest.mark.engine
def test_a_voice_that_is_not_among_the_files_says_how_to_get_it(kokoro: KokoroOnnx) -> None:
    with pytest.raises(Failure, match="`af_heart` is not among this worker's files") as error:
        kokoro.prepare(Voice("af_heart", "preset", "x"))
    assert error.value.code == "weights_missing"


@pytest.mark.engine
def test_voices_and_their_blend_sound_different(kokoro: KokoroOnnx) -> None:
    alpha, kumo = (Voice(id, "preset", id) for id in ("jf_alpha", "jm_kumo"))
    both = kokoro.prepare(Voice("both", "blend", "b", parts=((alpha, 0.5), (kumo, 0.5))))
    sounds = [spoken(kokoro, "Hello there.", "jf_alpha"), spoken(kokoro, "Hello there.", "jm_kumo")]
    sounds.append(join(list(kokoro.speak(Line("a", "Hello there.", "en", both, Options(), 1)))))
    assert len({sound.tobytes() for sound in sounds}) == 3


@pytest.mark.engine
@pytest.mark.parametrize("text", ["🙂", "...", "你好"])
def test_what_it_cannot_pronounce_is_refused_and_quoted(kokoro: KokoroOnnx, text: str) -> None:
    with pytest.raises(Failure, match="cannot pronounce") as error:
        spoken(kokoro, text)
    assert text in error.value.message


@pytest.mark.engine
def test_a_text_over_the_networks_510_phonemes_is_spoken_to_its_end(kokoro: KokoroOnnx) -> None:
    sound = spoken(kokoro, "Long words keep coming without any pause " * 15 + "until the very last one: banana.")
    assert len(sound) > 24_000 * 25
    assert transcribe(sound[-24_000 * 5 :], 24_000).lower().rstrip(".").endswith("banana")


@pytest.mark.engine
@pytest.mark.parametrize("voice", ["jf_tebukuro", "jm_kumo"])
def test_measured_loudness_is_within_one_unit(kokoro: KokoroOnnx, voice: str) -> None:
    sound = join([spoken(kokoro, text, voice) for text in SPOKEN])
    measured = pyloudnorm.Meter(24_000).integrated_loudness(sound.astype(np.float64))
    assert measured == pytest.approx(LOUDNESS[voice], abs=1)


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The harbour was quiet when the first boats came in."),
        ("en-gb", "She asked whether the train to York would stop at noon."),
        ("es", "Buenos días. Mañana vamos a comprar pan y leche en el mercado."),
        ("it", "Buongiorno, domani andiamo al mercato a comprare il pane."),
    ],
)
def test_a_recogniser_understands_even_a_foreign_voice(kokoro: KokoroOnnx, language: str, text: str) -> None:
    """The voices at hand are Japanese; French, Portuguese and Hindi are too strange to them to judge by."""
    assert wer(text, transcribe(spoken(kokoro, text, language=language), 24_000, language[:2])) <= 0.2
