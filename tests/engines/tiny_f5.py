"""Makes a random F5-TTS in the layout of the real weights: `python -m tests.engines.tiny_f5 FOLDER [--full]`.

Upstream's own classes at a fraction of their size, or at full size, saved as upstream saves them. It says nothing
that anybody would understand; what it says depends on text, voice and seed, as it does in the real one.
"""

import sys
from pathlib import Path
from typing import Any

SEED = 20_260_201
TINY = {"dim": 64, "depth": 2, "heads": 2, "dim_head": 32, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
FULL = {"dim": 1024, "depth": 22, "heads": 16, "ff_mult": 2, "text_dim": 512, "conv_layers": 4}
VOCOS = """feature_extractor:
  class_path: vocos.feature_extractors.MelSpectrogramFeatures
  init_args: {{sample_rate: 24000, n_fft: 1024, hop_length: 256, n_mels: 100, padding: center}}
backbone:
  class_path: vocos.models.VocosBackbone
  init_args: {{input_channels: 100, dim: {dim}, intermediate_dim: {inner}, num_layers: {layers}}}
head:
  class_path: vocos.heads.ISTFTHead
  init_args: {{dim: {dim}, n_fft: 1024, hop_length: 256, padding: center}}
"""
LOUDNESS = 1.5
"""Added to the head's magnitudes, so that random sound is about as loud as speech."""


def make(into: Path, full: bool = False, **habits: Any) -> Path:
    """The folder. `habits` are upstream's own words for what releases differ in."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    from safetensors.torch import save_file

    place = into / "F5TTS_v1_Base"
    place.mkdir(parents=True)
    (place / "vocab.txt").write_text(shipped_vocabulary().read_text(encoding="utf-8"), encoding="utf-8")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        held = upstream(FULL if full else TINY, **habits).state_dict()
        save_file({f"ema_model.{name}": tensor.contiguous() for name, tensor in held.items()}, _released(place))
        _vocoder(into / "vocos", full)
    return into


def upstream(sizes: dict[str, Any], **habits: Any) -> Any:
    """Upstream's CFM around upstream's transformer, with the mask that its batches need."""
    import warnings

    import torch

    from models.engines.shims import stand_ins

    with stand_ins():
        from f5_tts.model import CFM, DiT  # type: ignore[import-not-found,unused-ignore]
        from f5_tts.model.utils import get_tokenizer  # type: ignore[import-not-found,unused-ignore]

    tokens, count = get_tokenizer(str(shipped_vocabulary()), "custom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = DiT(**sizes, **habits, attn_mask_enabled=True, text_num_embeds=count, mel_dim=100)
    for parameter in network.parameters():  # upstream starts training with zeros, which would say nothing
        if not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.05)
    mels = {"n_fft": 1024, "hop_length": 256, "win_length": 1024, "n_mel_channels": 100, "mel_spec_type": "vocos"}
    return CFM(transformer=network, mel_spec_kwargs=mels, vocab_char_map=tokens).eval()


def shipped_vocabulary() -> Path:
    from importlib.util import find_spec

    package = find_spec("f5_tts")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "infer" / "examples" / "vocab.txt"


def _released(place: Path) -> Path:
    return place / "model_1250000.safetensors"


def _vocoder(place: Path, full: bool) -> None:
    import torch

    from models.engines.shims import stand_ins

    with stand_ins():
        from vocos import Vocos  # type: ignore[import-not-found,unused-ignore]

    place.mkdir()
    sizes = {"dim": 512, "inner": 1536, "layers": 8} if full else {"dim": 32, "inner": 64, "layers": 2}
    (place / "config.yaml").write_text(VOCOS.format(**sizes))
    vocos = Vocos.from_hparams(str(place / "config.yaml"))
    with torch.no_grad():
        vocos.head.out.bias[:513] += LOUDNESS
    torch.save(vocos.state_dict(), place / "pytorch_model.bin")


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), full="--full" in sys.argv))
