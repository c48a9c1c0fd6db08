import json
from pathlib import Path
from typing import Any

import pytest

from bench.gpu_page import bars, page

REPORT: dict[str, Any] = {
    "machine": {"device": "<card>", "torch": "2.13"},
    "tiny": True,
    "models": [{"model": "broken", "failed": "weights_missing: <nothing> there"}],
}


def test_a_page_says_which_model_failed_and_why_and_escapes_it():
    drawn = page(REPORT)
    assert "weights_missing: &lt;nothing&gt; there" in drawn
    assert "&lt;card&gt;" in drawn
    assert "rehearsal" in drawn


def test_the_longest_bar_belongs_to_the_largest_figure():
    drawn = bars("Pace", [("one", 1.0), ("two", 2.0)], "x")
    widths = [
        float(part.partition('"')[0])
        for part in drawn.split('<rect x="190" ')[1:]
        for part in [part.split('width="')[1]]
    ]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.1)


def test_figures_that_are_all_nothing_are_drawn_too():
    assert "0" in bars("Pace", [("one", 0.0)], "x")


@pytest.mark.engine
@pytest.mark.environment("modern")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("model", ["f5-tts", "xtts-v2", "chatterbox", "chatterbox-turbo"])
def test_one_command_measures_a_model_and_writes_figures_and_page(tmp_path: Path, model: str):
    from bench.gpu import main

    asked = ("--device", "cpu", "--tiny", "--models", model, "--rows", "1,2", "--rounds", "1")
    assert main([*asked, "--out", str(tmp_path)]) == 0
    (told,) = json.loads((tmp_path / "gpu.json").read_text())["models"]
    assert [each["rows"] for each in told["together"]] == [1, 2]
    assert all(each["audio_seconds_a_second"] > 0 < each["first_audio_p95"] for each in told["together"])
    assert told["upstream_audio_seconds_a_second"] > 0
    assert set(told["cold"]) == {"torch", "imports", "weights", "first_word", "total"}
    drawn = (tmp_path / "gpu.html").read_text()
    assert drawn.count("<svg") == 3
    assert "://" not in drawn


@pytest.mark.engine
@pytest.mark.environment("modern")
def test_without_a_card_it_says_how_to_rehearse(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import torch  # type: ignore[import-not-found,unused-ignore]

    from bench.gpu import main

    if torch.cuda.is_available():
        pytest.skip("there is a card")
    assert main(["--out", str(tmp_path)]) == 2
    assert "--device cpu --tiny" in capsys.readouterr().err
