"""The sound half of Chatterbox: speech tokens become 24 kHz sound in the voice of a conditioning.

    sound = Sound.load(folder / "s3gen.safetensors", "cpu", "fp32")
    row = sound.begin(conditioning, seed, Knobs())
    row.add(tokens)                          # as they come; `last=True` with the last of them
    if row.offer: sound.flow([(row, row.offer[0]), ...])        # tokens into frames, many rows at once
    if row.frames: samples = sound.vocode([row, ...])           # frames into sound, one array a row
    row.over                                 # until then

Rows of different voices, prompts and lengths share a pass and do not hear each other. It knows no text and no T3.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found,unused-ignore]
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode  # type: ignore[import-not-found,unused-ignore]

from basics.audio import Samples
from basics.errors import Failure
from models.engine import Conditioning
from models.engines.chatterbox_flow import MEL, Window, flow
from models.engines.chatterbox_noise import Noise, dice
from models.engines.chatterbox_row import AHEAD, FRAMES, HELD_FRAMES, Knobs, Prompt, Row
from models.engines.chatterbox_upstream import lean
from models.engines.chatterbox_vocoder import FRAME, RATE, Stretch, Voiced, vocode

Tensor = Any

CONTEXT_TOKENS = 50
"""Before a chunk, two seconds, that are drawn again with it from the same noise. Holding them to what was heard, as
a prompt is, put random networks further from the whole pass, with a step at the border."""
LOOK_BACK_FRAMES = 16
"""What the vocoder hears again of what it has said: 12 bring its layers to where they were."""
FADE = 2 * FRAME
"""Samples at a line's beginning: half of them silent, half faded in, as upstream does against remains of the prompt."""
STEPS, STEPS_TURBO = 10, 2
PRECISIONS = {"": "float32", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
COMPUTED = {"tokenizer._mel_filters", "tokenizer.window"}
"""What upstream computes as it builds the network, and publishes in some of the files."""
SILENCE = 4299
"""A token of silence; three of them end what Turbo says."""


class Sound:
    rate = RATE

    def __init__(self, net: Any) -> None:
        """`net` is upstream's S3Gen."""
        self.net = net
        self.device = str(net.device)
        rise = (1 - torch.cos(torch.linspace(0, torch.pi, FRAME))) / 2
        self._limits = torch.cat([torch.zeros(FRAME), rise]).to(self.device)

    @classmethod
    def load(cls, file: Path, device: str, dtype: str = "fp32") -> Self:
        """Of `s3gen.safetensors`, `s3gen.pt` or Turbo's `s3gen_meanflow.safetensors`. `dtype` is the flow's: without
        one it is fp32, whose products a card from Ampere on rounds to TF32."""
        if dtype not in PRECISIONS:
            raise Failure("misconfigured", f"DTYPE: Chatterbox's flow comes in {', '.join(PRECISIONS)}, not `{dtype}`.")
        with lean():
            from chatterbox.models.s3gen import S3Gen  # type: ignore[import-not-found,unused-ignore]

        try:
            with Unset():
                net = S3Gen(meanflow="meanflow" in file.name)
            missing, _ = net.load_state_dict(_read(file), strict=False)
        except (SafetensorError, RuntimeError, OSError, ValueError, pickle.UnpicklingError) as error:
            message = f"Chatterbox's {file.name} cannot be read; delete it and fetch it again."
            raise Failure("weights_missing", message) from error
        if set(missing) - COMPUTED:
            raise Failure("weights_missing", f"Chatterbox's {file.name} lacks some of the network; fetch it again.")
        net.to(device).eval()
        if not dtype and device.startswith("cuda"):
            # For the whole process, as cuDNN has it for convolutions anyway. DTYPE=fp32 is exact.
            torch.backends.cuda.matmul.allow_tf32 = True
        net.flow.decoder.estimator.to(getattr(torch, PRECISIONS[dtype]))
        return cls(net)

    @property
    def turbo(self) -> bool:
        return bool(self.net.meanflow)

    @property
    def tail(self) -> tuple[int, ...]:
        """Tokens to be added behind a line's last."""
        return (SILENCE,) * 3 if self.turbo else ()

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def begin(self, conditioning: Conditioning, seed: int, knobs: Knobs | None = None) -> Row:
        knobs = knobs or Knobs()
        harmonics = self.net.mel2wav.nb_harmonics + 1
        phases = torch.rand(harmonics, generator=dice(seed, 3, self.device), device=self.device)
        phases = (2 * phases - 1) * torch.pi
        phases[0] = 0.0
        return Row(
            prompt=self._prompt(conditioning, seed),
            steps=knobs.steps or (STEPS_TURBO if self.turbo else STEPS),
            guidance=0.0 if self.turbo else knobs.guidance,
            whole=knobs.whole,
            noise=Noise(seed, 0, MEL, 1, self.device),
            hiss=Noise(seed, 2, harmonics, FRAME, self.device),
            phases=phases,
            turns=torch.zeros(harmonics, dtype=torch.float64, device=self.device),
            mel=torch.zeros(MEL, 0, device=self.device),
            source=torch.zeros(0, device=self.device),
            over_now=torch.zeros(0, device=self.device),
        )

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def flow(self, work: Sequence[tuple[Row, int]]) -> None:
        """So many tokens of each row into frames, of which `row.frames` then tells. Where it fails no row has moved."""
        made: list[tuple[Row, int, Tensor]] = []
        for steps in sorted({row.steps for row, _ in work}):
            mine = [(row, size) for row, size in work if row.steps == steps]
            mels = flow(self.net.flow, [_window(row, size) for row, size in mine], steps)
            made += [(row, size, mel) for (row, size), mel in zip(mine, mels, strict=True)]
        for row, size, mel in made:
            _keep(row, size, mel)

    @torch.inference_mode()  # type: ignore[untyped-decorator,unused-ignore]
    def vocode(self, rows: Sequence[Row]) -> list[Samples]:
        """The sound of the frames that each row has; joined, a row's are its line."""
        voiced = vocode(self.net.mel2wav, [_stretch(row) for row in rows])
        sounds = [self._sound(row, each) for row, each in zip(rows, voiced, strict=True)]
        together = torch.cat(sounds).cpu().numpy().astype(np.float32)
        return np.split(together, np.cumsum([len(each) for each in sounds])[:-1])

    def _prompt(self, conditioning: Conditioning, seed: int) -> Prompt:
        tokens = torch.from_numpy(np.array(conditioning["gen.prompt_token"], np.int64).reshape(-1))
        mel = torch.from_numpy(np.array(conditioning["gen.prompt_feat"], np.float32).reshape(-1, MEL))
        speaker = torch.from_numpy(np.array(conditioning["gen.embedding"], np.float32).reshape(1, -1))
        length = min(len(tokens), int(conditioning["gen.prompt_token_len"].reshape(-1)[0]), len(mel) // FRAMES)
        projected = self.net.flow.spk_embed_affine_layer(F.normalize(speaker.to(self.device), dim=1))
        noise = torch.randn(MEL, FRAMES * length, generator=dice(seed, 1, self.device), device=self.device)
        mel = mel[: FRAMES * length].T.contiguous().to(self.device)
        return Prompt(tokens[:length].to(self.device), mel, projected[0], noise)

    def _sound(self, row: Row, voiced: Voiced) -> Tensor:
        """What goes out now; the row moves on to behind it."""
        back = row.source.shape[0] // FRAME
        final = FRAMES * row.done - row.voiced
        ends = row.last and row.done == len(row.tokens)
        held = 0 if ends else HELD_FRAMES * FRAME
        kept = row.over_now.shape[0]
        sound = voiced.sound[back * FRAME - kept : (back + final) * FRAME].clone()
        if kept:
            rise = torch.linspace(0, 1, kept, device=sound.device)
            sound[:kept] = sound[:kept] * rise + row.over_now * (1 - rise)
        at = row.voiced * FRAME - kept
        if at < FADE:
            limits = self._limits[at:][: len(sound)]
            sound[: len(limits)] *= limits
        end = (back + final) * FRAME
        row.source = voiced.source[max(0, end - LOOK_BACK_FRAMES * FRAME) : end].clone()
        row.turns = voiced.turns[:, back + final - 1].clone()
        row.voiced += final
        row.over_now = sound[len(sound) - held :]
        _forget(row)
        unheard = min(row.surplus, len(row.tokens) - 1) * FRAMES * FRAME if ends else 0
        return sound[: len(sound) - held - unheard]


def _window(row: Row, size: int) -> Window:
    """The prompt, what comes before the chunk, the chunk and what is known of what follows."""
    start, end = _start(row), min(len(row.tokens), row.done + size + AHEAD)
    noise = row.noise.frames(FRAMES * start, FRAMES * end)
    return Window(row.prompt, row.tokens[start:end], noise, row.guidance)


def _keep(row: Row, size: int, mel: Tensor) -> None:
    before = row.mel[:, : FRAMES * row.done - row.first]
    row.mel = torch.cat([before, mel[:, FRAMES * (row.done - _start(row)) :]], dim=1)
    row.done += size
    row.chunks += 1


def _start(row: Row) -> int:
    return max(0, row.done - CONTEXT_TOKENS)


def _stretch(row: Row) -> Stretch:
    start = row.voiced - row.source.shape[0] // FRAME
    end = row.first + row.mel.shape[1]
    noise = row.hiss.frames(row.voiced, end)
    return Stretch(row.mel[:, start - row.first :], row.source, noise, row.phases, row.turns)


def _forget(row: Row) -> None:
    """What no later chunk looks back at."""
    needed = max(0, row.voiced - LOOK_BACK_FRAMES)
    row.mel, row.first = row.mel[:, needed - row.first :].clone(), needed
    row.hiss.let_go(row.voiced)
    row.noise.let_go(FRAMES * _start(row))


class Unset(TorchFunctionMode):  # type: ignore[misc,unused-ignore]
    """Networks are built without drawing the numbers that are loaded over: seconds of a cold start."""

    _DRAWS = frozenset(getattr(torch.Tensor, name) for name in ("normal_", "uniform_"))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self._DRAWS:
            return args[0]
        return func(*args, **(kwargs or {}))


def _read(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    return dict(torch.load(file, map_location="cpu", weights_only=True, mmap=True))
