"""Chatterbox's own files read with the real torch: what upstream saves is read, what harms is not."""

import io
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basics.errors import Failure
from store.folder import Folder
from tests.voices.test_conditionals import parts
from voices.conditionals import PARTS, read
from voices.library import Library, Rules

pytestmark = [pytest.mark.engine, pytest.mark.environment("pocket")]


def layout(**changed: Any) -> dict[str, dict[str, Any]]:
    """As upstream's Conditionals.save lays it out."""
    import torch

    found: dict[str, dict[str, Any]] = {"t3": {"clap_emb": None}, "gen": {"prompt_feat_len": None}}
    for name, value in (parts() | changed).items():
        outer, _, inner = name.partition(".")
        found[outer][inner] = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    found["t3"]["cond_prompt_speech_emb"] = torch.zeros(1, 150, 1024)
    return found


def saved(what: Any, **how: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(what, file, **how)
    return file.getvalue()


def remade(data: bytes, change: Callable[[str, bytes], bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return out.getvalue()


class Harm:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_upstream_saves_is_read(dtype: str) -> None:
    import torch

    given = layout()
    given["gen"]["embedding"] = given["gen"]["embedding"].to(getattr(torch, dtype))
    found = read("alice", "alice.pth", saved(given))
    assert set(found) == set(PARTS)
    assert np.allclose(found["gen.embedding"], parts()["gen.embedding"], atol=0.02)
    assert np.array_equal(found["gen.prompt_token"], parts()["gen.prompt_token"])


def test_a_bare_number_for_emotion_is_what_upstream_takes_it_for() -> None:
    assert read("alice", "alice.pt", saved(layout(**{"t3.emotion_adv": 0.7})))[
        "t3.emotion_adv"
    ].item() == pytest.approx(0.7)


def numel(old: int, new: int) -> Callable[[str, bytes], bytes]:
    """The list of parts, with another size declared."""
    was, now = b"M" + struct.pack("<H", old), b"J" + struct.pack("<I", new)
    return lambda name, data: data.replace(was, now) if name.endswith("data.pkl") else data


def harmful(tmp_path: Path) -> dict[str, bytes]:
    import torch

    good = saved(layout())
    harm = Harm(tmp_path / "ran")
    buried = layout()
    buried["t3"]["clap_emb"] = harm
    allowed = pickle.dumps(bytearray(8), protocol=2)
    huge = layout()
    huge["gen"]["prompt_feat"] = torch.zeros(1).expand(1, 1 << 22, 80)
    return {
        "plain pickle with code": pickle.dumps(harm),
        "code in a part": saved(buried),
        "code in the old format": saved(buried, _use_new_zipfile_serialization=False),
        "old format": saved(layout(), _use_new_zipfile_serialization=False),
        "truncated": good[:-2000],
        "half": good[: len(good) // 2],
        "empty": b"",
        "noise": np.random.default_rng(1).bytes(5000),
        "compressed": remade(good, lambda name, data: data, zipfile.ZIP_DEFLATED),
        "a bomb": remade(
            good, lambda name, data: data + bytes(50 << 20) if name.endswith("/0") else data, zipfile.ZIP_DEFLATED
        ),
        "a storage that is shorter than declared": remade(
            good, lambda name, data: data[:-4] if "/data/" in name else data
        ),
        "two gigabytes declared": remade(good, numel(256, 1 << 29)),
        "a shape that is longer than its storage": remade(good, numel(500, 501)),
        "a huge view of one number": saved(huge),
        "bytes of any size": remade(good, lambda name, data: allowed if name.endswith("data.pkl") else data),
        "no list": remade(good, lambda name, data: b"" if name.endswith("data.pkl") else data),
        "a list of nothing": saved([]),
        "names that are no text": saved({1: {2: torch.zeros(1)}}),
        "not numbers": saved(layout(**{"gen.embedding": np.full((1, 192), np.nan, np.float32)})),
        "sparse": saved(layout() | {"gen": {"embedding": torch.zeros(1, 192).to_sparse()}}),
        "a whole model": saved(torch.nn.Linear(2, 2)),
    }


def outcome(data: bytes) -> str:
    try:
        read("alice", "alice.pth", data)
    except Failure as failure:
        return failure.code
    return "read"


def test_what_is_broken_or_meant_to_break_fails_and_does_nothing_else(tmp_path: Path) -> None:
    read("alice", "alice.pt", saved(layout()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cases = harmful(tmp_path)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert {name: outcome(data) for name, data in cases.items()} == dict.fromkeys(cases, "voice_unusable")
    assert not (tmp_path / "ran").exists()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - max(before, made)
    assert grown < 200_000, "kilobytes"


async def test_a_pth_that_is_sent_is_kept_as_a_file_that_needs_no_torch(tmp_path: Path) -> None:
    voices = Library(Folder(tmp_path), Rules())
    await voices.create_from_conditionals("alice", saved(layout()))
    assert [path.name for path in tmp_path.iterdir()] == ["alice.safetensors"]
    kept = read("alice", "alice.safetensors", (tmp_path / "alice.safetensors").read_bytes())
    given = parts()
    assert all(np.array_equal(kept[name], given[name]) for name in PARTS)
    with pytest.raises(Failure, match="code") as caught:
        await voices.create_from_conditionals("eve", saved({"t3": Harm(tmp_path / "ran"), "gen": {}}))
    assert caught.value.code == "voice_unusable"
    assert [path.name for path in tmp_path.iterdir()] == ["alice.safetensors"]
