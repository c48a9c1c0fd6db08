"""Makes random Chatterbox weights in the published layout: `python -m tests.engines.tiny_chatterbox FOLDER [--full]`.

`FOLDER/english`, `multilingual` and `turbo` hold what upstream's three classes load, `conds.pt` included. They are
upstream's own classes, tiny unless `--full`. Sizes are constants in upstream's code, so tiny files are written and
loaded within `small()`; what was loaded works outside it. What they say depends on text, voice and noise, as at
full size: the heads are sharpened so that the likeliest token is clear, and the pitch lies where voices have it.
"""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.engines.shims import stand_ins

SEED = 20_261_121
KINDS = ("english", "multilingual", "turbo")
THINKS = dict(zip(KINDS, ("t3_cfg.safetensors", "t3_mtl23ls_v3.safetensors", "t3_turbo_v1.safetensors"), strict=True))
SINGS = dict(zip(KINDS, ("s3gen.safetensors", "s3gen.pt", "s3gen_meanflow.safetensors"), strict=True))
ENDS = 100
"""Tokens, four seconds, after which the lines of a model made alone end."""
WIDTH, LAYERS = 64, 2
PROMPT_TOKENS = 50
"""Of the voice in `conds.pt`: two seconds."""
TAGS = "[laugh] [chuckle] [gasp] [cough] [sigh] [groan] [sniff] [shush] [clear throat]".split("] ")
LANGUAGES = "ar da de el en es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh".split()
CANGJIE = ["今\tOIN", "天\tMK", "气\tOMN", "好\tVND", "我\tHQI", "去\tGI", "公\tCI", "园\tWMMU", "很\tMK"]
"""How some characters are typed; two of them by the same keys."""
TURBO_WORDS, TURBO_ALL = 50_257, 50_276
"""Of Turbo's tokenizer: GPT-2's, and with the tags."""


