"""The command `tts`: files, folders, lists, and one line when it fails."""

import asyncio
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from client import conversation
from client.batch import items, progress
from client.command import main
from client.errors import InvalidRequest, NotSupported
from client.player import Player
from tests.houses import decoded
from tests.server.openspeaking import serving, spoken
from tests.server.served import served
from tests.test_house import ROOT


async def run(*words: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "client",
        *words,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace"), err.decode()


async def test_say_writes_a_file_and_says_how_long_it_plays(tmp_path: Path) -> None:
    async with served(tmp_path, API_KEYS="secret") as client:
        near = {"TTS_URL": str(client.base_url), "TTS_KEY": "secret"}
        out = tmp_path / "a.flac"
        code, said, err = await run("say", "Hello there.", "--format", "flac", "--out", str(out), **near)
        assert (code, err) == (0, "")
        assert out.read_bytes().startswith(b"fLaC")
        assert " s\n" in said
        code, said, _ = await run("--json", "models", **near)
        assert "hibari" in {model["id"] for model in json.loads(said)["models"]}
        code, _, err = await run("say", "Hello.", "--voice", "nobody", "--out", str(out), **near)
        assert (code, err.startswith("unknown_voice: ")) == (1, True)
        code, _, err = await run("voices", TTS_URL=near["TTS_URL"])
        assert (code, err.startswith("unauthorised: ")) == (1, True)


async def test_batch_makes_a_file_for_each_row_and_goes_on_after_a_failure(tmp_path: Path) -> None:
    rows = 'id,text,voice,speed\nfirst,Hello there.,low,1.2\nsecond,Good day.,nobody,\n,"With, commas.",,\n'
    (tmp_path / "in.csv").write_text(rows)
    async with served(tmp_path) as client:
        near = {"TTS_URL": str(client.base_url)}
        words = ("batch", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out"), "--format", "mp3")
        code, said, err = await run("--json", *words, **near)
    assert code == 1
    assert json.loads(said)["done"] == 2
    assert err.startswith("second: unknown_voice: ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0003.mp3", "first.mp3"]


async def test_jobs_are_listed_told_heard_and_cancelled_by_their_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        near = {"TTS_URL": str(client.base_url)}
        id = await spoken(client)
        code, said, err = await run("jobs", "--status", "done", "--search", "morning", **near)
        assert (code, err, said.split("\t")[:2]) == (0, "", [id, "done"])
        code, said, _ = await run("jobs", id, "--json", **near)
        assert json.loads(said)["job"]["status"] == "done"
        code, _, err = await run("jobs", id, "--out", str(tmp_path / "again.wav"), **near)
        assert (code, err) == (0, "")
        assert (tmp_path / "again.wav").read_bytes().startswith(b"RIFF")
        code, _, err = await run("jobs", id, "--cancel", **near)
        assert (code, err.startswith("not_found: ")) == (1, True)


async def test_say_plays_aloud_while_it_is_made_and_keeps_what_it_played(tmp_path: Path) -> None:
    player = tmp_path / "ffplay"
    player.write_text(f"#!/bin/sh\ncat > {tmp_path}/heard\n")
    player.chmod(0o755)
    async with served(tmp_path) as client:
        near = {"TTS_URL": str(client.base_url), "PATH": f"{tmp_path}:/usr/bin:/bin"}
        code, _, err = await run("say", "Hello there.", "--play", "--out", str(tmp_path / "kept.mp3"), **near)
    assert (code, err) == (0, "")
    assert (tmp_path / "heard").read_bytes() == (tmp_path / "kept.mp3").read_bytes()
    assert len(decoded((tmp_path / "heard").read_bytes())[0]) > 10_000


def test_a_text_is_taken_by_line_or_by_paragraph(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("One.\nTwo.\n\nThree.\n")
    assert [item.fields["text"] for item in items(source)] == ["One.", "Two.", "Three."]
    assert [item.fields["text"] for item in items(source, "paragraph")] == ["One.\nTwo.", "Three."]


@pytest.mark.parametrize("row", ["id,text\n../x,Hello.", "text,speed\nHello.,fast", "id,voice\na,b"])
def test_a_row_that_cannot_be_spoken_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "a.csv").write_text(row)
    with pytest.raises(InvalidRequest, match="Row 1"):
        items(tmp_path / "a.csv")


def test_the_bar_is_drawn_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        progress(2, out)(1, 1)
    assert "1/2, 1 failed" in terminal.getvalue()
    assert file.getvalue() == ""


def test_a_player_hears_what_it_is_fed(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    with Player((("no-such-player",), ("tee", str(heard)))) as player:
        player.feed(b"one")
        player.feed(b"two")
    assert heard.read_bytes() == b"onetwo"
    with pytest.raises(NotSupported, match="no-such-player"):
        Player((("no-such-player",),))


def test_nobody_there_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "LONGEST_PAUSE", 0.0)
    assert main(["--url", "http://127.0.0.1:9", "voices"]) == 1
    assert capsys.readouterr().err.startswith("unreachable: ")
