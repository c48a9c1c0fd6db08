"""One deployed RunPod endpoint, as the platform's queue API shows it: run, stream, status, cancel, health.

A request whose bytes may have arrived is never sent again here; whoever asks says what may be asked twice. Each
refusal of the platform is a Failure that says whose fault it is. Knows no events.
"""

import asyncio
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from basics.errors import Failure

RUN_BYTES, SYNC_BYTES = 10_000_000, 20_000_000
"""The platform's limits of one request."""
CONNECTIONS = 256
"""To the platform, for all endpoints: it takes 400 at once of a kind."""
CONNECT_SECONDS, READ_SECONDS = 10.0, 30.0
REFUSED = {429, 425}
"""Answers that say that nothing was done."""
AWAY = {500, 502, 503, 504, 520, 521, 522, 523, 524}
TRIES = 4
PAUSE_SECONDS, LONGEST_PAUSE = 0.25, 5.0


def session(key: str) -> aiohttp.ClientSession:
    """One for all endpoints. The key goes to the platform's address and nowhere else: redirects are not followed."""
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
    headers = {"Authorization": f"Bearer {key}"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers)


class Unanswered(Failure):
    """The request may have arrived, its answer did not."""

    def __init__(self, message: str) -> None:
        super().__init__("timed_out", message)


@dataclass(slots=True)
class Endpoint:
    id: str
    address: str
    """Of the platform's API; the endpoint's id comes behind it."""
    session: aiohttp.ClientSession
    asked: Counter[str] = field(default_factory=Counter)
    """How often the platform gave which answer, `lost` where it gave none."""

    async def run(self, body: dict[str, Any], *, twice: bool = False, tries: int = TRIES) -> str:
        """The job's id. `twice`: whether it does no harm to submit it again when the answer was lost."""
        told = await self._call("POST", "run", self._written(body, RUN_BYTES), again=twice, tries=tries)
        if not isinstance(told.get("id"), str):
            raise Failure("internal", "The platform took the job and named no id.")
        return str(told["id"])

    async def run_sync(self, body: dict[str, Any], wait_seconds: float) -> dict[str, Any]:
        """The job as it stands after so long, for what may be asked twice."""
        path = f"runsync?wait={int(wait_seconds * 1000)}"
        return await self._call("POST", path, self._written(body, SYNC_BYTES), again=True, seconds=wait_seconds)

    async def stream(self, job: str, tries: int = TRIES) -> tuple[str, list[Any]]:
        """The status, and what was said since the last look. Nobody else may look; an answer that is lost is gone."""
        told = await self._call("GET", f"stream/{job}", again=True, tries=tries)
        said = told.get("stream") or []
        return str(told.get("status", "")), [each.get("output") for each in said if isinstance(each, dict)]

    async def status(self, job: str, tries: int = TRIES) -> dict[str, Any]:
        return await self._call("GET", f"status/{job}", again=True, tries=tries)

    async def cancel(self, job: str) -> None:
        await self._call("POST", f"cancel/{job}", b"{}", again=True)

    async def health(self) -> dict[str, Any]:
        return await self._call("GET", "health", again=True, tries=1)

    def _written(self, body: dict[str, Any], most: int) -> bytes:
        written = json.dumps(body).encode()
        if len(written) > most:
            raise Failure(
                "payload_too_large",
                f"The request has {len(written) / 1e6:.1f} MB; RunPod takes {most / 1e6:g}.",
                hint="Send shorter recordings, or put them where the endpoint reaches them and name the address.",
            )
        return written

    async def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        again: bool,
        tries: int = TRIES,
        seconds: float = 0.0,
    ) -> dict[str, Any]:
        pause = PAUSE_SECONDS
        for left in reversed(range(tries)):
            try:
                return await self._once(method, path, body, seconds)
            except Failure as failure:
                lost = isinstance(failure, Unanswered)
                if not left or not failure.retryable or (lost and not again):
                    raise _twice(failure) if lost and not again else failure from None
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, body: bytes | None, seconds: float) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS, sock_read=READ_SECONDS + seconds)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        url = f"{self.address}/{self.id}/{path}"
        try:
            # Bytes as they are would be sent in one go, which aiohttp warns of above a megabyte.
            data = io.BytesIO(body) if body is not None else None
            async with self.session.request(
                method, url, data=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as reply:
                raw = await reply.read()
                self.asked[str(reply.status)] += 1
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self.asked["lost"] += 1
            raise Failure("timed_out", f"RunPod cannot be reached ({type(error).__name__}).") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            self.asked["lost"] += 1
            raise Unanswered(f"RunPod did not answer ({type(error).__name__}).") from None
        return self._read(reply.status, raw)

    def _read(self, status: int, raw: bytes) -> dict[str, Any]:
        if status in (401, 403):
            raise Failure("misconfigured", "RunPod refused the key in RUNPOD_API_KEY.")
        if status == 404:
            raise Failure("not_found", f"RunPod knows no endpoint `{self.id}`, or no longer the job.")
        if status in REFUSED:
            raise Failure("busy", "RunPod answers that too much is asked of the endpoint; try again shortly.")
        if status in AWAY:
            raise Unanswered(f"RunPod answered {status}.")
        if status >= 300:
            raise Failure("internal", f"RunPod answered {status}, which it should not.", retryable=False)
        try:
            told = json.loads(raw)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Failure("internal", "RunPod answered something that is no job.", retryable=False)
        return told


def _twice(failure: Failure) -> Failure:
    return Failure(
        "timed_out",
        f"{failure.message} The job may have been queued all the same, so it is not sent a second time.",
        hint="Send it again if hearing it twice, or paying for it twice, does no harm; or give it a `key`.",
    )
