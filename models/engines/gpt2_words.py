"""GPT-2's words, as a published folder has them: text becomes ids by byte pairs, and by whole tokens that were added.

    encode = words(folder)       # tokenizer.json, or vocab.json with merges.txt; the rest as far as it is there
    encode("Ha [laugh] ha.")

As transformers' AutoTokenizer reads them, whose import takes longer than all else that a model imports. It knows no
model.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from basics.errors import Failure

END = "<|endoftext|>"
NAMED = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
LISTS = ("additional_special_tokens", "extra_special_tokens")


def words(folder: Path) -> Callable[[str], list[int]]:
    settings = _read(folder / "tokenizer_config.json")
    tokenizer = _tokenizer(folder, settings)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    tokenizer.add_tokens([token for token in _added(folder, settings) if token.content not in known])
    return lambda text: list(tokenizer.encode(text).ids)


def _tokenizer(folder: Path, settings: Mapping[str, Any]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers  # type: ignore[import-not-found,unused-ignore]

    whole, vocabulary, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if whole.is_file():
        _read(whole)  # of a broken one tokenizers throws a bare Exception
        return Tokenizer.from_file(str(whole))
    for file in (vocabulary, merges):
        if not file.is_file():
            raise Failure("weights_missing", f"Neither tokenizer.json nor {file.name} is beside the weights.")
    numbers = _read(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=_merges(merges, numbers)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(settings.get("add_prefix_space")))
    return tokenizer


def _merges(file: Path, numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    lines = [line.rstrip("\r") for line in file.read_text(encoding="utf-8").split("\n")]
    pairs = [line.partition(" ")[::2] for line in lines if line and not line.startswith("#version")]
    if not all(one in numbers and other in numbers and one + other in numbers for one, other in pairs):
        raise LookupError("a merge of words that are not in the vocabulary")
    return pairs


def _added(folder: Path, settings: Mapping[str, Any]) -> Iterator[Any]:
    """First those that have numbers, in their order, then those that have a name."""
    from tokenizers import AddedToken

    if "added_tokens_decoder" in settings:
        named = settings
        numbered = {int(number): AddedToken(**token) for number, token in settings["added_tokens_decoder"].items()}
    else:
        named = {**settings, **_read(folder / "special_tokens_map.json", {})}
        special = {token.content for token in _named(named)}
        numbered = {
            number: AddedToken(word, normalized=word not in special, special=word in special)
            for word, number in _read(folder / "added_tokens.json", {}).items()
        }
    met = set[str]()
    for token in (*(numbered[number] for number in sorted(numbered)), *_named(named)):
        if token.content not in met:
            met.add(token.content)
            yield token


def _named(settings: Mapping[str, Any]) -> Iterator[Any]:
    from tokenizers import AddedToken

    given: Sequence[Any] = [settings.get(name) or _usual(name) for name in NAMED]
    given = [*given, *(each for name in LISTS for each in settings.get(name) or ())]
    for each in filter(None, given):
        told = each if isinstance(each, dict) else {"content": each}
        yield AddedToken(**{**{name: told[name] for name in told if name != "__type"}, "special": True})


def _usual(name: str) -> str:
    return END if name in ("bos_token", "eos_token", "unk_token") else ""


def _read(file: Path, otherwise: Mapping[str, Any] | None = None) -> Any:
    if otherwise is not None and not file.is_file():
        return otherwise
    return json.loads(file.read_text(encoding="utf-8"))
