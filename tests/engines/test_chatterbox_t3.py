"""Chatterbox's thinking half against upstream's own, over tiny random weights in the published layout."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from basics.errors import Failure
from models.engine import Conditioning
from models.engines import chatterbox_t3 as t3
from models.engines.chatterbox_t3 import Style, Thinker
from models.runtime.decoder import Decoder
from models.runtime.sampler import Knobs
from tests.engines import tiny_chatterbox

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

STEPS = 200
CLOSE = 1e-4
"""Two likeliest nearer to each other than this may change places."""
ENGLISH = Knobs(0.0, min_p=0.05, penalty=1.2)
MULTILINGUAL = Knobs(0.0, min_p=0.05, penalty=1.2)
MULTILINGUAL_V2 = Knobs(0.0, min_p=0.05, penalty=2.0)
TURBO = Knobs(0.0, top_k=1000, top_p=0.95, penalty=1.2)
TEXTS = ("Good evening.", "A much longer sentence, with more words in it than the first!", "Yes?")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_chatterbox.make(tmp_path_factory.mktemp("weights") / "chatterbox")


@pytest.fixture(scope="module")
def english(weights: Path) -> Thinker:
    return load(weights / "english" / "t3_cfg.safetensors", t3.ENGLISH)


@pytest.fixture(scope="module")
def multilingual(weights: Path) -> Thinker:
    """Its second version, which is guarded; the files are alike."""
    return load(weights / "multilingual" / tiny_chatterbox.THINKS["multilingual"], t3.MULTILINGUAL_V2)


@pytest.fixture(scope="module")
def turbo(weights: Path) -> Thinker:
    return load(weights / "turbo" / "t3_turbo_v1.safetensors", t3.TURBO)


def load(file: Path, kind: t3.Kind, dtype: str = "fp32") -> Thinker:
    with tiny_chatterbox.small():
        return Thinker.load(file, "cpu", dtype, kind)


def voice(folder: Path) -> Conditioning:
    kept = torch.load(folder / "conds.pt", weights_only=True)["t3"]
    return {f"t3.{name}": each.numpy() for name, each in kept.items() if each is not None}


def ids(text: str, turbo: bool = False) -> list[int]:
    return [*text.encode()] if turbo else [255, *(3 + byte % 90 for byte in text.encode()), 0]


def say(decoder: Decoder, wanted: dict[str, int] | None = None) -> dict[str, list[int]]:
    """Everything, turn by turn, of all aboard."""
    said = {id: each.tokens[:, 0].tolist() for id, each in decoder.prefill(list(decoder.rows)).items()}
    while left := [id for id, row in decoder.rows.items() if not row.done]:
        for id, each in decoder.decode(dict.fromkeys(left, 11)).items():
            said[id] += each.tokens[:, 0].tolist()
    return said


def alone(thinker: Thinker, **line: Any) -> list[int]:
    decoder = thinker.decoder(1)
    thinker.join(decoder, "a", **line)
    return say(decoder)["a"]


@contextmanager
def likeliest() -> Iterator[list[float]]:
    """Upstream with its draws replaced by the likeliest; how far that was ahead of the next."""
    leads: list[float] = []

    def take(shares: Any, num_samples: int) -> Any:
        best = torch.log(shares).topk(2, dim=-1).values[0]
        leads.append(float(best[0] - best[1]))
        return shares.argmax(dim=-1, keepdim=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "multinomial", take)
        yield leads


def upstream(folder: Path, sizes: AbstractContextManager[None] | None = None) -> Any:
    from chatterbox.models.t3 import T3  # type: ignore[import-not-found,unused-ignore]

    with tiny_chatterbox.small(), sizes or nullcontext():
        net = T3(tiny_chatterbox.settings(folder.name))
        net.load_state_dict(load_file(next(folder.glob("t3_*.safetensors"))))
    return net.eval()


def thought(net: Any, folder: Path, text: list[int], exaggeration: float, steps: int, **knobs: Any) -> list[int]:
    """What upstream's own inference says."""
    from chatterbox.models.t3.modules.cond_enc import T3Cond  # type: ignore[import-not-found,unused-ignore]

    kept = torch.load(folder / "conds.pt", weights_only=True)["t3"]
    cond = T3Cond(
        speaker_emb=kept["speaker_emb"],
        cond_prompt_speech_tokens=kept["cond_prompt_speech_tokens"],
        emotion_adv=exaggeration * torch.ones(1, 1, 1),
    )
    if folder.name == "turbo":
        found = net.inference_turbo(t3_cond=cond, text_tokens=torch.tensor([text]), max_gen_len=steps - 1, **knobs)
    else:
        with tiny_chatterbox.small():
            both = torch.tensor([text, text])
            found = net.inference(t3_cond=cond, text_tokens=both, max_new_tokens=steps, **knobs)
    return [token for token in found[0].tolist() if token != t3.STOP]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("exaggeration", "cfg"), [(0.5, 0.5), (1.2, 0.3)])
