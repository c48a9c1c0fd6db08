"""What is said in a voice's recording, by the recogniser where one is installed."""

import logging

from basics.audio import Samples
from basics.errors import Failure
from basics.settings import Settings
from listening.recogniser import installed

log = logging.getLogger("worker.voices")


def transcribed(settings: Settings, samples: Samples, rate: int, language: str) -> str:
    """Nothing where no recogniser is installed or it fails: a voice is of use without."""
    try:
        return installed(settings).hear(samples, rate, language).text.strip()
    except Failure as failure:
        if failure.code != "not_installed":
            log.warning("voice_unheard", extra={"code": failure.code})
        return ""
