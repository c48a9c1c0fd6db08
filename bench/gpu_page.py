"""The figures of `bench.gpu` as one page that needs nothing else: tables, and bars drawn as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child{text-align:left}svg text{font:12px system-ui,sans-serif}"
)
WIDTH, LEFT, BAR = 620, 190, 22


def page(report: Mapping[str, Any]) -> str:
    machine = " · ".join(f"{escape(name)} {escape(str(value))}" for name, value in report["machine"].items())
    warning = "<p><b>Tiny random weights: a rehearsal. The figures say nothing.</b></p>" if report["tiny"] else ""
    models = "".join(_model(model) for model in report["models"])
    head = f"<meta charset=utf-8><title>bench.gpu</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body><h1>bench.gpu</h1><p>{machine}</p>{warning}{models}"


def bars(title: str, figures: Sequence[tuple[str, float]], unit: str) -> str:
    """One bar a figure, the longest as wide as the page."""
    most = max((value for _, value in figures), default=0) or 1
    rows = []
    for number, (name, value) in enumerate(figures):
        top, wide = number * BAR, (WIDTH - LEFT - 90) * value / most
        rows.append(
            f'<text x="{LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{top + 3}" width="{wide:.1f}" height="{BAR - 6}" fill="#4a78b5"/>'
            f'<text x="{LEFT + wide + 6:.1f}" y="{top + 15}">{value:.3g} {escape(unit)}</text>'
        )
    return f'<h3>{escape(title)}</h3><svg width="{WIDTH}" height="{len(figures) * BAR}">{"".join(rows)}</svg>'


def _model(model: Mapping[str, Any]) -> str:
    name = f"<h2>{escape(model['model'])}</h2>"
    if "failed" in model:
        return f"{name}<p>Failed: {escape(model['failed'])}</p>"
    together = model["together"]
    pace = [(f"{each['rows']} at once", each["audio_seconds_a_second"]) for each in together]
    if model["upstream_audio_seconds_a_second"] is not None:
        pace.append(("upstream, one by one", model["upstream_audio_seconds_a_second"]))
    first = [(f"{each['rows']} at once, p95", 1000 * each["first_audio_p95"]) for each in together]
    cold = [(part.replace("_", " "), seconds) for part, seconds in model["cold"].items()]
    held = [(f"{each['rows']} at once", each["memory_gb"]) for each in together if each["memory_gb"] is not None]
    caps = ", ".join(f"{cap}: {'yes' if fits else 'no'}" for cap, fits in model["caps"].items())
    return (
        f"{name}<p>Weights: {escape(model['weights'])}, {model['weights_gb']:.2f} GB. Sound: "
        f"{model['sound']['seconds']:.1f} s with a peak of {model['sound']['peak']:.2f}.</p>"
        + bars("Audio seconds a second", pace, "")
        + bars("First audio", first, "ms")
        + bars("From a cold process", cold, "s")
        + (bars("Memory", held, "GB") if held else "")
        + (f"<p>The most at once within {escape(caps)}.</p>" if caps else "")
    )