def test_english_says_what_upstream_says(
    weights: Path, english: Thinker, text: str, exaggeration: float, cfg: float
) -> None:
    folder = weights / "english"
    compare(upstream(folder), english, folder, text, ENGLISH, Style(exaggeration, cfg))


@pytest.mark.parametrize("text", TEXTS)
def test_multilingual_says_what_upstream_says_and_ends_where_it_does(
    weights: Path, multilingual: Thinker, text: str
) -> None:
    folder = weights / "multilingual"
    compare(upstream(folder), multilingual, folder, text, MULTILINGUAL_V2)


@pytest.mark.parametrize("text", TEXTS)
def test_the_third_multilingual_says_what_upstream_says_without_its_analyser(weights: Path, text: str) -> None:
    folder = weights / "multilingual"
    net = upstream(folder)
    net.hp.__class__ = type("Unwatched", (type(net.hp),), {"is_multilingual": False})
    compare(net, load(folder / tiny_chatterbox.THINKS["multilingual"], t3.MULTILINGUAL), folder, text, MULTILINGUAL)


def test_nano_says_what_upstream_says(tmp_path: Path) -> None:
    with tiny_chatterbox.small(), tiny_chatterbox.nano():
        folder = tiny_chatterbox.make(tmp_path / "made", full=True, kinds=["turbo"]) / "turbo"
    nano = load(folder / tiny_chatterbox.THINKS["turbo"], t3.TURBO)
    compare(upstream(folder, tiny_chatterbox.nano()), nano, folder, TEXTS[0], TURBO)


@pytest.mark.parametrize("text", TEXTS)
def test_turbo_says_what_upstream_says(weights: Path, turbo: Thinker, text: str) -> None:
    compare(upstream(weights / "turbo"), turbo, weights / "turbo", text, TURBO)


def compare(net: Any, thinker: Thinker, folder: Path, text: str, knobs: Knobs, style: Style | None = None) -> None:
    """Upstream's `net` with its draws forced, and ours over the same weights."""
    style, turbo = style or Style(), folder.name == "turbo"
    given = ids(text, turbo)
    told = {"temperature": 0.8, "top_p": knobs.top_p, "repetition_penalty": knobs.penalty}
    told |= {"top_k": knobs.top_k} if turbo else {"cfg_weight": style.guidance, "min_p": knobs.min_p}
    with likeliest() as leads:
        theirs = thought(net, folder, given, style.exaggeration, STEPS, **told)
    line = {"ids": given, "conditioning": voice(folder), "style": style, "knobs": knobs, "seed": 1, "limit": STEPS}
    same(alone(thinker, **line), theirs, leads)


