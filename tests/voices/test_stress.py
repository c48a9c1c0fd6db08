from functools import partial

import pytest

from store.bucket import Bucket
from store.folder import Folder
from tests.store.seaweed import Seaweed
from tests.voices.stress import stressed

WORKERS = 8


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_eight_workers_on_a_folder_lose_nothing_and_read_nothing_by_halves(tmp_path, seconds):
    tallies = stressed(partial(Folder, tmp_path), WORKERS, seconds)
    assert sum(tally.reads for tally in tallies)


@pytest.mark.service
@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_eight_workers_on_a_bucket_lose_nothing_and_read_nothing_by_halves(
    seaweed: Seaweed, bucket_name: str, seconds: float
):
    tallies = stressed(partial(Bucket, seaweed.config(bucket_name)), WORKERS, seconds)
    assert sum(tally.reads for tally in tallies)