@contextlib.contextmanager
def nano() -> Iterator[None]:
    """Within `small()`: Turbo's sizes made Nano's, whose heads are as wide, fewer and in more layers here."""
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS  # type: ignore[import-not-found,unused-ignore]

    sizes = {"n_embd": WIDTH * 3 // 4, "hidden_size": WIDTH * 3 // 4, "n_head": 3, "n_layer": LAYERS + 1}
    with contextlib.ExitStack() as undo:
        _put(undo, LLAMA_CONFIGS, {"GPT2_medium": {**LLAMA_CONFIGS["GPT2_medium"], **sizes}})
        yield


def make(into: Path, *, full: bool = False, frames: int = 0, kinds: Sequence[str] = KINDS) -> Path:
    """The folder, with the models in it. Lines end after about so many `frames`, where that is not 0."""
    with contextlib.nullcontext() if full else small():
        for kind in kinds:
            _make(into / kind, kind, frames)
    return into


def english(into: Path, *, full: bool = False) -> Path:
    """One model, whose lines end by themselves, in the folder itself; so do the two below."""
    return _alone(into, "english", full)


def multilingual(into: Path, *, full: bool = False) -> Path:
    return _alone(into, "multilingual", full)


def turbo(into: Path, *, full: bool = False) -> Path:
    return _alone(into, "turbo", full)


def _alone(into: Path, kind: str, full: bool) -> Path:
    return make(into, full=full, frames=ENDS, kinds=[kind]) / kind


def upstream() -> Any:
    """All of it, over those of its modules that the engine itself imports."""
    from models.engines.chatterbox_upstream import lean

    with lean():
        from chatterbox.models import s3gen, voice_encoder  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
        from chatterbox.models.t3.inference import (  # type: ignore[import-not-found,unused-ignore]
            alignment_stream_analyzer,  # noqa: F401
        )
    with stand_ins():
        import chatterbox  # type: ignore[import-not-found,unused-ignore]
    return chatterbox


@contextlib.contextmanager
def small() -> Iterator[None]:
    """Upstream's sizes made tiny, in this process, until it is left."""
    upstream()
    from chatterbox.models.s3gen import s3gen  # type: ignore[import-not-found,unused-ignore]
    from chatterbox.models.t3 import llama_configs  # type: ignore[import-not-found,unused-ignore]
    from chatterbox.models.t3.inference import (  # type: ignore[import-not-found,unused-ignore]
        alignment_stream_analyzer as analyser,
    )
    from chatterbox.models.t3.modules import cond_enc  # type: ignore[import-not-found,unused-ignore]
    from s3tokenizer.model_v2 import S3TokenizerV2  # type: ignore[import-not-found,unused-ignore]

    configs = llama_configs.LLAMA_CONFIGS
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": WIDTH // 4}
    llama = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": LAYERS, **heads}
    gpt2 = {"n_embd": WIDTH, "hidden_size": WIDTH, "n_head": 4, "n_layer": LAYERS}
    hears = S3TokenizerV2.__init__.__defaults__[-1]
    with contextlib.ExitStack() as undo:
        _put(undo, configs, {"Llama_520M": {**configs["Llama_520M"], **llama}})
        _put(undo, configs, {"GPT2_medium": {**configs["GPT2_medium"], **gpt2}})
        _put(undo, vars(hears), {"n_audio_state": 64, "n_audio_head": 1, "n_audio_layer": 1})
        _shrink(undo, cond_enc, "Perceiver", pre_attention_query_size=WIDTH, embedding_dim=WIDTH)
        _shrink(undo, s3gen, "UpsampleConformerEncoder", num_blocks=1, attention_heads=2, linear_units=64)
        sizes = {"channels": [64], "n_blocks": 1, "num_mid_blocks": 1, "num_heads": 2, "attention_head_dim": 16}
        _shrink(undo, s3gen, "ConditionalDecoder", **sizes)
        _shrink(undo, s3gen, "HiFTGenerator", base_channels=32)
        _shrink(undo, s3gen, "CAMPPlus", growth_rate=4, init_channels=16)
        told = list(analyser.LLAMA_ALIGNED_HEADS)
        undo.callback(analyser.LLAMA_ALIGNED_HEADS.__setitem__, slice(None), told)
        analyser.LLAMA_ALIGNED_HEADS[:] = [(0, 0), (1, 1), (1, 2)]
        yield


def _put(undo: contextlib.ExitStack, into: dict[str, Any], values: Mapping[str, Any]) -> None:
    undo.callback(into.update, {name: into[name] for name in values})
    into.update(values)


def _shrink(undo: contextlib.ExitStack, module: Any, name: str, **sizes: Any) -> None:
    """The class as its module sees it, with some of its arguments given."""
    real = getattr(module, name)
    undo.callback(setattr, module, name, real)
    setattr(module, name, lambda *given, **named: real(*given, **{**named, **sizes}))


def _make(folder: Path, kind: str, frames: int) -> None:
    upstream()
    import torch  # type: ignore[import-not-found,unused-ignore]
    from chatterbox.models.s3gen import S3Gen  # type: ignore[import-not-found,unused-ignore]
    from chatterbox.models.voice_encoder import VoiceEncoder  # type: ignore[import-not-found,unused-ignore]
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED + KINDS.index(kind))
        hears, sings = VoiceEncoder(), _voiced(S3Gen(meanflow=kind == "turbo"))
        if kind == "multilingual":
            torch.save(hears.state_dict(), folder / "ve.pt")
            torch.save(sings.state_dict(), folder / SINGS[kind])
        else:
            save_file(_plain(hears), folder / "ve.safetensors")
            save_file(_plain(sings), folder / SINGS[kind])
        save_file(_plain(_thinker(kind, frames)), folder / THINKS[kind])
        torch.save(_voice(375 if kind == "turbo" else 150), folder / "conds.pt")
    if kind == "turbo":
        _bytes(folder)
    elif kind == "multilingual":
        (folder / "Cangjie5_TC.json").write_text(json.dumps(CANGJIE), encoding="utf-8")
        _letters(folder / "grapheme_mtl_merged_expanded_v1.json", [f"[{code}]" for code in LANGUAGES])
    else:
        _letters(folder / "tokenizer.json")


def _plain(module: Any) -> dict[str, Any]:
    return {name: tensor.contiguous().clone() for name, tensor in module.state_dict().items()}


