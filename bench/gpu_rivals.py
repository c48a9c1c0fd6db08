"""Upstream's own code saying the same lines, one after the other, as its own commands do: audio seconds a second."""

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.engine import Line
from models.engines.f5_weights import checkpoint, find

Rival = Callable[[Path, str, Sequence[Line]], float]


def f5(folder: Path, device: str, lines: Sequence[Line]) -> float:
    """In half precision on a card, as upstream loads it, with as many frames as our lines have."""
    import torch  # type: ignore[import-not-found,unused-ignore]

    from models.engines.f5 import RATE
    from models.engines.f5_deck import passage
    from models.engines.f5_network import Sizes
    from models.engines.f5_weights import vocabulary
    from models.engines.shims import stand_ins
    from tests.engines import tiny_f5

    with stand_ins():
        from f5_tts.model.utils import convert_char_to_pinyin  # type: ignore[import-not-found,unused-ignore]
        from vocos import Vocos  # type: ignore[import-not-found,unused-ignore]

    files = find(folder)
    held = checkpoint(files.checkpoint)
    full = Sizes.read(held).width == tiny_f5.FULL["dim"]
    network = tiny_f5.upstream(tiny_f5.FULL if full else tiny_f5.TINY)
    network.load_state_dict({f"transformer.{name}": tensor for name, tensor in held.items()}, strict=False)
    network = network.to(device, torch.float16 if device.startswith("cuda") else torch.float32)
    vocos = Vocos.from_hparams(str(files.vocoder / "config.yaml")).eval().to(device)
    tokens = vocabulary(files.vocabulary)

    def say() -> float:
        seconds = 0.0
        for line in lines:
            mels, frames = line.conditioning["mels"], passage(line, tokens).frames
            text = bytes(line.conditioning["transcript"]).decode() + line.text
            made, _ = network.sample(
                cond=torch.from_numpy(mels)[None].to(device),
                text=convert_char_to_pinyin([text]),
                duration=frames,
                steps=32,
                cfg_strength=2.0,
                sway_sampling_coef=-1.0,
            )
            seconds += vocos.decode(made[:, len(mels) :].float().mT).cpu().shape[-1] / RATE
        return seconds

    return _rate(say)


def xtts(folder: Path, device: str, lines: Sequence[Line]) -> float:
    """In single precision, as upstream loads it; its files are read by us, since upstream may write them anew."""
    import torch

    from models.engines.xtts_vocoder import RATE
    from models.engines.xtts_weights import MODEL, tensors
    from tests.engines import tiny_xtts

    held = tensors(folder / MODEL)
    model = tiny_xtts.upstream(folder, held["gpt.mel_embedding.weight"].shape[1] == tiny_xtts.FULL_WIDTH)
    model.load_state_dict(held, strict=False)
    model.to(device).eval()

    def say() -> float:
        seconds = 0.0
        for line in lines:
            voice = {name: torch.from_numpy(each).to(device) for name, each in line.conditioning.items()}
            seconds += len(model.inference(line.text, line.language, **voice)["wav"]) / RATE
        return seconds

    return _rate(say)


def chatterbox(folder: Path, device: str, lines: Sequence[Line]) -> float:
    """`ChatterboxTTS.generate` with its defaults, in the voice of the weights; unmarked, as our lines are."""
    from models.engines.shims import stand_ins

    with stand_ins():
        from chatterbox.tts import ChatterboxTTS  # type: ignore[import-not-found,unused-ignore]
    return _generating(ChatterboxTTS, folder, device, lines)


def chatterbox_turbo(folder: Path, device: str, lines: Sequence[Line]) -> float:
    from models.engines.shims import stand_ins

    with stand_ins():
        from chatterbox.tts_turbo import ChatterboxTurboTTS  # type: ignore[import-not-found,unused-ignore]
    return _generating(ChatterboxTurboTTS, folder, device, lines)


def _generating(kind: Any, folder: Path, device: str, lines: Sequence[Line]) -> float:
    from perth import DummyWatermarker  # type: ignore[import-not-found,unused-ignore]

    def say() -> float:
        return float(sum(model.generate(line.text).shape[-1] for line in lines) / model.sr)

    quiet = io.StringIO()
    with _apart(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        model = kind.from_local(folder, device)
        model.watermarker = DummyWatermarker()
        return _rate(say)


def _rate(say: Callable[[], float]) -> float:
    """Audio seconds a second, of what says its lines again: the first time is to warm up."""
    with _apart():
        say()
        began = time.perf_counter()
        return say() / (time.perf_counter() - began)


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Upstream's draws and its warnings are its own."""
    import torch

    with torch.random.fork_rng(), torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


RIVALS: Mapping[str, Rival] = {
    "f5-tts": f5,
    "xtts-v2": xtts,
    "chatterbox": chatterbox,
    "chatterbox-turbo": chatterbox_turbo,
}
"""Upstream's multilingual class fetches a dictionary and a segmenter when it is loaded, and has no line here."""
