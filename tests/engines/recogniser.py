"""What was heard of what was said: Whisper base writes a recording down, and words are compared as people read them."""

import re
from functools import cache
from typing import TYPE_CHECKING

import soxr  # type: ignore[import-untyped]

from basics.audio import Samples
from tests.engines import weights

if TYPE_CHECKING:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]

RATE = 16_000

SENTENCES = (
    "Good morning, and welcome to the show.",
    "The harbour was quiet when the first boats came in.",
    "She asked whether the train to York would stop at noon.",
    "Two hundred and forty people signed the letter.",
    "Please close the window before you leave the room.",
    "I never thought that it would rain for nine days.",
    "Where did you put the keys?",
    "Can you hear me now?",
    "How many bridges cross the river in London?",
    "What time does the museum open on Sunday?",
    "Stop!",
    "Thank you very much.",
    "The meeting starts at 3 o'clock in room 12.",
    "It costs $25 to send a parcel to Canada.",
    "In 1969 two men walked on the moon.",
    "About 70% of the surface is covered by water.",
    "The first train leaves on the 4th of July.",
    "Margaret and William met in Paris last summer.",
    "Doctor Watson wrote a letter to Sherlock Holmes.",
    "Barack Obama was born in Hawaii.",
    "Our new office is in San Francisco, California.",
    "Albert Einstein was awarded the prize in physics.",
    "The old clock on the wall has stopped again.",
    "Fresh bread and warm butter make a simple breakfast.",
    "Nobody knew who had painted the door blue.",
    "If you turn left at the church, you will see the market.",
    "The children laughed because the dog had stolen the cake.",
    "He closed the book, put out the light, and went to sleep.",
    "We walked along the beach until the sun went down.",
    "A good teacher listens before she answers.",
    "The doctor told him to drink more water and to sleep eight hours a night.",
    "Although the road was long and the night was cold, nobody wanted to turn back.",
    "When the storm had passed, the farmers went out to see what was left of their fields.",
    "The company announced that it would open three new factories in the north next year.",
    "Scientists have found that birds remember the places where they once found food.",
    "My grandmother used to say that patience is the mother of all good things.",
    "There was a small garden behind the house, where roses grew beside an old stone wall.",
    "After dinner they sat by the fire and talked about the years that they had spent at sea.",
    "The library will be closed on Monday, but it will open again on Tuesday morning at nine.",
    "Reading aloud is a skill like any other: it takes time, care, and a great deal of practice.",
)

_SPELT = {
    "$25": "25 dollars",
    "70%": "70 percent",
    "per cent": "percent",
    "o'clock": "oclock",
    "dr.": "doctor",
    "mr.": "mister",
    "harbor": "harbour",
}
_UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
          "seventeen eighteen nineteen").split()  # fmt: skip
_TENS = {
    word: 20 + 10 * place for place, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
}
_ORDINALS = {"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th"}


@cache
def _model() -> "WhisperModel":
    from faster_whisper import WhisperModel

    return WhisperModel(str(weights.whisper()), device="cpu", compute_type="int8", cpu_threads=2)


def transcribe(samples: Samples, rate: int, language: str = "en") -> str:
    heard, _ = _model().transcribe(soxr.resample(samples, rate, RATE), language=language, beam_size=5)
    return " ".join(segment.text.strip() for segment in heard)


def wer(reference: str, heard: str) -> float:
    """Words put in, left out or changed, by the words of the reference."""
    said, written = words(reference), words(heard)
    row = list(range(len(written) + 1))
    for place, word in enumerate(said, 1):
        before, row[0] = row[0], place
        for at, other in enumerate(written, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1] / max(1, len(said))


def words(text: str) -> list[str]:
    """Lower case, without punctuation; numbers as figures, so that `forty` and `40` are the same."""
    text = text.lower().replace("’", "'")
    for spelling, plain in _SPELT.items():
        text = text.replace(spelling, plain)
    return _figures(re.findall(r"[\w']+", re.sub(r"(?<=\d),(?=\d)", "", text.replace("-", " "))))


def _figures(plain: list[str]) -> list[str]:
    """`two hundred and forty` becomes `240`; a lone `one` stays a word in both texts alike."""
    made: list[str] = []
    number: int | None = None
    for place, word in enumerate(plain):
        value = _UNITS.index(word) if word in _UNITS else _TENS.get(word)
        if value is not None:
            number = value if number is None else number + value
        elif word == "hundred" and number is not None:
            number *= 100
        elif (
            word == "and"
            and number is not None
            and number >= 100
            and place + 1 < len(plain)
            and _is_number(plain[place + 1])
        ):
            continue
        else:
            if number is not None:
                made.append(str(number))
                number = None
            made.append(_ORDINALS.get(word, word))
    return made if number is None else [*made, str(number)]


def _is_number(word: str) -> bool:
    return word in _UNITS or word in _TENS
