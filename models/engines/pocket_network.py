"""Pocket TTS's network and the sums that are done with it: a voice into keys and values, text and noise into frames.

Upstream draws noise from the process's generator and decodes on two threads of its own. Here a line brings its
generator and everything runs on the caller's thread, so that lines can take turns and each sounds as it does alone.
Keeps no voice and no line. Torch is imported by whoever makes one.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]

from basics.audio import Samples, as_mono
from models.engine import Conditioning

TOKENS_PER_SECOND, SECONDS_MORE = 3.0, 2.0
"""How long upstream lets a part of the text last."""
FIRST_END = 6
"""Frames before which upstream believes no end."""
FADE = 200
"""The first 1/200 s of a part is faded in: a fresh decoder begins with a click, says upstream."""
TOKENS = 50
"""Of one part of the text, about; upstream's default."""
PROMPT_SECONDS = 30
"""Of a recording; upstream's own limit."""

Tensor = Any
State = dict[str, dict[str, Tensor]]
"""Upstream's: tensors by module and name."""


class Endless(Exception):
    """A part of the text that did not come to its end."""


class Network:
    def __init__(self, model: Any) -> None:
        """`model` is upstream's TTSModel."""
        import torch  # type: ignore[import-not-found,unused-ignore]
        from pocket_tts.data.audio_utils import end_on_pause  # type: ignore[import-not-found,unused-ignore]
        from pocket_tts.models import flow_lm, text_chunking  # type: ignore[import-not-found,unused-ignore]
        from pocket_tts.modules import stateful_module  # type: ignore[import-not-found,unused-ignore]

        self._torch, self._model, self._lm, self._mimi = torch, model, model.flow_lm, model.mimi
        self._end_on_pause, self._chunking, self._states = end_on_pause, text_chunking, stateful_module
        self._solve = {
            "lsd": flow_lm.lsd_decode,
            "flow_matching": flow_lm.ot_decode,
            "drifting": flow_lm.drifting_decode,
            "pointwise": flow_lm.pointwise_decode,
        }[model.flow_lm.flow_type]
        self.rate = int(model.sample_rate)
        self.frame = int(model.mimi.frame_size)
        """Samples."""

    @property
    def bytes(self) -> int:
        return sum(held.numel() * held.element_size() for held in self._model.state_dict().values())

    @property
    def clones(self) -> bool:
        """Weights published without cloning have nothing where a recording would come in."""
        return bool(self._lm.speaker_proj_weight.abs().sum() > 0)

    def parts(self, text: str) -> list[tuple[str, int]]:
        """The text as the network likes it, and how many frames upstream adds to each part. Raises ValueError."""
        config = self._model.config
        habits = (
            config.pad_with_spaces_for_short_inputs,
            config.remove_semicolons,
            config.append_terminal_punctuation,
            config.capitalize_first_letter,
            config.replace_characters,
        )
        cut = self._chunking.split_into_best_sentences(self._lm.conditioner.tokenizer, text, TOKENS, *habits)
        ready = [self._chunking.prepare_text_prompt(part, *habits) for part in cut]
        own = config.model_recommended_frames_after_eos
        return [(part, own if own is not None else guess + 2) for part, guess in ready]

    def heard(self, samples: Samples, rate: int) -> Conditioning:
        """What the network keeps of a recording: the keys and values of having heard it."""
        torch = self._torch
        sound = soxr.resample(samples[: PROMPT_SECONDS * rate], rate, self.rate)
        with torch.inference_mode():
            prompt = self._end_on_pause(torch.tensor(sound, dtype=torch.float32)[None], self.rate)
            latents = self._mimi.encode_to_latent(prompt[None].to(self._model.device)).to(torch.float32)
            prompt = torch.nn.functional.linear(latents, self._lm.speaker_proj_weight)
            if self._lm.insert_bos_before_voice:
                prompt = torch.cat([self._lm.bos_before_voice, prompt], dim=1)
            state = self._states.init_states(self._lm, batch_size=1, sequence_length=prompt.shape[1])
            self._read(state, prompt)
            return {
                f"{module}/{name}": held.cpu().numpy() for module, kept in state.items() for name, held in kept.items()
            }

    def fits(self, conditioning: Conditioning) -> bool:
        """Whether the arrays are of this network's make."""
        state = self._states.init_states(self._lm, batch_size=1, sequence_length=1)
        caches = {f"{module}/cache": held["cache"].shape for module, held in state.items()}
        return all(
            name in conditioning
            and conditioning[name].shape[:2] == shape[:2]
            and conditioning[name].shape[3:] == shape[3:]
            and f"{name.removesuffix('cache')}offset" in conditioning
            for name, shape in caches.items()
        )

    def speak(self, voice: Conditioning, part: str, after: int, knobs: Any, dice: Any) -> "Passage":
        return Passage(self, voice, part, after, knobs, dice)

    def dice(self, seed: int) -> Any:
        """A line's own generator."""
        return self._torch.Generator().manual_seed(seed)

    # What a passage is made with

    def begin(self, voice: Conditioning, part: str, knobs: Any, dice: Any) -> tuple[State, State, int]:
        """The language model's state once it has read the part, the decoder's, and the most frames it may take."""
        tokens = self._lm.conditioner.prepare(part)
        most = math.ceil((tokens.shape[1] / TOKENS_PER_SECOND + SECONDS_MORE) * self._mimi.frame_rate)
        state = self._copied(voice, tokens.shape[1] + most)
        self._read(state, self._lm.conditioner(tokens))
        self._noise(knobs, dice)  # upstream draws here too and uses it for nothing: the same seed is the same reading
        steps = most * int(self._mimi.encoder_frame_rate / self._mimi.frame_rate)
        return state, self._states.init_states(self._mimi, batch_size=1, sequence_length=steps), most

    def first(self) -> Tensor:
        return self._lm.bos_emb.view(1, 1, -1)

    def next(self, state: State, latent: Tensor, knobs: Any, dice: Any) -> tuple[Tensor, bool]:
        """The next frame's latent, and whether the text is over."""
        nothing = latent.new_empty((1, 0, self._lm.dim))
        out = self._lm.backbone(self._lm.input_linear(latent), nothing, latent, model_state=state)[:, -1]
        self._states.increment_steps(self._lm, state, 1)
        out = out.to(self._torch.float32)
        ends = bool(self._lm.out_eos(out).item() > knobs.eos_threshold)
        noise = self._noise(knobs, dice).to(out.device)
        return self._solve(partial(self._lm.flow_net, out), noise, knobs.decode_steps)[:, None], ends

    def decode(self, latents: list[Tensor], state: State) -> Samples:
        together = self._torch.cat(latents, dim=1) * self._lm.emb_std + self._lm.emb_mean
        sound = self._mimi.decode_from_latent(together, state)
        steps = int(self._mimi.encoder_frame_rate / self._mimi.frame_rate)
        self._states.increment_steps(self._mimi, state, steps * len(latents))
        return np.clip(as_mono(sound.cpu().numpy()), -1.0, 1.0)

    def computing(self) -> Any:
        return self._torch.inference_mode()

    def _read(self, state: State, embeddings: Tensor) -> None:
        silent = embeddings.new_empty((1, 0, self._lm.ldim))
        self._lm.backbone(self._lm.input_linear(silent), embeddings, silent, model_state=state)
        self._states.increment_steps(self._lm, state, embeddings.shape[1])

    def _noise(self, knobs: Any, dice: Any) -> Tensor:
        noise, spread = self._torch.empty((1, self._lm.ldim)), knobs.temperature**0.5
        if knobs.noise_clamp is None or spread == 0:
            return self._torch.nn.init.normal_(noise, 0.0, spread, generator=dice)
        limit = knobs.noise_clamp
        return self._torch.nn.init.trunc_normal_(noise, 0.0, spread, -limit, limit, generator=dice)

    def _copied(self, voice: Conditioning, more: int) -> State:
        """The voice's state with room for what is to come; the voice itself stays as it is."""
        torch = self._torch
        state: State = self._states.init_states(self._lm, batch_size=1, sequence_length=1)
        for module, held in state.items():
            heard = torch.tensor(voice[f"{module}/cache"])
            offset = int(np.asarray(voice[f"{module}/offset"]).reshape(-1)[0])
            held["cache"] = held["cache"].new_zeros((*heard.shape[:2], offset + more, *heard.shape[3:]))
            held["cache"][:, :, :offset] = heard[:, :, :offset]
            held["offset"] += offset
        return state