def _voiced(sings: Any) -> Any:
    """A pitch around 150 Hz that follows the spectrum, and a loudness that speech has."""
    pitch = sings.mel2wav.f0_predictor.classifier
    pitch.weight.mul_(400)
    pitch.bias.fill_(150.0)
    sings.mel2wav.conv_post.bias[: sings.mel2wav.istft_params["n_fft"] // 2 + 1].fill_(1.2)
    return sings


def settings(kind: str) -> Any:
    """T3's, of one of the three."""
    from chatterbox.models.t3.modules.t3_config import T3Config  # type: ignore[import-not-found,unused-ignore]

    settings = T3Config.multilingual() if kind == "multilingual" else T3Config.english_only()
    if kind == "turbo":
        settings = T3Config(text_tokens_dict_size=TURBO_ALL)
        settings.llama_config_name, settings.speech_tokens_dict_size = "GPT2_medium", 6563
        settings.input_pos_emb, settings.speech_cond_prompt_len = None, 375
        settings.use_perceiver_resampler = settings.emotion_adv = False
    return settings


def _thinker(kind: str, frames: int) -> Any:
    from chatterbox.models.t3 import T3  # type: ignore[import-not-found,unused-ignore]

    thinker = T3(settings(kind))
    thinker.speech_head.weight.normal_(std=0.5)
    if thinker.dim == WIDTH:  # so that what is far off is heard too
        for name, weight in thinker.tfmr.named_parameters():
            weight.mul_(1 if weight.dim() == 1 or name == "wpe.weight" else 5)
    if kind != "turbo":
        thinker.cond_enc.emotion_adv_fc.weight.normal_()
    if frames:
        _tire(thinker, kind, frames)
    return thinker


def _tire(thinker: Any, kind: str, frames: int) -> None:
    """The further a line has come, the more its places say that it should end."""
    import torch

    places = thinker.tfmr.wpe.weight if kind == "turbo" else thinker.speech_pos_emb.emb.weight
    begin = 440 if kind == "turbo" else 0  # Turbo counts from the voice on
    end = torch.nn.functional.normalize(torch.randn(places.shape[1]), dim=0)
    tired = (torch.arange(len(places)) - begin - frames / 2).clamp(min=0) / frames
    places.add_(30 * tired.clamp(max=2)[:, None] * end)
    thinker.speech_head.weight[6562] = 8 * end
    thinker.speech_head.weight[17] = 6 * end  # said twice, it ends what the multilingual model's guard holds on to


def _voice(tokens: int) -> dict[str, Any]:
    """Somebody's conditionals, as upstream saves them."""
    import torch
    import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

    thinks = {
        "speaker_emb": F.normalize(torch.randn(1, 256).relu(), dim=1),
        "clap_emb": None,
        "cond_prompt_speech_tokens": torch.randint(0, 6561, (1, tokens)),
        "cond_prompt_speech_emb": None,
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    sounds = {
        "prompt_token": torch.randint(0, 6561, (1, PROMPT_TOKENS)),
        "prompt_token_len": torch.tensor([PROMPT_TOKENS]),
        "prompt_feat": torch.randn(1, 2 * PROMPT_TOKENS, 80) - 5,
        "prompt_feat_len": None,
        "embedding": torch.randn(1, 192),
    }
    return {"t3": thinks, "gen": sounds}


def _letters(path: Path, more: list[str] | None = None) -> None:
    """One token a letter, numbered as the published ones number what upstream names."""
    from tokenizers import Tokenizer, models

    special = ["[STOP]", "[UNK]", "[SPACE]", *(more or [])]
    names = [*special, *(chr(code) for code in range(33, 127))]
    vocabulary = {name: number for number, name in enumerate([*names, *(f"[x{n}]" for n in range(len(names), 255))])}
    tokenizer = Tokenizer(models.BPE(vocab={**vocabulary, "[START]": 255}, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[START]", *special])
    tokenizer.save(str(path))


def _bytes(folder: Path) -> None:
    """One token a byte, and Turbo's tags where they are."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found,unused-ignore]

    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    names += [f"<x{number}>" for number in range(len(names), TURBO_WORDS - 1)]
    vocabulary = {name: number for number, name in enumerate([*names, "<|endoftext|>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tags = [tag.removesuffix("]") + "]" for tag in TAGS]
    tags += [f"[tag {number}]" for number in range(len(tags), TURBO_ALL - TURBO_WORDS)]
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in tags])
    end = "<|endoftext|>"
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, bos_token=end, model_max_length=8196)
    fast.save_pretrained(folder)


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), full="--full" in sys.argv))