def same(ours: list[int], theirs: list[int], leads: list[float]) -> None:
    """Up to where upstream's two likeliest are too close to tell which is."""
    end = next((at for at, lead in enumerate(leads) if lead < CLOSE), len(leads))
    print(f"compared {end} of {len(theirs)}, {end < len(leads)} tie")
    assert end >= min(len(theirs), STEPS // 2)
    assert ours[:end] == theirs[:end]
    if end == len(leads):
        assert len(ours) == len(theirs)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_eight_ragged_lines_say_what_each_says_alone(weights: Path, dtype: str) -> None:
    english = load(weights / "english" / "t3_cfg.safetensors", t3.ENGLISH, dtype)
    lines = {
        f"line{number}": {
            "ids": ids("Good evening, and welcome to all of you." * (1 + number % 3))[: 9 + 11 * number],
            "conditioning": louder(voice(weights / "english"), number),
            "style": Style(0.3 + 0.1 * number, (0.0, 0.5, 0.8)[number % 3]),
            "knobs": Knobs(0.8 if number % 2 else 0.0, min_p=0.05, top_p=(1.0, 0.9)[number % 4 == 1], penalty=1.2),
            "seed": number,
            "limit": 20 + 7 * number,
        }
        for number in range(8)
    }
    decoder = english.decoder(8)
    for id, line in lines.items():
        english.join(decoder, id, **line)
    assert say(decoder) == {id: alone(english, **line) for id, line in lines.items()}


def louder(given: Conditioning, number: int) -> Conditioning:
    """Another voice."""
    return {**given, "t3.speaker_emb": given["t3.speaker_emb"] * (1 + number)}


def test_a_line_without_guidance_takes_one_place_and_says_what_the_network_alone_says(
    weights: Path, english: Thinker
) -> None:
    decoder = english.decoder(1)
    given = {"ids": ids("Good evening."), "conditioning": voice(weights / "english"), "knobs": ENGLISH, "seed": 1}
    english.join(decoder, "a", style=Style(guidance=0.0), limit=30, **given)
    assert decoder.free == 1
    nearly = alone(english, style=Style(guidance=1e-6), limit=30, **given)
    assert say(decoder)["a"] == nearly != alone(english, style=Style(guidance=6.0), limit=30, **given)


def test_no_line_ends_before_two_tokens_that_can_be_heard(weights: Path) -> None:
    tensors = load_file(weights / "english" / "t3_cfg.safetensors")
    head = tensors["speech_head.weight"]
    head[t3.STOP] = head.mean(dim=0) + 40 * head.std() * torch.sign(head[7])
    with tiny_chatterbox.small():
        tired = Thinker(tensors, t3.ENGLISH, "cpu", torch.float32)
    given = {"ids": ids("Yes?"), "conditioning": voice(weights / "english"), "limit": 60}
    for seed in range(5):
        said = alone(tired, style=Style(), knobs=Knobs(5.0), seed=seed, **given)
        assert sum(token < t3.VALID for token in said) >= 2


def test_a_line_changes_neither_the_voice_nor_the_network(weights: Path, multilingual: Thinker) -> None:
    given = voice(weights / "multilingual")
    kept = {name: each.copy() for name, each in given.items()}
    line = {
        "ids": ids("Good evening."),
        "conditioning": given,
        "style": Style(1.5),
        "knobs": MULTILINGUAL_V2,
        "seed": 1,
    }
    first, again = (alone(multilingual, limit=40, **line) for _ in range(2))
    assert first == again
    assert all((given[name] == kept[name]).all() for name in kept)


def test_a_text_of_one_sign_is_no_trouble_to_the_guard(weights: Path, multilingual: Thinker) -> None:
    given = {"conditioning": voice(weights / "multilingual"), "style": Style(), "knobs": MULTILINGUAL_V2, "seed": 1}
    assert len(alone(multilingual, ids=[255, 40, 0], limit=60, **given)) >= 2


def test_a_text_that_is_too_long_says_so(weights: Path, english: Thinker) -> None:
    given = {"conditioning": voice(weights / "english"), "style": Style(), "knobs": ENGLISH, "seed": 1}
    with pytest.raises(Failure, match="send shorter lines"):
        english.join(english.decoder(1), "a", ids=[255] * 513, **given)


def test_unknown_precisions_are_named(weights: Path) -> None:
    with pytest.raises(Failure, match="DTYPE"):
        Thinker.load(weights / "english" / "t3_cfg.safetensors", "cpu", "int3", t3.ENGLISH)


@pytest.mark.parametrize(("dtype", "least"), [("fp16", 20), ("int8", 2)])
def test_narrow_weights_say_nearly_what_exact_ones_say(weights: Path, english: Thinker, dtype: str, least: int) -> None:
    narrow = load(weights / "english" / "t3_cfg.safetensors", t3.ENGLISH, dtype)
    given = {"conditioning": voice(weights / "english"), "style": Style(), "knobs": ENGLISH, "seed": 1, "limit": 60}
    agreed = []
    for text in TEXTS:
        exact, nearly = (alone(thinker, ids=ids(text), **given) for thinker in (english, narrow))
        agreed.append(
            next((at for at, (one, other) in enumerate(zip(exact, nearly, strict=False)) if one != other), 60)
        )
    assert sorted(agreed)[1] >= least


@pytest.mark.parametrize(("kind", "file"), [(t3.ENGLISH, "english"), (t3.TURBO, "turbo")])
def test_narrow_weights_take_less_memory(weights: Path, kind: t3.Kind, file: str) -> None:
    held = {
        dtype: load(weights / file / tiny_chatterbox.THINKS[file], kind, dtype) for dtype in ("fp32", "fp16", "int8")
    }
    products = {dtype: thinker._network.bytes for dtype, thinker in held.items()}
    assert held["fp32"].bytes > held["fp16"].bytes > held["int8"].bytes
    assert products["int8"] < products["fp16"] < products["fp32"]


def test_a_card_is_not_asked_for_what_only_a_cpu_has(weights: Path) -> None:
    with pytest.raises(Failure, match=r"DTYPE.*fp32, bf16, fp16, not `int8`"):
        Thinker.load(weights / "english" / "t3_cfg.safetensors", "cuda", "int8", t3.ENGLISH)
