"""Makes a tiny random Pocket TTS in the layout of the real weights: `python -m tests.engines.tiny_pocket FOLDER`.

Upstream's own classes at a fraction of their size, so that its real loader reads it. It says nothing that anybody
would understand; what it says depends on the text, the voice and the seed, as it does at full size.
"""

import sys
from pathlib import Path
from typing import Any

LETTERS = "▁ abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'-…"
SEED = 20_260_113
CONFIG: dict[str, Any] = {
    "flow_lm": {
        "insert_bos_before_voice": True,
        "dtype": "float32",
        "flow": {"depth": 1, "dim": 16},
        "transformer": {"d_model": 32, "hidden_scale": 2, "max_period": 10_000, "num_heads": 2, "num_layers": 2},
        "lookup_table": {"dim": 32, "n_bins": len(LETTERS) + 1, "tokenizer": "tokenizers", "tokenizer_path": ""},
    },
    "mimi": {
        "dtype": "float32",
        "sample_rate": 24_000,
        "inner_dim": 8,
        "outer_dim": 16,
        "channels": 1,
        "frame_rate": 12.5,
        "seanet": {
            "dimension": 16,
            "channels": 1,
            "n_filters": 4,
            "n_residual_layers": 1,
            "ratios": [6, 5, 4],
            "kernel_size": 7,
            "residual_kernel_size": 3,
            "last_kernel_size": 3,
            "dilation_base": 2,
            "pad_mode": "constant",
            "compress": 2,
        },
        "transformer": {
            "d_model": 16,
            "num_heads": 2,
            "num_layers": 1,
            "layer_scale": 0.01,
            "context": 250,
            "dim_feedforward": 32,
            "input_dimension": 16,
            "output_dimensions": [16],
        },
        "quantizer": {"dimension": 8, "output_dimension": 16},
    },
    "replace_characters": {"’": "'", "‘": "'"},
}


def make(into: Path) -> Path:
    """The folder, with two voices made of two different noises."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    import yaml  # type: ignore[import-untyped,unused-ignore]
    from pocket_tts import TTSModel, export_model_state  # type: ignore[import-not-found,unused-ignore]
    from safetensors.torch import save_file

    place = into / "languages" / "english"
    (place / "embeddings").mkdir(parents=True)
    _tokenizer(place / "tokenizer.json")
    CONFIG["flow_lm"]["lookup_table"]["tokenizer_path"] = str(place / "tokenizer.json")
    (into / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = TTSModel.load_model(config=into / "config.yaml")
        with torch.no_grad():
            for parameter in model.flow_lm.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
            model.mimi.decoder.model[-1].conv.weight.mul_(2)
        save_file(model.state_dict(), place / "model.safetensors")
        for id in ("alba", "anna"):
            state = model.get_state_for_audio_prompt(torch.randn(1, 24_000) / 8)
            export_model_state(state, place / "embeddings" / f"{id}.safetensors")
    return into


def _tokenizer(path: Path) -> None:
    """One token a letter, with the space before a word that SentencePiece writes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = [("<unk>", 0.0), *((letter, -1.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(path))


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
