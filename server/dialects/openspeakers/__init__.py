"""OpenSpeakers' API: jobs, batches, voices, models and the system, each noun in a file of its own.

What a client of theirs reads is as they have it, their names of models too; what this worker can do beyond that is
taken under our own words. What it cannot do is refused.
"""

from fastapi import APIRouter

from server.dialects.openspeakers import batches, events, jobs, models, system, voices

router = APIRouter()
for noun in (jobs, batches, voices, models, system, events):
    router.include_router(noun.router)