class Passage:
    """One part of a text being spoken, frame by frame."""

    def __init__(self, network: Network, voice: Conditioning, part: str, after: int, knobs: Any, dice: Any) -> None:
        self._network, self._knobs, self._dice, self._after = network, knobs, dice, after
        self._state, self._decoder, self._most = network.begin(voice, part, knobs, dice)
        self._latents = self._walk()
        self._faded = False
        self.over = False

    def take(self, most: int) -> Samples:
        """The sound of at most so many frames. Raises Endless when the part should long have ended."""
        latents: list[Tensor] = []
        while len(latents) < most and not self.over:
            latent = next(self._latents, None)
            self.over = latent is None
            latents += [] if latent is None else [latent]
        if not latents:
            return np.zeros(0, np.float32)
        return self._without_click(self._network.decode(latents, self._decoder))

    def _walk(self) -> Iterator[Tensor]:
        """Ends so many frames after the model says that the text is over; the frame it says it on counts as none."""
        latent, left = self._network.first(), None
        for number in range(self._most):
            latent, ends = self._network.next(self._state, latent, self._knobs, self._dice)
            if left is None and ends and number >= FIRST_END:
                left = self._after
            if left == 0:
                return
            left = None if left is None else left - 1
            yield latent
        raise Endless

    def _without_click(self, sound: Samples) -> Samples:
        if not self._faded:
            length = min(self._network.rate // FADE, len(sound))
            sound[:length] *= np.linspace(0, 1, self._network.rate // FADE, dtype=np.float32)[:length]
            self._faded = True
        return sound


def voice_file(path: Path) -> Conditioning:
    """A voice that upstream exported. Older files keep the place of the next key as an array's length."""
    from safetensors.numpy import load_file

    found: Conditioning = {}
    for name, array in load_file(path).items():
        module, _, kind = name.rpartition("/")
        if kind == "current_end":
            found[f"{module}/offset"] = np.array([array.shape[0]], np.int64)
        else:
            found[name] = array
    return found
