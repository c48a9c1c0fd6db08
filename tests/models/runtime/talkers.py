"""Small random language models with heads of their own, for tests of the decoder."""

from collections.abc import Mapping
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]

from models.runtime.cache import Cache
from models.runtime.decoder import Decoder
from models.runtime.gpt2 import GPT2
from models.runtime.llama import Llama, LlamaShape, Stretch
from models.runtime.moment import Moment
from models.runtime.sampler import Knobs

WIDTH, HEADS, WORDS, STOP = 32, 4, 50, 49
FRAMES, CAPACITY = 60, 128
STRETCH = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def published(kind: str, **more: Any) -> Any:
    """One of transformers' own models, random."""
    import transformers  # type: ignore[import-not-found,unused-ignore]

    torch.manual_seed(3)
    if kind == "gpt2":
        config = transformers.GPT2Config(
            n_embd=WIDTH, n_head=HEADS, n_layer=3, vocab_size=WORDS, n_positions=512, resid_pdrop=0, attn_pdrop=0
        )
        return _livened(transformers.GPT2Model(config))
    names = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}
    config = getattr(transformers, names[kind] + "Config")(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        head_dim=WIDTH // HEADS,
        vocab_size=WORDS,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        rope_theta=10_000.0,
        **more,
    )
    return _livened(getattr(transformers, names[kind] + "Model")(config))


def _livened(model: Any) -> Any:
    """Weights of transformers' own beginning say nearly the same of anything."""
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each) * 0.15)
    return model.eval()


def ours(kind: str, model: Any, stretch: bool = False, kept: str = "") -> Llama | GPT2:
    if kind == "gpt2":
        return GPT2(model.state_dict(), HEADS, "cpu", torch.float32, kept=kept)
    long = Stretch(8.0, 1.0, 4.0, 64) if stretch else None
    return Llama(model.state_dict(), LlamaShape(HEADS, 2, stretch=long), "cpu", torch.float32, kept)


def cache(network: Llama | GPT2, slots: int, capacity: int = CAPACITY) -> Cache:
    return Cache(network.layers, network.key_heads, network.head_width, slots, capacity, "cpu")


class Talker:
    """Says a word a frame; what it says depends on all it has heard."""

    def __init__(self, kind: str = "llama") -> None:
        self.network = ours(kind, published(kind))
        generator = torch.Generator().manual_seed(11)
        self.table = torch.randn(WORDS, WIDTH, generator=generator)
        self.places = torch.randn(FRAMES + 1, WIDTH, generator=generator)
        self.head = torch.randn(WORDS, WIDTH, generator=generator) * 0.3
        self.head[STOP] = 0.05

    def embed(self, tokens: Any, frames: Any) -> Any:
        return self.table[tokens[:, 0]] + self.places[frames]

    def heads(self, hidden: Any, moment: Moment) -> Any:
        return moment.draw(moment.guided(hidden @ self.head.T))[:, None]

    def decoder(self, slots: int = 8, stops: tuple[int, ...] = (STOP,), **more: Any) -> Decoder:
        kept = cache(self.network, slots)
        return Decoder(self.network, self.embed, self.heads, kept, words=WORDS, stops=stops, frames=FRAMES, **more)

    def prefix(self, seed: int, length: int) -> Any:
        return torch.randn(length, WIDTH, generator=torch.Generator().manual_seed(seed))

    def line(self, seed: int, length: int, knobs: Knobs | None = None, **more: Any) -> dict[str, Any]:
        """What `join` wants of a row, but its name."""
        prefix = [self.prefix(seed, length)]
        if more.get("guidance"):
            prefix.append(self.prefix(seed + 1000, length))
        return {"prefix": prefix, "knobs": knobs or Knobs(0.0), "seed": seed, "limit": FRAMES, **more}


def alone(talker: Talker, line: Mapping[str, Any], **more: Any) -> list[int]:
    decoder = talker.decoder(2, **more)
    decoder.join("a", **line)
    said = decoder.prefill(["a"])["a"].tokens[:, 0].tolist()
    while not decoder.rows["a"].done:
        said += decoder.decode({"a": 7})["a"].tokens[:, 0].tolist()
    return said
