"""What is kept of an accepted job for whoever takes it up after its process died, and whether it is to be run again."""

import json

from basics.errors import Failure
from operations.job import Job
from store.history.record import Work

MOST_BEGUN = 3
"""A job that was begun this often and never ended takes its process with it."""


def work_of(job: Job) -> Work:
    """The keys of a job's own bucket are never stored, so that such a job cannot be run again."""
    secret = job.s3 is not None or (isinstance(job.input, dict) and "s3Config" in job.input)
    return Work(job.id, "" if secret else json.dumps(job.input))


def hopeless(work: Work) -> Failure | None:
    """Why a job that was left is not run again."""
    if not work.wanted:
        return Failure("cancelled", "The job was cancelled.")
    if not work.input:
        return Failure(
            "internal",
            "The server ended while it ran the job, and keys that came with it are never stored.",
            hint="Send it again.",
            retryable=True,
        )
    if work.begun > MOST_BEGUN:
        return Failure("internal", f"The job was begun {MOST_BEGUN} times, and each time the server ended with it.")
    return None
