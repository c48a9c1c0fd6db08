import hashlib
from pathlib import Path

import numpy as np
import pyloudnorm  # type: ignore[import-untyped]
import pytest

from basics.audio import Samples, join
from basics.errors import Failure
from models.engine import Line, Options
from models.engines.hibari import LONGEST, Hibari, cut
from voices.voice import Voice

SENTENCES = (
    "The harbour was quiet when the first boats came in.",
    "She asked whether the train to York would stop at noon.",
    "Two hundred and forty people signed the letter.",
    "Please close the window before you leave the room.",
    "I never thought that it would rain for nine days.",
)


@pytest.fixture(scope="module")
def hibari(tmp_path_factory: pytest.TempPathFactory) -> Hibari:
    return Hibari.load(tmp_path_factory.mktemp("weights"), "cpu", "")


def spoken(hibari: Hibari, text: str, seed: int = 1, speed: float = 1.0) -> Samples:
    conditioning = hibari.prepare(Voice("heart", "preset", "heart"))
    return join(list(hibari.speak(Line("a", text, "en", conditioning, Options(), seed, speed))))


def test_speed_is_the_engines_own(hibari: Hibari) -> None:
    slow, plain, fast = (len(spoken(hibari, SENTENCES[0], speed=speed)) for speed in (0.5, 1.0, 2.0))
    assert slow > 1.6 * plain
    assert plain > 1.5 * fast


def test_the_pace_on_the_card_is_what_it_speaks_at(hibari: Hibari) -> None:
    seconds = sum(len(spoken(hibari, text)) for text in SENTENCES) / 24_000
    assert sum(map(len, SENTENCES)) / seconds == pytest.approx(Hibari.card.pace, rel=0.1)


def test_hearts_loudness_on_the_card_is_within_one_unit_of_what_is_measured(hibari: Hibari) -> None:
    sound = join([spoken(hibari, text) for text in SENTENCES])
    heart = Hibari.card.preset("heart")
    assert heart is not None
    assert pyloudnorm.Meter(24_000).integrated_loudness(sound.astype(np.float64)) == pytest.approx(
        heart.loudness, abs=1
    )


@pytest.mark.parametrize("text", ["🙂", "你好世界", "...", "—"])
def test_what_it_cannot_pronounce_is_refused_and_quoted(hibari: Hibari, text: str) -> None:
    with pytest.raises(Failure, match="invalid_input") as error:
        spoken(hibari, text)
    assert text in error.value.message


def test_a_long_run_without_commas_is_cut_between_words(hibari: Hibari) -> None:
    parts = cut("həlˈO " * 300 + "x" * 900)
    assert max(map(len, parts)) <= LONGEST
    assert "".join(parts).replace(" ", "") == "həlˈO" * 300 + "x" * 900
    assert len(spoken(hibari, "word " * 120)) > 24_000 * 20


def test_another_seed_is_another_reading_of_the_same_length(hibari: Hibari) -> None:
    one, other = spoken(hibari, "Good evening.", seed=1), spoken(hibari, "Good evening.", seed=2)
    assert len(one) == len(other)
    assert not np.array_equal(one, other)


def test_voices_that_nobody_fetched_are_missing_weights_and_say_how_to_get_them(hibari: Hibari) -> None:
    with pytest.raises(Failure, match=r"builder\.fetch_weights --model hibari") as error:
        hibari.prepare(Voice("emma", "preset", "emma"))
    assert error.value.code == "weights_missing"


def test_unknown_voices_and_clones_are_refused(hibari: Hibari) -> None:
    with pytest.raises(Failure, match="hibari has no voice `nobody`"):
        hibari.prepare(Voice("nobody", "preset", "n"))
    with pytest.raises(Failure, match="voice_unusable"):
        hibari.prepare(Voice("alice", "library", "a", samples=np.zeros(24_000, np.float32), rate=24_000))


def test_a_damaged_voice_file_is_named_instead_of_loaded(tmp_path: Path) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "bf_emma.int8.onnx").write_bytes(b"half a file")
    with pytest.raises(Failure, match="`emma` is damaged"):
        Hibari.load(tmp_path, "cpu", "")


def test_a_fetched_voice_speaks_by_its_own_file_and_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel's own network stands in for the British one, whose file cannot be shipped."""
    import hibari.tts  # type: ignore[import-untyped]
    from hibari.voices import VOICES as KNOWN  # type: ignore[import-untyped]

    network = (Path(hibari.tts.ASSETS) / "hibari.onnx").read_bytes()
    monkeypatch.setitem(KNOWN["emma"], "sha256", hashlib.sha256(network).hexdigest())
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "bf_emma.int8.onnx").write_bytes(network)
    engine = Hibari.load(tmp_path, "cpu", "")
    sounds = []
    for id in ("heart", "emma"):
        conditioning = engine.prepare(Voice(id, "preset", id))
        sounds.append(join(list(engine.speak(Line("a", "A bath in the past.", "en", conditioning, Options(), 1)))))
    assert len(sounds[0]) > 12_000
    assert not np.array_equal(sounds[0][:12_000], sounds[1][:12_000])
