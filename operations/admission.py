"""Whether a door that would rather refuse than keep its caller waiting takes another job. Loads nothing.

The queue's door does not ask: what is too much for this worker waits in its line.
"""

from basics.errors import Failure
from operations.house import House
from operations.job import Job

MOST_JOBS = 256
"""At once, where MAX_CONCURRENCY does not say: a job that waits holds little but its text."""
SPEAKING = {"speak", "convert", "voices.test"}


def admit(job: Job, house: House) -> None:
    """Raises `busy`. Of what is wrong with the job it says nothing: `answer` will."""
    if len(house.running) >= (house.settings.max_concurrency or MOST_JOBS):
        raise Failure("busy", "This worker holds as many jobs as it can; try again in a moment.")
    if job.goes_on or not isinstance(job.input, dict) or job.input.get("op", "speak") not in SPEAKING:
        return
    model = job.input.get("model") or house.catalogue.default.id
    try:
        house.manager.admit(str(model))
    except Failure as refused:
        if refused.code == "busy":
            raise
