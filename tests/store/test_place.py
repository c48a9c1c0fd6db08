from basics.settings import Settings
from store.bucket import Bucket
from store.folder import Folder
from store.place import place

VARIABLES = {
    "BUCKET_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com",
    "BUCKET_ACCESS_KEY_ID": "an-id",
    "BUCKET_SECRET_ACCESS_KEY": "a-secret",
    "BUCKET_NAME": "speech",
}


def test_the_store_is_the_bucket_where_one_is_set(tmp_path):
    store, warning = place(Settings.read(VARIABLES), tmp_path)
    assert isinstance(store, Bucket)
    assert warning is None


def test_without_a_bucket_it_is_a_folder_on_the_volume(tmp_path):
    store, _ = place(Settings.read({}), tmp_path)
    assert isinstance(store, Folder)
    store.put("a", b"x")
    assert (tmp_path / "worker-tts" / "a").read_bytes() == b"x"


def test_with_neither_there_is_none_and_a_half_set_bucket_is_warned_of(tmp_path):
    store, warning = place(Settings.read({"BUCKET_NAME": "speech"}), tmp_path / "not-mounted")
    assert store is None
    assert "BUCKET_ENDPOINT_URL" in warning
