import pytest

from basics.errors import Failure
from basics.settings import Settings
from store.bucket import Bucket
from store.cached import Cached
from store.folder import Folder
from voices.place import place

BUCKET = {
    "BUCKET_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com",
    "BUCKET_ACCESS_KEY_ID": "an-id",
    "BUCKET_SECRET_ACCESS_KEY": "a-secret",
    "BUCKET_NAME": "speech",
    "BUCKET_PREFIX": "answers",
}


def test_the_first_voices_folder_that_exists_is_taken(tmp_path):
    (tmp_path / "two").mkdir()
    found = place(Settings.read({}), (tmp_path / "one", tmp_path / "two")).objects
    assert isinstance(found, Folder)
    assert found.root == tmp_path / "two"


def test_without_any_it_is_a_folder_beside_the_worker(tmp_path):
    found = place(Settings.read({}), (tmp_path / "one",)).objects
    assert isinstance(found, Folder)
    assert str(found.root) == "voices_data"


def test_a_bucket_is_reached_with_the_workers_own_keys_under_the_named_prefix():
    found = place(Settings.read(BUCKET | {"VOICES": "s3://people/our/voices/"}))
    assert isinstance(found.objects, Bucket)
    assert (found.objects.config.bucket, found.objects.config.prefix) == ("people", "our/voices/")
    assert [(shelf.bucket, shelf.prefix) for shelf in found.shelves] == [("people", "our/voices/")]


def test_of_two_places_the_second_only_caches(tmp_path):
    assert isinstance(place(Settings.read(BUCKET | {"VOICES": f"s3://speech/v,{tmp_path}"})).objects, Cached)


@pytest.mark.parametrize("voices", ["s3://speech/v", "s3:///v", "ftp://x/y", "a,b,c", "s3://speech/../v"])
def test_what_cannot_be_used_is_misconfigured_and_names_the_variable(voices):
    bucket = {} if voices == "s3://speech/v" else BUCKET
    with pytest.raises(Failure, match="VOICES") as caught:
        place(Settings.read(bucket | {"VOICES": voices}))
    assert caught.value.code == "misconfigured"
