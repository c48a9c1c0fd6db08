"""What platforms and their operators ask: is it up, is it ready, how does it do."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from server import keys
from server.asking import answered, executor_of
from server.replies import Plain, faults, plain, shaped

router = APIRouter(tags=["operations"], route_class=shaped(plain), responses=faults(Plain))


@router.get(
    "/ping",
    response_class=Response,
    responses={204: {"description": "Loading"}},
    summary="204 while loading, 200 when ready",
)
async def ping(request: Request) -> Response:
    readiness = await executor_of(request).readiness()
    if readiness.failure is not None:
        return plain(readiness.failure)
    return Response(status_code=200 if readiness.ready else 204)


@router.get("/health", summary="How the worker is")
async def health(request: Request) -> dict[str, Any]:
    readiness = await executor_of(request).readiness()
    if readiness.failure is not None:
        raise readiness.failure
    if not readiness.ready:
        return {"status": "loading"}
    return (await answered(request, {"op": "system.health"})).answer


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Figures as Prometheus reads them",
    dependencies=[Depends(keys.checked)],
)
async def metrics(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await executor_of(request).metrics(), media_type="text/plain; version=0.0.4")
