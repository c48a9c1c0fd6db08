"""The door: a RunPod job in, events out, and the four ways to start. No logic.

    python handler.py                     by hand: speaks test_input.json, or --text, into out/
    python handler.py --rp_serve_api      the SDK's local server; also its realtime mode
    MODE=http python handler.py           the HTTP server of `server/`
    on RunPod                             the SDK's loop over the queue

Start reading at `handler_for`. What an answer looks like on the queue is in `operations/queue.py`, how the worker
leaves in `operations/shift.py`, what a job does in `operations/answer.py`.
"""

import asyncio
import logging
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from basics import log as lines
from basics import settings as environment
from basics.errors import Failure
from basics.settings import Settings
from operations import byhand
from operations.opening import Answer, Opened, Opening, opened, refusing
from operations.proxied import talk as talk_of
from operations.queue import Talk, collected, job_of
from operations.shift import Shift, fit

log = logging.getLogger("worker.handler")

Handler = Callable[[dict[str, Any]], Any]

TESTED = ("1.12.0",)
"""Versions of the SDK with which `Config` and `Post.complete` were seen to work; tests/platform guards both."""
LEAST_PLACES = 4
"""With one place the SDK idles a second between jobs."""
HOPELESS = (3, 60.0)
"""Jobs and seconds after which a worker that cannot work leaves, where another host may do better."""

_kept: ContextVar[bool] = ContextVar("kept", default=True)


class Config(dict[str, Any]):
    """The SDK asks its configuration once a yield, in the job's task, whether the final answer keeps that yield."""

    def get(self, key: str, default: Any = None) -> Any:
        return _kept.get() if key == "return_aggregate_stream" else super().get(key, default)


def handler_for(answer: Answer, shift: Shift) -> Handler:
    """The handler on the queue: everything goes to the job's stream, and only its last word into the answer."""

    async def handler(job: dict[str, Any]) -> AsyncGenerator[Any, None]:
        async for post in _talk(job, answer, shift).posts():
            _kept.set(post.last)
            yield post.payload
            post.complete()

    return handler


def collector_for(answer: Answer, shift: Shift) -> Handler:
    """The handler where nothing streams: the SDK's servers, and versions of the SDK that were not tested."""

    async def handler(job: dict[str, Any]) -> list[Any] | dict[str, Any]:
        return await collected(_talk(job, answer, shift).posts())

    return handler


def _talk(raw: dict[str, Any], answer: Answer, shift: Shift) -> Talk:
    job = job_of(raw)
    talk = talk_of(job, answer)
    shift.hold(job, talk)
    return talk


def main(arguments: Sequence[str], opened: Opening = opened, sdk: str = "") -> int:
    """Chooses the way to start before anything heavy is imported. `sdk` is the version to take it for; tests say so."""
    environment.quieten_sdk()
    chosen, strange = byhand.parser().parse_known_args(arguments)
    door = "hand" if chosen.test_input or chosen.text else environment.started_by()
    settings = Settings()
    lines.set_up(settings.log_level, as_json=door != "hand")
    try:
        settings = Settings.read()
        lines.set_up(settings.log_level, as_json=door != "hand")
        if settings.mode == "http":
            from server.serving import serve as serve_http

            return serve_http(settings)
        if door == "hand" and not chosen.rp_serve_api:
            return by_hand(settings, chosen, strange, opened)
        house = _beside_the_sdk(settings, opened)
    except Failure as failure:
        if door == "hand":
            return _complain(failure, 2)
        house = refusing(failure)
    return serve(settings, house, streams=door == "queue" and not chosen.rp_serve_api, sdk=sdk)


def by_hand(settings: Settings, chosen: Namespace, strange: Sequence[str], opened: Opening) -> int:
    job = byhand.job(chosen, strange)
    folder = chosen.out or settings.output_dir
    settings = settings.model_copy(update={"audio_output_dir": folder})
    heard = asyncio.run(byhand.perform(job, settings, opened))
    if heard.error:
        return _complain(heard.error, 1)
    sys.stdout.write(byhand.write(heard, folder, job.id) + "\n")
    return 0


def serve(settings: Settings, house: Opened, *, streams: bool, sdk: str) -> int:
    """Under the SDK. Its count of what it took closes a gap of 0.1 s; an SDK that was not tested may not have it."""
    import runpod  # type: ignore[import-untyped]

    version = sdk or runpod.__version__
    places = max(LEAST_PLACES, settings.max_concurrency or 0)
    shift = Shift(places, settings.shutdown_seconds, house.close, heartbeat=settings.heartbeat_file)
    shift.patience = HOPELESS if house.hopeless else None
    log.info("starting", extra={"sdk": version, "places": places})
    if version in TESTED:
        from runpod.serverless.modules.worker_state import JobsProgress  # type: ignore[import-untyped]

        shift.taken = JobsProgress().get_job_count
    elif streams:
        log.warning("sdk_not_tested", extra={"version": version, "tested": TESTED, "so": "answers do not stream"})
    runpod.serverless.register_fitness_check(fit)
    handler = handler_for if streams and version in TESTED else collector_for
    runpod.serverless.start(Config(handler=handler(house.answer, shift), concurrency_modifier=shift.places))
    asyncio.run(house.close())
    return 0


def _beside_the_sdk(settings: Settings, opened: Opening) -> Opened:
    """Importing the SDK takes over a second: the house opens meanwhile."""
    with ThreadPoolExecutor(1) as beside:
        house = beside.submit(lambda: asyncio.run(opened(settings)))
        import runpod  # noqa: F401
    return house.result()


def _complain(failure: Failure, code: int) -> int:
    sys.stderr.write(" ".join(filter(None, (f"{failure.code}: {failure.message}", failure.hint))) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
