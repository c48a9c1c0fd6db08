"""OpenSpeakers' API: jobs, batches, voices, models and the system, each noun in a file of its own.

What a client of theirs reads is as they have it, their names of models too; what this worker can do beyond that is
taken under our own words. What it cannot do is refused.
"""

from server.dialects.openspeakers import batches, events, jobs, models, system, voices

ROUTERS = (
    jobs.router,
    batches.router,
    voices.router,
    models.router,
    system.router,
    system.sockets,
    events.router,
)
