"""The worker's figures: what each job came to, and all of it as Prometheus reads it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from basics.metrics import Histogram, family, sample

if TYPE_CHECKING:
    from operations.house import House

GAUGES = {
    "memory_gb": "Gigabytes that the model holds.",
    "lines": "Lines of the model, waiting or being spoken.",
    "lines_waiting": "Lines without a place.",
    "rows": "Most rows of a turn.",
    "capacity": "Real-time listeners that it can carry, as learnt.",
}
COUNTERS = {
    "audio_seconds": "Seconds of sound made.",
    "busy_seconds": "Seconds of computing.",
    "failures": "Lines that failed.",
    "misses": "Times a started stream had run dry when its next sound came.",
}
HISTOGRAMS = {
    "turn_rows": "Rows of a turn.",
    "in_hand": "Seconds of sound that a started stream had in hand when its next came.",
}


@dataclass(slots=True)
class Metrics:
    """Of the jobs. Written on the event loop."""

    outcomes: Counter[str] = field(default_factory=Counter)
    first_audio: Histogram = field(default_factory=Histogram)
    rtf: Histogram = field(default_factory=Histogram)

    def ended(self, outcome: str, answer: Mapping[str, Any]) -> None:
        self.outcomes[outcome] += 1
        if first := answer.get("timings", {}).get("first_audio"):
            self.first_audio.add(first)
        if rtf := answer.get("rtf"):
            self.rtf.add(rtf)

    def told(self) -> dict[str, Any]:
        return {"jobs": dict(self.outcomes), "first_audio": self.first_audio.told(), "rtf": self.rtf.told()}


def rendered(house: "House") -> str:
    """Prometheus's text format."""
    own = house.metrics
    outcomes = [sample("tts_jobs_total", {"outcome": name}, count) for name, count in sorted(own.outcomes.items())]
    lines = family("tts_jobs_total", "counter", "Jobs by outcome.", outcomes)
    lines += family("tts_jobs", "gauge", "Jobs being answered.", [sample("tts_jobs", {}, len(house.running))])
    lag = [sample("tts_loop_lag_seconds", {}, house.lag.worst)]
    lines += family("tts_loop_lag_seconds", "gauge", "Worst lag of the event loop in the last minute of work.", lag)
    lines += _histogram("tts_first_audio_seconds", "From a job's arrival to its first sound.", [({}, own.first_audio)])
    lines += _histogram("tts_rtf", "Seconds of synthesis for a second of sound.", [({}, own.rtf)])
    return "\n".join([*lines, *_residents(house)]) + "\n"


def _residents(house: "House") -> list[str]:
    models, lines = house.manager.residents(), list[str]()
    for names, kind, ending in ((GAUGES, "gauge", ""), (COUNTERS, "counter", "_total")):
        for field_name, help in names.items():
            name = f"tts_model_{field_name}{ending}"
            found = [(info["model"], info[field_name]) for info in models if info[field_name] is not None]
            lines += family(name, kind, help, [sample(name, {"model": id}, figure) for id, figure in found])
    measures = house.manager.measures()
    for field_name, help in HISTOGRAMS.items():
        of_each = [({"model": id}, getattr(each, field_name)) for id, each in measures.items()]
        lines += _histogram(f"tts_model_{field_name}", help, of_each)
    turns = [
        ({"model": id, "stage": stage}, histogram)
        for id, each in measures.items()
        for stage, histogram in list(each.stages.items())
    ]
    return lines + _histogram("tts_model_turn_seconds", "Of a turn, by stage.", turns)


def _histogram(name: str, help: str, of_each: list[tuple[dict[str, str], Histogram]]) -> list[str]:
    return family(name, "histogram", help, [line for labels, each in of_each for line in each.lines(name, labels)])
