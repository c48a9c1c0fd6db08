"""Chatterbox's own file of a voice, from anybody: `.pt` or `.pth` as upstream saves it, or `.safetensors`.

What comes out is a dict of arrays under these names, which is what Chatterbox's engine conditions on:

    t3.speaker_emb (1, 256)                 t3.cond_prompt_speech_tokens (1, up to 375)    t3.emotion_adv (1, 1, 1)
    gen.prompt_token (1, up to 375)         gen.prompt_token_len (1,)
    gen.prompt_feat (1, twice those, 80)    gen.embedding (1, 192)

`.safetensors` has the same names. Whatever upstream keeps beside them it computes anew, so that is left out. A file
is judged before torch sees it: its size, its members, and each name that its pickle would call. Reading fails with
`voice_unusable` and does nothing else.
"""

import io
import pickle
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save

from basics.errors import Failure

Arrays = dict[str, NDArray[np.generic]]

FILE_BYTES = 8 << 20
"""Upstream's have 0.2 to 2 MB."""
PICKLE_BYTES = 64 << 10
MOST_MEMBERS = 64
ALIGNED = (".format_version", ".storage_alignment", "byteorder", "version", "data.pkl")
"""Members of torch's zip beside the storages."""
CALLED = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"} | {
    f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int")
}
"""All that upstream's file calls. `weights_only` allows more, `bytearray` of any size among it."""
MOST_TOKENS = 375
"""Fifteen seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    fits: Callable[[tuple[int, ...]], bool]
    most: float = 0.0
    """Of whole numbers: all are from 0 to below this. 0: these are no whole numbers."""


def _tokens(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] == 1 and 1 <= shape[1] <= MOST_TOKENS


def _frames(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[::2] == (1, 80) and 1 <= shape[1] <= 2 * MOST_TOKENS + 2


PARTS: dict[str, Part] = {
    "t3.speaker_emb": Part(lambda shape: shape == (1, 256)),
    "t3.cond_prompt_speech_tokens": Part(_tokens, 6563),
    "t3.emotion_adv": Part(lambda shape: shape == (1, 1, 1)),
    "gen.prompt_token": Part(_tokens, 6561),
    "gen.prompt_token_len": Part(lambda shape: shape == (1,), MOST_TOKENS + 1),
    "gen.prompt_feat": Part(_frames),
    "gen.embedding": Part(lambda shape: shape == (1, 192)),
}


def read(id: str, name: str, data: bytes) -> Arrays:
    """`name` is the file's. Raises `voice_unusable`, and `not_installed` where it takes torch and there is none."""
    if len(data) > FILE_BYTES:
        raise _unusable(id, f"it is over {FILE_BYTES >> 20} MB")
    found = _of_safetensors(id, data) if name.lower().endswith(".safetensors") else _of_torch(id, data)
    try:
        return _checked(found)
    except ValueError as error:
        raise _unusable(id, str(error)) from None


def anew(id: str, data: bytes) -> bytes:
    """What a file of either kind says, as `.safetensors` that any worker reads. Raises what `read` does."""
    return save(read(id, ".pth" if data.startswith(ZIP) else ".safetensors", data))


ZIP = b"PK"
"""How torch's files begin. `.safetensors` begins with a length, and `{` after it."""


def _of_safetensors(id: str, data: bytes) -> Mapping[str, Any]:
    try:
        return load_safetensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        raise _unusable(id, "it is no safetensors file, or a damaged one") from None


def _of_torch(id: str, data: bytes) -> Mapping[str, Any]:
    if find_spec("torch") is None:
        raise Failure(
            "not_installed",
            f"`{id}` is a file of Chatterbox's conditionals, and it takes torch to read one.",
            field="voice",
            hint="Images of the group `cloning` read it; as .safetensors every image does.",
        )
    try:
        clean = _repacked(data)
    except ValueError as error:
        raise _unusable(id, str(error)) from None
    import torch  # type: ignore[import-not-found,unused-ignore]

    try:
        whole = torch.load(io.BytesIO(clean), map_location="cpu", weights_only=True)
        return _flat(whole, torch)
    except BROKEN:
        raise _unusable(id, "torch cannot read it") from None


