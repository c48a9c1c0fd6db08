"""Makes a random XTTS v2 in the layout of the real weights: `python -m tests.engines.tiny_xtts FOLDER [--full]`.

Upstream's own classes at a fraction of their size, or at full size, saved as upstream saves them. Tiny files are made,
and loaded by upstream, within `small()`. What they say depends on text, voice and seed, as it does in the real ones:
heads are sharpened so that the likeliest token is clear, and nothing is left at the zeros that training starts from.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.engines.shims import stand_ins

SEED = 20_261_121
WIDTH, HEADS, LAYERS = 64, 4, 2
FULL_WIDTH, FULL_HEADS, FULL_LAYERS = 1024, 16, 30
BEGIN, STOP = 1024, 1025
SIGNS, FULL_SIGNS = 600, 6681
SPEAKERS = ("Claribel Dervla", "Alma María", "Eugenio Mataracı")
LANGUAGES = "en es fr de it pt pl tr ru nl cs ar zh-cn hu ko ja hi".split()


def make(into: Path, full: bool = False, frames: int = 60) -> Path:
    """The folder. Lines end after about so many `frames`, where that is not 0."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    into.mkdir(parents=True, exist_ok=True)
    vocabulary(into / "vocab.json", FULL_SIGNS if full else SIGNS)
    settings = config(full)
    settings.save_json(str(into / "config.json"))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        model = upstream(into, full)
        _enlivened(model, full, frames)
        torch.save({"model": model.state_dict(), "config": settings.to_dict()}, into / "model.pth")
        width = FULL_WIDTH if full else WIDTH
        voices = {name: _voice(width) for name in SPEAKERS}
    torch.save(voices, into / "speakers_xtts.pth")
    return into


def config(full: bool = False) -> Any:
    """Upstream's settings, as released but for the sizes."""
    with stand_ins():
        from TTS.tts.configs.xtts_config import (  # type: ignore[import-not-found,unused-ignore]
            XttsArgs,
            XttsConfig,
        )

    width = FULL_WIDTH if full else WIDTH
    args = XttsArgs(
        gpt_layers=FULL_LAYERS if full else LAYERS,
        gpt_n_model_channels=width,
        gpt_n_heads=FULL_HEADS if full else HEADS,
        decoder_input_dim=width,
        gpt_use_perceiver_resampler=True,
        gpt_number_text_tokens=FULL_SIGNS if full else SIGNS,
        gpt_num_audio_tokens=1026,
        gpt_start_audio_token=BEGIN,
        gpt_stop_audio_token=STOP,
        gpt_max_audio_tokens=605,
        gpt_max_text_tokens=402,
    )
    return XttsConfig(model_args=args, gpt_cond_len=30, gpt_cond_chunk_len=4, max_ref_len=30)


@contextlib.contextmanager
def small(full: bool = False) -> Iterator[None]:
    """Sizes that upstream's settings do not reach made tiny, in this process, until it is left."""
    with stand_ins():
        from TTS.tts.layers.xtts import hifigan_decoder  # type: ignore[import-not-found,unused-ignore]

    real = {name: getattr(hifigan_decoder, name) for name in ("HifiganGenerator", "ResNetSpeakerEncoder")}

    def generator(*given: Any, **named: Any) -> Any:
        sizes = list(given)
        sizes[6] = 32  # channels of the first stage, halved by each
        return real["HifiganGenerator"](*sizes, **named)

    def encoder(**named: Any) -> Any:
        return real["ResNetSpeakerEncoder"](**named, num_filters=[8, 8, 16, 16], layers=[1, 2, 1, 1])

    try:
        if not full:
            hifigan_decoder.HifiganGenerator, hifigan_decoder.ResNetSpeakerEncoder = generator, encoder
        yield
    finally:
        for name, each in real.items():
            setattr(hifigan_decoder, name, each)


def upstream(folder: Path, full: bool = False, loaded: bool = False) -> Any:
    """Upstream's model: with numbers of its own, or with those of the folder."""
    with stand_ins():
        from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # type: ignore[import-not-found,unused-ignore]
        from TTS.tts.models.xtts import Xtts  # type: ignore[import-not-found,unused-ignore]

    settings = config(full)
    with small(full):
        model = Xtts(settings)
        if loaded:
            model.load_checkpoint(settings, checkpoint_dir=str(folder), eval=True)
            return model
        model.tokenizer = VoiceBpeTokenizer(vocab_file=str(folder / "vocab.json"))
        model.init_models()
    return model


def _enlivened(model: Any, full: bool, frames: int) -> None:
    gpt = model.gpt
    gpt.mel_head.weight.normal_(std=1.0 if full else 0.5)
    gpt.text_embedding.weight.normal_(std=0.05)
    model.mel_stats.copy_(model.mel_stats.normal_().abs() + 2)
    for name, weight in gpt.conditioning_encoder.named_parameters():
        if "proj_out" in name:
            weight.normal_(std=0.1)
    if not full:  # so that what is far off is heard too
        for weight in gpt.gpt.h.parameters():
            weight.mul_(1 if weight.dim() == 1 else 5)
    for name, buffer in model.hifigan_decoder.speaker_encoder.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        if name.endswith("running_var"):
            buffer.copy_(1 + buffer.normal_(std=0.1).abs())
    _louder(model.hifigan_decoder.waveform_decoder)
    if frames:
        _tire(gpt, frames)


def _louder(generator: Any) -> None:
    """As loud as speech, and more of it from latents and voice than from the layers' own constants."""
    import torch

    for name, weight in generator.named_parameters():
        if name.endswith("bias"):
            weight.mul_(0.1)
        if name.startswith("ups") and name.endswith("original0"):
            weight.mul_(4)
    latents, voice = torch.randn(1, generator.conv_pre.in_channels, 40), torch.randn(1, 512, 1) / 512**0.5
    sound = generator.eval()(latents, g=voice)
    generator.conv_post.weight.mul_(0.2 / sound.std())


def _tire(gpt: Any, frames: int) -> None:
    """The further a line has come, the more its places say that it should end."""
    import torch

    places = gpt.mel_pos_embedding.emb.weight
    end = torch.nn.functional.normalize(torch.randn(places.shape[1]), dim=0)
    tired = (torch.arange(len(places)) - frames / 2).clamp(min=0) / frames
    places.add_(30 * tired.clamp(max=2)[:, None] * end)
    gpt.mel_head.weight[STOP] = 8 * end
    gpt.mel_head.bias[STOP] = -20.0


def _voice(width: int) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]

    embedding = F.normalize(torch.randn(1, 512), dim=1)[:, :, None]
    return {"gpt_cond_latent": torch.randn(1, 32, width), "speaker_embedding": embedding}


def vocabulary(path: Path, size: int) -> None:
    """One token a letter."""
    from tokenizers import Tokenizer, models

    signs = ["[STOP]", "[UNK]", "[SPACE]", *(f"[{language}]" for language in LANGUAGES), "[START]"]
    ranges = ((33, 127), (0xC0, 0x180), (0x430, 0x450), (0x627, 0x64B))
    letters = [chr(code) for first, last in ranges for code in range(first, last)]
    names = [*signs, *letters]
    names += [f"[x{number}]" for number in range(len(names), size)]
    tokenizer = Tokenizer(models.BPE(vocab={name: at for at, name in enumerate(names)}, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(signs)
    tokenizer.save(str(path))
    assert len(json.loads(path.read_text("utf-8"))["model"]["vocab"]) == size


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), full="--full" in sys.argv))
