"""A folder of recordings as people send them: one good, the others spoilt each in its own way."""

from pathlib import Path

import numpy as np

from tests.voices.speaking import RATE, beside, encoded, music, noise, sentence, speech

SPOILT = {
    "clipped.wav": "clipped: ",
    "music.wav": ("music: ", "nobody is heard"),
    "noisy.wav": "noisy: ",
    "nothing.mp3": "no sound file",
    "short.wav": "too short: ",
}
"""Each with how the reason may begin for which it is left out: a network hears nobody in music, levels hear music."""


def recordings(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    two = speech(2)
    files = {
        "clipped.wav": encoded(np.clip(two * 8, -1, 1)),
        "good.flac": encoded(speech(4), container="flac", codec="flac"),
        "music.wav": encoded(music(8 * RATE)),
        "noisy.wav": encoded(beside(two, noise(len(two)), 5)),
        "nothing.mp3": b"no sound at all",
        "short.wav": encoded(sentence(0)[:RATE]),
        "notes.txt": b"Recorded on a Sunday.",
        ".hidden.wav": b"left by some program",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
