"""The thinking half of Chatterbox: text becomes speech tokens, 25 of them a second, in the voice of a conditioning.

    thinker = Thinker.load(folder / "t3_cfg.safetensors", "cpu", "fp32", ENGLISH)
    decoder = thinker.decoder(room=8)
    thinker.join(decoder, "a", ids, conditioning, Style(), Knobs(0.8, min_p=0.05, penalty=1.2), seed=1, limit=1000)
    decoder.prefill(["a"]); decoder.decode({"a": 25})    # see models/runtime/decoder.py

Reads the published weights without upstream's classes, which keep a voice on the model and fail without guidance.
It knows no letters and no sound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]
from safetensors.torch import load_file

from basics.errors import Failure
from models.engine import Conditioning
from models.engines import chatterbox_guard
from models.engines.chatterbox_upstream import lean
from models.runtime.cache import Cache
from models.runtime.decoder import Decoder
from models.runtime.gpt2 import GPT2
from models.runtime.llama import Llama, LlamaShape, Stretch
from models.runtime.moment import Moment
from models.runtime.narrow import NARROW, product, weigh
from models.runtime.sampler import Knobs, Sampler

Tensor = Any

VALID, BEGIN, STOP = 6561, 6561, 6562
"""Speech tokens are below the first; the others begin and end them."""
LEAST = 2
"""Valid tokens, under which nothing can be made of a line."""
FRAMES = 1000
"""Upstream's own limit: 40 s."""
TEXT = 512
"""Signs of a text, for which there is always a place."""
PERCEIVER_HEADS = 4
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Kind:
    """In what the models differ."""

    llama: bool = True
    order: tuple[str, ...] = ("penalty", "temperature", "min_p", "nucleus")
    heard: tuple[int, ...] = (BEGIN,)
    """What the repetition penalty counts from the start."""
    begins: int = 2
    """How often the first token stands before what is said."""
    penalty: float = 1.2
    """Against saying the same again, where a line does not say."""
    guard: bool = False
    surplus: int = 0
    """Tokens at a line's end that are noise."""


ENGLISH = Kind()
MULTILINGUAL = Kind(surplus=1)
MULTILINGUAL_V2 = Kind(penalty=2.0, guard=True)
TURBO = Kind(llama=False, order=("temperature", "nucleus", "penalty"), heard=(), begins=1)


@dataclass(frozen=True, slots=True)
class Style:
    exaggeration: float = 0.5
    guidance: float = 0.5
    """0 needs no mate, and costs half."""


