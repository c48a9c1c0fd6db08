from pathlib import Path

import numpy as np
import pytest

from store.folder import Folder
from tests.voices.recordings import record
from voices.derived import Derived, DerivedFiles, place
from voices.record import Record, record_key
from voices.voice import Voice

KEY = ("tone", "1")


def kept(folder: Path, **parts: object) -> tuple[DerivedFiles, Voice, Record]:
    """A voice in a folder."""
    written = record("alice", sha256="abc", **parts)
    Folder(folder).put(record_key("alice"), written.written())
    return DerivedFiles(Folder(folder)), Voice("alice", "library", written.digest), written


def some() -> Derived:
    return Derived({"latent": np.arange(6, dtype=np.float32).reshape(2, 3), "hertz": np.array(440.0)}, -17.25)


def test_what_one_worker_derived_another_reads(tmp_path):
    files, voice, _ = kept(tmp_path)
    files.keep(voice, KEY, some())
    found = DerivedFiles(Folder(tmp_path)).load(voice, KEY)
    assert found is not None
    assert found.loudness == -17.25
    assert found.arrays["hertz"].shape == ()
    assert np.array_equal(found.arrays["latent"], some().arrays["latent"])


def test_other_weights_and_other_recordings_find_nothing(tmp_path):
    files, voice, _ = kept(tmp_path)
    files.keep(voice, KEY, some())
    assert files.load(voice, ("tone", "2")) is None
    assert files.load(Voice("alice", "library", "library:another"), KEY) is None


def test_the_quicker_workers_entry_is_everybodys(tmp_path):
    files, voice, _ = kept(tmp_path)
    files.keep(voice, KEY, some())
    mine = Derived({"latent": np.zeros(1, np.float32)}, -3.0)
    assert files.keep(voice, KEY, mine).loudness == -17.25


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 64,
        b"\x02\x00\x00\x00\x00\x00\x00\x00[]",
        b"\x80\x04cos\nsystem\n(S'touch /tmp/x'\ntR.",
        (len('{"__metadata__": 5}')).to_bytes(8, "little") + b'{"__metadata__": 5}',
    ],
)
def test_a_damaged_entry_is_made_anew(tmp_path, data):
    files, voice, _ = kept(tmp_path)
    Folder(tmp_path).put(place(voice, KEY), data)
    assert files.load(voice, KEY) is None
    files.keep(voice, KEY, some())
    found = files.load(voice, KEY)
    assert found is not None
    assert found.loudness == -17.25


def test_an_entry_cut_short_is_made_anew(tmp_path):
    files, voice, _ = kept(tmp_path)
    files.keep(voice, KEY, some())
    whole, _ = Folder(tmp_path).get(place(voice, KEY))
    Folder(tmp_path).put(place(voice, KEY), whole[:-5])
    assert files.load(voice, KEY) is None


def test_a_voice_deleted_meanwhile_leaves_nothing_behind(tmp_path):
    files, voice, _ = kept(tmp_path)
    Folder(tmp_path).delete(record_key("alice"))
    assert files.keep(voice, KEY, some()).loudness == -17.25
    assert list(Folder(tmp_path).list()) == []


def test_names_of_engines_and_revisions_stay_in_the_voices_folder(tmp_path):
    _, voice, _ = kept(tmp_path)
    assert place(voice, ("../../etc", "hf:org/repo@1")) == "alice/derived/.._.._etc-hf_org_repo_1.safetensors"