BROKEN = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    pickle.UnpicklingError,
)
"""What torch was seen to raise, and might, for a stranger's bytes."""


def _repacked(data: bytes) -> bytes:
    """A zip of the judged members alone, so that nobody reads another one out of the same bytes. Raises ValueError."""
    judged = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zip, zipfile.ZipFile(judged, "w") as anew:
            for name, content in _members(zip).items():
                anew.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        raise ValueError("it is no file that torch.save wrote, or a damaged one") from None
    return judged.getvalue()


def _members(zip: zipfile.ZipFile) -> dict[str, bytes]:
    infos = zip.infolist()
    if len(infos) > MOST_MEMBERS or sum(info.file_size for info in infos) > FILE_BYTES:
        raise ValueError("it declares more than a voice has")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise ValueError("its members are compressed, as torch never writes them")
    found: dict[str, bytes] = {}
    for info in infos:
        name = info.filename.partition("/")[2]
        if name in ALIGNED or (name.startswith("data/") and name[5:].isdecimal()):
            if name in found:
                raise ValueError("a member is there twice")
            found[name] = zip.read(info)
    _judge(found.get("data.pkl", b""))
    return found


def _judge(pickled: bytes) -> None:
    """Reads the pickle's words without obeying any."""
    if not 0 < len(pickled) <= PICKLE_BYTES:
        raise ValueError("its list of parts is missing or too long")
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in FOREIGN:
            raise ValueError("it holds code")
        if opcode.name == "GLOBAL" and argument not in CALLED:
            raise ValueError("it holds code")
        if isinstance(argument, int) and not isinstance(argument, bool) and abs(argument) > FILE_BYTES:
            raise ValueError("it declares more than a voice has")


FOREIGN = {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER"}
"""Opcodes that call by other ways than GLOBAL and REDUCE; torch.save writes none of them."""


def _flat(whole: Any, torch: Any) -> dict[str, Any]:
    """The parts that are wanted, as arrays; a view of a small storage may declare a huge shape, so sizes come first."""
    if not isinstance(whole, dict):
        raise TypeError("no dict")
    found: dict[str, Any] = {}
    for name in PARTS:
        outer, _, inner = name.partition(".")
        value = whole[outer][inner] if isinstance(whole.get(outer), dict) and inner in whole[outer] else None
        if isinstance(value, int | float) and name == "t3.emotion_adv":
            value = torch.full((1, 1, 1), float(value))
        if isinstance(value, torch.Tensor):
            if not PARTS[name].fits(tuple(value.shape)):
                raise ValueError(name)
            value = value.detach().to(torch.float32 if value.is_floating_point() else torch.int64).numpy()
            found[name] = value
    return found


def _checked(found: Mapping[str, Any]) -> Arrays:
    """Copies, of plain types. Raises ValueError."""
    arrays: Arrays = {}
    for name, part in PARTS.items():
        value = found.get(name)
        if not isinstance(value, np.ndarray):
            raise ValueError(f"it has no `{name}`")
        if not part.fits(value.shape):
            raise ValueError(f"`{name}` has the shape {value.shape}")
        if value.dtype.kind != ("i" if part.most else "f"):
            raise ValueError(f"`{name}` is of {value.dtype}")
        plain = np.array(value, np.int64 if part.most else np.float32, order="C")
        if not np.isfinite(plain).all() or (part.most and not 0 <= plain.min() <= plain.max() < part.most):
            raise ValueError(f"`{name}` holds what no voice has")
        arrays[name] = plain
    tokens, frames = arrays["gen.prompt_token"].shape[1], arrays["gen.prompt_feat"].shape[1]
    if abs(frames - 2 * tokens) > 2 or not 1 <= arrays["gen.prompt_token_len"].item() <= tokens:
        raise ValueError("its prompt's parts are not equally long")
    return arrays


def _unusable(id: str, why: str) -> Failure:
    message = f"The voice `{id}` is a file of Chatterbox's conditionals that cannot be used: {why}."
    return Failure("voice_unusable", message, field="voice", hint="Create a voice from the recording instead.")