class Thinker:
    def __init__(self, tensors: Mapping[str, Tensor], kind: Kind, device: str, dtype: Any, kept: str = "") -> None:
        """`tensors`: as published, on any device. `kept`: how the network's products keep their weights, where not in
        `dtype` (models/runtime/narrow.py)."""
        self.kind, self._device, self._dtype = kind, device, dtype
        inner = {name.removeprefix("tfmr."): each for name, each in tensors.items() if name.startswith("tfmr.")}
        self._network, self._watched = _network(inner, kind, device, dtype, kept)
        outer = {name: each for name, each in tensors.items() if not name.startswith(("tfmr.", "text_head."))}
        self._tensors = {name: each.to(device, dtype, copy=True) for name, each in outer.items()}
        self._head = product(self._tensors.pop("speech_head.weight"), self._tensors.pop("speech_head.bias", None))
        self.words = len(tensors["speech_head.weight"])
        self.bytes = self._network.bytes + weigh(self._head, *self._tensors.values())

    @classmethod
    def load(cls, file: Path, device: str, dtype: str, kind: Kind) -> Self:
        """`dtype` is one of `PRECISIONS`; on a CPU those of `NARROW` are the weights' alone."""
        narrow = dtype in NARROW and device == "cpu"
        if not narrow and dtype not in PRECISIONS:
            able = ", ".join(dict.fromkeys((*PRECISIONS, *(NARROW if device == "cpu" else ()))))
            raise Failure("misconfigured", f"DTYPE: on this device Chatterbox comes in {able}, not `{dtype}`.")
        precise = torch.float32 if narrow else PRECISIONS[dtype]
        return cls(load_file(file, device=device), kind, device, precise, dtype if narrow else "")

    def decoder(self, room: int, frames: int = FRAMES) -> Decoder:
        """For so many lines at once, each with a mate where the model is guided."""
        network = self._network
        longest = -(-(self._voice_length + TEXT + self.kind.begins + frames) // 64) * 64
        slots = 2 * room if self.kind.llama else room
        cache = Cache(network.layers, network.key_heads, network.head_width, slots, longest, self._device, self._dtype)
        return Decoder(
            network,
            self._embed,
            self._heads,
            cache,
            words=self.words,
            stops=(STOP,),
            frames=frames,
            sampler=Sampler(self.kind.order),
            watched=self._watched,
            extra={"valid": torch.zeros((), dtype=torch.long), **(chatterbox_guard.state() if self.kind.guard else {})},
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def join(
        self,
        decoder: Decoder,
        id: str,
        ids: Sequence[int],
        conditioning: Conditioning,
        style: Style,
        knobs: Knobs,
        seed: int,
        limit: int = FRAMES,
    ) -> None:
        """A place for a line whose text is `ids`. Raises NoRoom, or a Failure for a text that is too long."""
        if len(ids) > TEXT:
            message = f"The text is {len(ids)} signs long, and Chatterbox reads {TEXT} at a time; send shorter lines."
            raise Failure("invalid_input", message, field="text")
        voice = self._voice(conditioning, style.exaggeration)
        begin = self._embed(torch.full((1, 1), BEGIN, device=self._device), torch.zeros(1, dtype=torch.long))
        guided = self.kind.llama and style.guidance > 0
        text = [self._text(ids, silent) for silent in (False, True)[: 1 + guided]]
        decoder.join(
            id,
            [torch.cat([voice, each, *[begin] * self.kind.begins]) for each in text],
            knobs,
            seed,
            limit,
            guidance=style.guidance if guided else 0.0,
            heard=self.kind.heard,
            extra=chatterbox_guard.told(len(voice), len(ids)) if self.kind.guard else None,
        )

    @property
    def _voice_length(self) -> int:
        query = self._tensors.get("cond_enc.perceiver.pre_attention_query")
        return 2 + query.shape[1] if query is not None else 376

    def _embed(self, tokens: Tensor, frames: Tensor) -> Tensor:
        made = self._tensors["speech_emb.weight"][tokens[:, 0]]
        places = self._tensors.get("speech_pos_emb.emb.weight")
        return made if places is None else made + places[frames]

    def _heads(self, hidden: Tensor, moment: Moment) -> Tensor:
        logits = moment.guided(self._head(hidden))
        valid = moment.kept("valid")
        if self.kind.guard:
            logits = chatterbox_guard.guarded(logits, moment, STOP, valid >= LEAST)
        logits[:, STOP] = torch.where(valid < LEAST, -torch.inf, logits[:, STOP])
        tokens = moment.draw(logits)
        moment.keep("valid", valid + (tokens < VALID))
        return tokens[:, None]

    def _text(self, ids: Sequence[int], silent: bool) -> Tensor:
        read = self._tensors["text_emb.weight"][list(ids)]
        places = self._tensors.get("text_pos_emb.emb.weight")
        read = torch.zeros_like(read) if silent else read
        return read if places is None else read + places[: len(ids)]

    def _voice(self, conditioning: Conditioning, exaggeration: float) -> Tensor:
        """`[length, width]`: who speaks, how they sound, and how moved they are."""
        tensors = self._tensors
        speaker = torch.from_numpy(np.array(conditioning["t3.speaker_emb"], np.float32)).reshape(1, -1)
        heard = torch.from_numpy(np.array(conditioning["t3.cond_prompt_speech_tokens"], np.int64)).reshape(-1)
        who = F.linear(self._here(speaker), tensors["cond_enc.spkr_enc.weight"], tensors["cond_enc.spkr_enc.bias"])
        sound = self._embed(heard.to(self._device)[:, None], torch.arange(len(heard)))
        parts = [who, self._perceived(sound)]
        if "cond_enc.emotion_adv_fc.weight" in tensors:
            moved = self._here(torch.tensor([[exaggeration]]))
            parts.append(F.linear(moved, tensors["cond_enc.emotion_adv_fc.weight"]))
        return torch.cat(parts)

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._device, self._dtype)

    def _perceived(self, sound: Tensor) -> Tensor:
        """What a fixed number of questions find out about a recording of any length."""
        asks = self._tensors.get("cond_enc.perceiver.pre_attention_query")
        if asks is None:
            return sound
        found = self._asked(asks[0], sound)
        return self._asked(found, found)

    def _asked(self, asks: Tensor, of: Tensor) -> Tensor:
        weights, biases = (
            {name: self._tensors[f"cond_enc.perceiver.attn.{name}.{side}"] for name in _PERCEIVER}
            for side in ("weight", "bias")
        )
        asked, heard = (F.layer_norm(x, x.shape[-1:], weights["norm"], biases["norm"]) for x in (asks, of))
        query, key, value = (
            F.linear(x, weights[name], biases[name]).unflatten(-1, (PERCEIVER_HEADS, -1)).transpose(0, 1)[None]
            for name, x in (("to_q", asked), ("to_k", heard), ("to_v", heard))
        )
        found = F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).flatten(1)
        return asks + F.linear(found, weights["proj_out"], biases["proj_out"])


_PERCEIVER = ("norm", "to_q", "to_k", "to_v", "proj_out")


def _network(
    tensors: Mapping[str, Tensor], kind: Kind, device: str, dtype: Any, kept: str
) -> tuple[Llama | GPT2, Sequence[tuple[int, int]]]:
    """And the heads that listen to the text. What the weights do not tell are constants in upstream's code."""
    with lean():
        from chatterbox.models.t3.inference import (  # type: ignore[import-not-found,unused-ignore]
            alignment_stream_analyzer as analyser,
        )
        from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS  # type: ignore[import-not-found,unused-ignore]

    if not kind.llama:
        shape = LLAMA_CONFIGS["GPT2_medium"]
        heads = tensors["ln_f.weight"].shape[0] * shape["n_head"] // shape["n_embd"]  # Nano's are as wide, and fewer
        return GPT2(tensors, heads, device, dtype, shape["layer_norm_epsilon"], kept), ()
    shape = LLAMA_CONFIGS["Llama_520M"]
    scaling = shape["rope_scaling"]
    stretch = Stretch(
        scaling["factor"],
        scaling["low_freq_factor"],
        scaling["high_freq_factor"],
        scaling["original_max_position_embeddings"],
    )
    heads, keys = shape["num_attention_heads"], shape["num_key_value_heads"]
    llama = LlamaShape(heads, keys, shape["rope_theta"], shape["rms_norm_eps"], stretch)
    network = Llama(tensors, llama, device, dtype, kept)
    return network, tuple(analyser.LLAMA_ALIGNED_HEADS) if kind.guard else ()
