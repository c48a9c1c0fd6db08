"""Each file is one dialect: `router` and nothing that computes. `TABLE` is all of them, in the documents' order."""

from fastapi import APIRouter

from server.dialects import elevenlabs, elevenlabs_live, live, openai, upkeep

TABLE: tuple[APIRouter, ...] = (
    upkeep.router,
    openai.router,
    elevenlabs.router,
    elevenlabs_live.router,
    live.router,
)
"""No two claim one route: a test compares them."""
