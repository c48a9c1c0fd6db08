"""GPT-2's words against transformers' own reader of the same folders, over texts that are no pleasure to read."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from basics.errors import Failure
from models.engines.gpt2_words import END, words

pytestmark = [
    pytest.mark.engine,
    pytest.mark.environment("modern"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

ROOT = Path(__file__).parents[2]
TAGS = ("[laugh]", "[chuckle]", "[clear throat]", "[angry]", "[whisper ing]")
CORPUS = (
    "Good evening, and welcome to all of you who have come so far in this weather.",
    "Ha [laugh] ha.  [chuckle][chuckle]  [clear throat]end",
    "[laugh]",
    "[LAUGH] [laugh [laugh]] [ laugh ] laugh] [unheard of]",
    " [laugh] leading and trailing   ",
    "   three spaces,\ttabs\t\tand\n\nline\r\nbreaks \n",
    "élan vital, naïve façade, Ångström, señor, œuvre; e\u0301 apart",
    "emoji 🙂🙃 👩‍👩‍👧‍👦 🇬🇧 ✈️ and ‼",
    "日本語 한국어 Привет мир العربية עברית हिन्दी ไทย",
    "It's they're we've I'll you'd I'M DON'T 'tis rock'n'roll ''s",
    "3.14159 1,000,000 ½ ² ⅷ x2y3z 007",
    "...!!!???---___***///\\\\\\ \u201cquotes\u201d \u2018these\u2019 \u2014 \u2013 \u2026 \u00a0\u2003\u200b\ufeff",
    f"a{END}b {END} <|endoftext|",
    "\x00\x01\x7f\x85 control",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa lllll the the the",
    "x" * 500,
    "",
    " ",
)
PLAIN = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "special": False}


def learnt() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Pairs of bytes that stand together often in what is read below."""
    from tokenizers import pre_tokenizers

    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counted = Counter(word for text in CORPUS * 3 for word, _ in split.pre_tokenize_str(text))
    pieces, merges = {word: [*word] for word in counted}, list[tuple[str, str]]()
    while len(merges) < 150:
        pairs = Counter(pair for parts in pieces.values() for pair in pairwise(parts))
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        pieces = {word: joined(parts, merges[-1]) for word, parts in pieces.items()}
    made = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *dict.fromkeys(one + other for one, other in merges), END]
    return {word: number for number, word in enumerate(made)}, merges


def joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    made: list[str] = []
    for part in parts:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return made


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vocabulary and merges, as GPT-2's own."""
    folder = tmp_path_factory.mktemp("bare")
    numbers, merges = learnt()
    (folder / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    settings(folder)
    return folder


def settings(folder: Path, **more: Any) -> None:
    told = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "model_max_length": 1024, **more}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def laid_out(kind: str, bare: Path, folder: Path) -> Path:
    shutil.copytree(bare, folder)
    first = len(json.loads((bare / "vocab.json").read_text(encoding="utf-8")))
    numbered = {tag: first + number for number, tag in enumerate(TAGS)}
    if kind == "beside":
        (folder / "added_tokens.json").write_text(json.dumps(numbered))
        ends = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), END)
        told = {**ends, "pad_token": {"content": END, **PLAIN}, "additional_special_tokens": [TAGS[0]]}
        (folder / "special_tokens_map.json").write_text(json.dumps(told))
    elif kind in ("within", "whole"):
        decoder = {str(number): {"content": tag, **PLAIN} for tag, number in numbered.items()}
        decoder[str(first - 1)] = {"content": END, **PLAIN, "special": True}
        settings(folder, added_tokens_decoder=decoder, eos_token=END, bos_token=END, unk_token=END)
    elif kind == "greedy":
        decoder = {str(numbered[tag]): {"content": tag, **PLAIN, "lstrip": True, "rstrip": True} for tag in TAGS}
        settings(folder, added_tokens_decoder=decoder)
    elif kind == "spaced":
        settings(folder, add_prefix_space=True)
    if kind == "whole":
        theirs(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))
        for name in ("vocab.json", "merges.txt"):
            (folder / name).unlink()
    return folder


def theirs(folder: Path) -> Any:
    from transformers import AutoTokenizer  # type: ignore[import-not-found,unused-ignore]

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("kind", ["bare", "beside", "within", "greedy", "spaced", "whole"])
def test_every_layout_is_read_as_transformers_reads_it(kind: str, bare: Path, tmp_path: Path) -> None:
    folder = laid_out(kind, bare, tmp_path / kind)
    encode, tokenizer = words(folder), theirs(folder)
    for text in CORPUS:
        assert encode(text) == tokenizer(text).input_ids, text
    if kind in ("beside", "within", "whole"):
        assert encode("Ha [laugh] ha.") == encode("Ha ") + encode("[laugh]") + encode(" ha.")
        assert len(encode("[clear throat]")) == 1


def test_words_that_are_missing_or_broken_are_told(bare: Path, tmp_path: Path) -> None:
    folder = laid_out("bare", bare, tmp_path / "made")
    (folder / "merges.txt").write_text("q zzz\n")
    with pytest.raises(LookupError):
        words(folder)
    (folder / "merges.txt").unlink()
    with pytest.raises(Failure, match=r"merges\.txt") as error:
        words(folder)
    assert error.value.code == "weights_missing"
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        words(folder)


def test_reading_words_imports_no_transformers(bare: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from models.engines.gpt2_words import words
words(Path({str(bare)!r}))
print([name for name in ("transformers", "torch") if name in sys.modules])
"""
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr[-2000:]
