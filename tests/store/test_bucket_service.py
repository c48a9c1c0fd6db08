import pytest

from store.bucket import Bucket
from tests.store.seaweed import fetched

pytestmark = pytest.mark.service


def test_a_presigned_url_gives_the_bytes_and_their_type_to_anyone(seaweed, bucket_name):
    bucket = Bucket(seaweed.config(bucket_name))
    bucket.put("a/b.mp3", b"0123456789", "audio/mpeg")
    url = bucket.presign("a/b.mp3", 60)
    status, headers, body = fetched(url)
    assert (status, headers["Content-Type"], body) == (200, "audio/mpeg", b"0123456789")
