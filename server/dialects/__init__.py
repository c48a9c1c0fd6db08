"""Each file is one dialect: `router` and nothing that computes. `TABLE` is all of them, in the documents' order."""

from fastapi import APIRouter

from server.dialects import chatterbox, elevenlabs, elevenlabs_live, live, openai, openspeakers, runpod, upkeep, xtts

TABLE: tuple[APIRouter, ...] = (
    upkeep.router,
    openai.router,
    runpod.router,
    elevenlabs.router,
    elevenlabs_live.router,
    *openspeakers.ROUTERS,
    chatterbox.router,
    chatterbox.sockets,
    xtts.router,
    live.router,
)
"""No two claim one route: a test compares them."""
