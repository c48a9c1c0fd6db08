"""XTTS v2 against upstream's own inference over the same tiny random weights, its sampler forced to the likeliest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.audio import Samples
from models.engine import Conditioning
from models.engines.xtts import Xtts, XttsOptions
from models.runtime.sampler import Knobs
from tests.engines import tiny_xtts
from tests.engines.xtts_lines import TEXTS, alone, apart, line, recording

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

STEPS = 200
CLOSE = 1e-4
"""Two tokens that are so nearly alike may be taken either way, and all that follows is another line."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_xtts.make(tmp_path_factory.mktemp("weights") / "xtts-v2", frames=2 * STEPS)


@pytest.fixture(scope="module")
def xtts(folder: Path) -> Xtts:
    return Xtts.load(folder, "cpu", "")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return tiny_xtts.upstream(folder, loaded=True)


def tensors(voice: Conditioning) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(each) for name, each in voice.items()}


def theirs_tokens(
    model: Any, text: str, language: str, voice: Conditioning, penalty: float
) -> tuple[list[int], list[float]]:
    """And by how much each was likelier than the next."""
    import torch

    ids = torch.IntTensor(model.tokenizer.encode(text.strip().lower(), lang=language))[None]
    with torch.inference_mode():
        said, told = model.gpt.generate(
            cond_latents=tensors(voice)["gpt_cond_latent"],
            text_inputs=ids,
            do_sample=False,
            repetition_penalty=penalty,
            max_new_tokens=STEPS,
            return_dict_in_generate=True,
            output_scores=True,
        )
    gaps = [float(scores[0].topk(2).values.diff().abs()) for scores in told.scores]
    return said[0].tolist(), gaps


def our_tokens(xtts: Xtts, text: str, language: str, voice: Conditioning, penalty: float) -> list[int]:
    thinker = xtts._parts.thinker
    decoder = thinker.decoder(1)
    ids = xtts._parts.reader.ids(text, language)
    thinker.join(decoder, "a", ids, voice, Knobs(0.0, penalty=penalty), 1, STEPS)
    said = [*decoder.prefill(["a"])["a"].tokens[:, 0], *decoder.decode({"a": STEPS})["a"].tokens[:, 0]]
    return [int(token) for token in said] + [tiny_xtts.STOP] * decoder.rows["a"].stopped


def test_the_likeliest_tokens_are_upstreams(xtts: Xtts, theirs: Any) -> None:
    compared, ties = 0, 0
    for number, (text, language) in enumerate(TEXTS[:4]):
        voice, penalty = line(xtts, number).conditioning, (10.0, 1.0, 3.0)[number % 3]
        expected, gaps = theirs_tokens(theirs, text, language, voice, penalty)
        said = our_tokens(xtts, text, language, voice, penalty)
        end = next((step for step, gap in enumerate(gaps) if gap < CLOSE), len(expected))
        ties += end < len(expected)
        compared += end
        assert said[:end] == expected[:end], number
        assert end < len(expected) or len(said) == len(expected)
    assert ties <= 1
    assert compared > 2 * STEPS


@pytest.mark.parametrize(("number", "speed"), [(0, 1.0), (3, 1.3), (5, 0.7), (6, 2.0)])
def test_a_line_sounds_as_upstreams_does(folder: Path, number: int, speed: float, short: tuple[Xtts, Any]) -> None:
    xtts, theirs = short
    options = XttsOptions(temperature=0.0)
    given = line(xtts, number, options=options, speed=speed)
    expected = upstreams(theirs, *TEXTS[number], given.conditioning, speed)
    sound = alone(xtts, given, (11, 40))
    assert expected.std() > 0.01
    assert apart(sound, expected) < 1e-3


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Xtts, Any]:
    """Both, over weights whose lines end."""
    folder = tiny_xtts.make(tmp_path_factory.mktemp("short") / "xtts-v2", frames=60)
    return Xtts.load(folder, "cpu", ""), tiny_xtts.upstream(folder, loaded=True)


def upstreams(model: Any, text: str, language: str, voice: Conditioning, speed: float) -> Samples:
    parts = tensors(voice)
    told = model.inference(
        text, language, parts["gpt_cond_latent"], parts["speaker_embedding"], do_sample=False, speed=speed
    )
    sound: Samples = told["wav"]
    return sound


@pytest.mark.parametrize("seconds", [3.0, 4.2, 11.0])
def test_what_it_conditions_on_is_upstreams(xtts: Xtts, theirs: Any, seconds: float) -> None:
    """A recording of 4.2 s ends in a piece that is too short to count."""
    import torch

    voice = recording(1, seconds, rate=22_050)
    sound = torch.from_numpy(voice.samples)[None]
    latents = theirs.get_gpt_cond_latents(sound.clone(), 22_050, length=30, chunk_length=4).numpy()
    embedding = theirs.get_speaker_embedding(sound.clone(), 22_050).numpy()
    found = xtts.prepare(voice)
    assert found["gpt_cond_latent"].shape == latents.shape
    assert np.abs(found["gpt_cond_latent"] - latents).max() < 1e-4
    assert np.abs(found["speaker_embedding"] - embedding).max() < 1e-5


def test_a_language_is_read_as_upstream_reads_it(xtts: Xtts, theirs: Any) -> None:
    for text, language in (*TEXTS, ("你好，12 世界。", "zh"), ("안녕하세요 12", "ko"), ("مرحبا بكم.", "ar")):
        expected = theirs.tokenizer.encode(text.strip().lower(), lang=language)
        start, *ids, stop = xtts._parts.reader.ids(text, language)
        assert ids == expected
        assert (start, stop) == (theirs.args.gpt_start_text_token, theirs.args.gpt_stop_text_token)
