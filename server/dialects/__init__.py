"""Each file is one dialect: `router` and nothing that computes. `TABLE` is all of them, in the documents' order."""

from fastapi import APIRouter

from server.dialects import openai, runpod, upkeep

TABLE: tuple[APIRouter, ...] = (upkeep.router, openai.router, runpod.router)
"""No two claim one route: a test compares them."""
