"""The thinking half of XTTS v2: text becomes tokens of sound, about 21 a second, and what the network meant by each.

    thinker = Thinker(tensors(folder / "model.pth"), Habits.read(folder), "cpu", torch.float32)
    decoder = thinker.decoder(room=8)
    thinker.join(decoder, "a", ids, conditioning, Knobs(0.75, 50, 0.85, penalty=10.0), seed=1, limit=602)
    said = decoder.prefill(["a"])["a"]; thinker.latents(said.hidden)    # see models/runtime/decoder.py

What is sung is not the token but the meaning that it was drawn from, a latent; upstream computes these anew from all
tokens when a line is over, here they are kept as they come. It knows no letters and no sound.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray

from basics.errors import Failure
from models.engine import Conditioning
from models.engines.xtts_weights import Habits
from models.runtime.cache import Cache
from models.runtime.decoder import Decoder
from models.runtime.gpt2 import GPT2
from models.runtime.moment import Moment
from models.runtime.sampler import Knobs

Tensor = Any

FILLER = 1
"""Stands for text and voice where upstream counts what was said: its penalty falls on this token too."""
VOICE = 32
"""Latents of a voice."""


class Thinker:
    def __init__(self, tensors: Mapping[str, Tensor], habits: Habits, device: str, dtype: Any) -> None:
        """`tensors`: as published. Of the voice's part nothing is taken."""
        self.habits, self._device, self._dtype = habits, device, dtype
        inner = {name.removeprefix("gpt.gpt."): each for name, each in tensors.items() if name.startswith("gpt.gpt.")}
        self._network = GPT2(inner, habits.heads, device, dtype)
        self._tensors = {name: tensors[f"gpt.{name}"].to(device, dtype) for name in _NAMES}
        self._norm = [tensors[f"gpt.final_norm.{side}"].to(device, torch.float32) for side in ("weight", "bias")]
        if len(self._tensors["mel_pos_embedding.emb.weight"]) < habits.tokens:
            raise LookupError("fewer places than tokens")
        self.width = int(self._tensors["mel_embedding.weight"].shape[1])
        counted = (*(each for name, each in inner.items() if name.startswith(("h.", "ln_f."))), *self._tensors.values())
        self.bytes = sum(each.numel() for each in counted) * int(torch.empty(0, dtype=dtype).element_size())

    def decoder(self, room: int) -> Decoder:
        """For so many lines at once."""
        network, habits = self._network, self.habits
        longest = -(-(VOICE + habits.signs + 2 + habits.tokens) // 64) * 64
        return Decoder(
            network,
            self._embed,
            self._heads,
            Cache(network.layers, network.key_heads, network.head_width, room, longest, self._device, self._dtype),
            words=len(self._tensors["mel_head.weight"]),
            stops=(habits.stop,),
            frames=habits.tokens,
            hidden=self.width,
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def join(
        self,
        decoder: Decoder,
        id: str,
        ids: Sequence[int],
        conditioning: Conditioning,
        knobs: Knobs,
        seed: int,
        limit: int,
    ) -> None:
        """A place for a line whose text is `ids`. Raises NoRoom, or a Failure for a text that is too long."""
        if len(ids) - 2 >= self.habits.signs:
            most = self.habits.signs - 1
            message = f"The text is {len(ids) - 2} signs long, and XTTS v2 reads {most} at a time; send shorter lines."
            raise Failure("invalid_input", message, field="text")
        voice = torch.from_numpy(np.array(conditioning["gpt_cond_latent"], np.float32)).reshape(-1, self.width)
        text = self._tensors["text_embedding.weight"][list(ids)]
        text = text + self._tensors["text_pos_embedding.emb.weight"][: len(ids)]
        begin = self._embed(torch.full((1, 1), self.habits.begin), torch.zeros(1, dtype=torch.long))
        prefix = torch.cat([voice.to(self._device, self._dtype), text, begin])
        decoder.join(id, [prefix], knobs, seed, limit, heard=(FILLER, self.habits.begin))

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def latents(self, hidden: NDArray[np.float32]) -> Tensor:
        """`[tokens, width]`, of what the decoder gave for each token and for the stop."""
        return self._normed(torch.from_numpy(hidden).to(self._device))

    def _embed(self, tokens: Tensor, frames: Tensor) -> Tensor:
        return (
            self._tensors["mel_embedding.weight"][tokens[:, 0]] + self._tensors["mel_pos_embedding.emb.weight"][frames]
        )

    def _heads(self, hidden: Tensor, moment: Moment) -> Tensor:
        normed = self._normed(hidden.float()).to(self._dtype)
        logits = F.linear(normed, self._tensors["mel_head.weight"], self._tensors["mel_head.bias"])
        return moment.draw(logits)[:, None]

    def _normed(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], *self._norm)


_NAMES = (
    "mel_embedding.weight",
    "mel_head.bias",
    "mel_head.weight",
    "mel_pos_embedding.emb.weight",
    "text_embedding.weight",
    "text_pos_embedding.emb.weight",
)
