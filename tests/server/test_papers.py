"""The calls that the papers show, sent as they stand to a server that speaks with Tone."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.houses import decoded
from tests.server.openspeaking import serving
from tests.test_papers import ROOT
from tests.voices.speaking import encoded, speech

HERE = "http://127.0.0.1:8000"
PAPERS = ("docs/dialects.md", "docs/http.md")


@dataclass
class Call:
    """What curl would send."""

    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    form: dict[str, str] = field(default_factory=dict)
    into: str = ""

    @classmethod
    def of(cls, command: str) -> "Call":
        words = iter(shlex.split(command)[1:])
        call = cls("")
        for word in words:
            match word:
                case "-H":
                    name, _, value = next(words).partition(": ")
                    call.headers[name] = value
                case "-d":
                    call.body = next(words)
                case "-F":
                    name, _, value = next(words).partition("=")
                    call.form[name] = value
                case ">":
                    call.into = next(words)
                case _:
                    assert word.startswith(HERE), word
                    call.path = word.removeprefix(HERE)
        return call

    async def sent(self, client: httpx.AsyncClient, recording: bytes) -> httpx.Response:
        files = {name: (value[1:], recording) for name, value in self.form.items() if value.startswith("@")}
        data = {name: value for name, value in self.form.items() if name not in files}
        method = "POST" if self.body is not None or self.form else "GET"
        return await client.request(
            method, self.path, headers=self.headers, content=self.body, data=data or None, files=files or None
        )


def calls(paper: str) -> list[Call]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / paper).read_text(), re.DOTALL)
    commands = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [Call.of(command) for command in commands if command.startswith("curl ")]


@pytest.mark.parametrize("paper", PAPERS)
async def test_what_the_papers_call_is_answered(tmp_path: Path, paper: str) -> None:
    recording = encoded(speech(1))
    shown = calls(paper)
    assert shown
    async with serving(tmp_path) as client:
        for call in shown:
            answer = await call.sent(client, recording)
            assert answer.is_success, (call.path, answer.text)
            if call.into:
                assert len(decoded(answer.content)[0]) > 10_000
