import asyncio
import hashlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.limits import ANSWER_BYTES, INLINE_BYTES, REST_BYTES
from basics.settings import Settings
from speech.delivery import SPARE_BYTES, Delivery, Recording, choose
from speech.formats import FORMATS
from store.bucket import Bucket
from store.bucket_config import BucketConfig
from store.folder import Folder
from tests.store.seaweed import fetched

FITS_INLINE = INLINE_BYTES // 4 * 3
FITS_ANSWER = (ANSWER_BYTES - 1 - REST_BYTES) // 4 * 3
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
S3 = {"endpointUrl": "https://s3.eu-west-1.amazonaws.com", "accessId": "a", "accessSecret": "s", "bucketName": "books"}


def refused(call, *arguments):
    with pytest.raises(Failure) as caught:
        call(*arguments)
    return caught.value


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


def on_volume(folder, has_volume=False, bucket=None, seconds=3600):
    return Delivery(bucket, Folder(folder), has_volume, seconds, now=lambda: NOON)


def wav(source, seconds=1.23456):
    return Recording(source, "wav", 24_000, seconds)


class Held(Folder):
    """A folder whose file stands before the put returns, which it does when let."""

    def __init__(self, root):
        super().__init__(root)
        self.stands, self.let = threading.Event(), threading.Event()
        self.deleted = threading.Event()

    def put(self, *arguments, **named):
        etag = super().put(*arguments, **named)
        self.stands.set()
        assert self.let.wait(60)
        return etag

    def delete(self, key):
        super().delete(key)
        self.deleted.set()


class Endless(Folder):
    """A folder that writes until it is told to stop."""

    def put(self, *arguments, cancel, **named):
        self.told = threading.Event()
        while not cancel.is_set():
            time.sleep(0.001)
        self.told.set()
        raise Failure("cancelled", "Stopped.")


@pytest.mark.parametrize(
    ("size", "has_bucket", "has_volume", "expected"),
    [
        (0, True, True, "inline"),
        (FITS_INLINE, True, True, "inline"),
        (FITS_INLINE + 1, True, True, "url"),
        (FITS_INLINE + 1, True, False, "url"),
        (FITS_INLINE + 1, False, True, "volume"),
        (FITS_INLINE + 1, False, False, "inline"),
        (FITS_ANSWER, False, False, "inline"),
        (FITS_ANSWER + 1, False, True, "volume"),
        (10**9, True, False, "url"),
    ],
)
def test_auto_takes_the_first_place_that_holds_the_file(size, has_bucket, has_volume, expected):
    assert choose("auto", size, has_bucket, has_volume) == expected


@pytest.mark.parametrize("asked", ["auto", "inline"])
def test_what_fits_nowhere_is_refused_before_synthesis_and_formats_that_would_fit_are_named(asked):
    others = {"flac": FITS_ANSWER + 1, "mp3": FITS_ANSWER, "opus": 1000}
    failure = refused(choose, asked, FITS_ANSWER + 1, False, False, others)
    assert (failure.code, failure.field) == ("payload_too_large", "format")
    assert "mp3, opus" in failure.hint
    assert "flac" not in failure.hint
    assert "9 MB" in failure.message


def test_where_no_format_would_fit_the_hint_names_other_places():
    failure = refused(choose, "auto", 10**9, False, False, {"opus": 10**8})
    assert failure.field == "delivery"
    assert "bucket" in failure.hint
    assert "volume" in failure.hint


def test_inline_asked_for_by_name_goes_up_to_the_answer_s_limit_even_with_a_bucket():
    assert choose("inline", FITS_ANSWER, True, True) == "inline"


def test_a_url_without_a_bucket_names_the_variables():
    failure = refused(choose, "url", 1, False, True)
    assert failure.code == "misconfigured"
    for variable in ("BUCKET_ENDPOINT_URL", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY", "BUCKET_NAME"):
        assert variable in failure.message
    assert "s3Config" in failure.message


@pytest.mark.parametrize("asked", ["volume", "stream"])
def test_a_volume_and_a_stream_hold_any_size(asked):
    assert choose(asked, 10**12, False, False) == asked


def test_a_runpod_volume_s_endpoint_is_no_place_for_urls(tmp_path):
    endpoint = {"endpointUrl": "https://s3api-eu-ro-1.runpod.io"}
    delivery = on_volume(tmp_path, has_volume=True, bucket=Bucket(BucketConfig.of_job(S3 | endpoint)))
    assert delivery.choose("auto", FITS_INLINE + 1) == "volume"
    assert delivery.for_keeping == "volume"
    failure = refused(delivery.choose, "url", 1)
    assert failure.code == "misconfigured"
    assert "volume" in failure.hint


async def test_an_inlined_file_is_described_and_its_bytes_lie_beside(tmp_path):
    (tmp_path / "made.wav").write_bytes(b"sound")
    for source in (b"sound", tmp_path / "made.wav"):
        delivered = await on_volume(tmp_path / "out").deliver(wav(source), "inline", "job", threading.Event())
        assert delivered.data == b"sound"
        assert delivered.answer == {
            "audio": {
                "format": "wav",
                "sample_rate": 24_000,
                "bytes": 5,
                "duration": 1.235,
                "sha256": hashlib.sha256(b"sound").hexdigest(),
            }
        }
        await delivered.withdraw()
    assert files(tmp_path) == [tmp_path / "made.wav"]


async def test_a_file_on_the_volume_lies_by_day_and_job(tmp_path):
    delivered = await on_volume(tmp_path).deliver(wav(b"sound"), "volume", "job-1", threading.Event())
    (path,) = files(tmp_path)
    assert delivered.answer["audio"]["path"] == str(path)
    assert path.relative_to(tmp_path).as_posix().startswith("2026/11/21/job-1/speech-")
    assert path.suffix == ".wav"
    assert path.read_bytes() == b"sound"
    assert delivered.data is None
    await delivered.withdraw()
    await delivered.withdraw()
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_keeps_its_name_in_the_answer_and_its_extension_in_the_path(tmp_path, name):
    recording = Recording(b"x", name, 8_000, 1.0)
    audio = (await on_volume(tmp_path).deliver(recording, "volume", "job", threading.Event())).audio
    assert audio["format"] == name
    assert audio["path"].endswith(f".{FORMATS[name].extension}")


@pytest.mark.parametrize("job_id", ["../../etc", "a/b", "", "ü", "x" * 500, "a\x00b", "\ud800", ".", "a.b"])
async def test_no_job_s_name_leads_out_of_the_folder(tmp_path, job_id):
    delivered = await on_volume(tmp_path / "out").deliver(wav(b"x"), "volume", job_id, threading.Event())
    assert files(tmp_path) == [Path(delivered.audio["path"])]
    assert Path(delivered.audio["path"]).is_relative_to(tmp_path / "out" / "2026" / "11" / "21")


async def test_one_job_s_files_and_jobs_of_like_names_never_meet(tmp_path):
    delivery = on_volume(tmp_path)
    for job_id in ("a/b", "a_b", "a:b", "a/b", "a_b"):
        await delivery.deliver(wav(b"x"), "volume", job_id, threading.Event())
    assert len(files(tmp_path)) == 5
    assert len(list((tmp_path / "2026/11/21").iterdir())) == 3


async def test_a_file_larger_than_estimated_goes_where_it_fits_and_says_so(tmp_path):
    larger = wav(bytes(FITS_INLINE + 1))
    delivered = await on_volume(tmp_path, has_volume=True).deliver(larger, "inline", "job", threading.Event())
    assert delivered.data is None
    assert len(files(tmp_path)) == 1
    assert "larger" in delivered.warnings[0]


async def test_a_file_larger_than_estimated_stays_inline_while_the_answer_holds_it(tmp_path):
    delivered = await on_volume(tmp_path).deliver(wav(bytes(FITS_INLINE + 1)), "inline", "job", threading.Event())
    assert len(delivered.data) == FITS_INLINE + 1
    assert delivered.warnings == ()


async def test_inline_asked_for_by_name_is_moved_only_by_the_answer_s_limit(tmp_path):
    delivery, rest = on_volume(tmp_path, has_volume=True), {"captions": "x" * 1000}
    room = (ANSWER_BYTES - 1 - SPARE_BYTES - len('{"captions": ""}') - 1000) // 4 * 3
    last = await delivery.deliver(wav(bytes(room)), "inline", "job", threading.Event(), "inline", rest)
    assert len(last.data) == room
    over = await delivery.deliver(wav(bytes(room + 1)), "inline", "job", threading.Event(), "inline", rest)
    assert over.audio["path"]
    assert over.warnings


async def test_a_file_that_turned_out_too_large_for_every_place_is_told(tmp_path):
    with pytest.raises(Failure) as caught:
        await on_volume(tmp_path).deliver(wav(bytes(ANSWER_BYTES)), "inline", "job", threading.Event())
    assert caught.value.code == "payload_too_large"


@pytest.mark.parametrize("kind", ["inline", "volume"])
async def test_a_job_cancelled_before_its_delivery_leaves_no_file(tmp_path, kind):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure) as caught:
        await on_volume(tmp_path).deliver(wav(b"x"), kind, "job", cancel)
    assert caught.value.code == "cancelled"
    assert files(tmp_path) == []


async def test_a_job_cancelled_while_its_file_is_stored_leaves_none(tmp_path):
    volume, cancel = Held(tmp_path), threading.Event()
    delivery = Delivery(None, volume, False, 60)
    delivering = asyncio.create_task(delivery.deliver(wav(b"x"), "volume", "job", cancel))
    await asyncio.to_thread(volume.stands.wait, 60)
    cancel.set()
    volume.let.set()
    with pytest.raises(Failure) as caught:
        await delivering
    assert caught.value.code == "cancelled"
    assert files(tmp_path) == []


async def test_a_task_cancelled_while_its_file_is_stored_ends_at_once_and_leaves_none(tmp_path):
    volume = Held(tmp_path)
    delivering = asyncio.create_task(
        Delivery(None, volume, False, 60).deliver(wav(b"x"), "volume", "job", threading.Event())
    )
    await asyncio.to_thread(volume.stands.wait, 60)
    delivering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivering
    assert files(tmp_path)
    volume.let.set()
    assert await asyncio.to_thread(volume.deleted.wait, 60)
    assert files(tmp_path) == []


async def test_a_long_upload_is_told_to_stop_when_nobody_waits_for_it_any_more(tmp_path):
    volume = Endless(tmp_path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Delivery(None, volume, False, 60).deliver(wav(b"x"), "volume", "job", threading.Event())
    assert await asyncio.to_thread(volume.told.wait, 60)


async def test_a_task_cancelled_between_the_thread_s_end_and_its_own_leaves_no_file(tmp_path):
    """The thread has had its last look at the flag when the cancel comes."""
    volume = Held(tmp_path)
    volume.let.set()

    class Finished(ThreadPoolExecutor):
        def submit(self, *arguments, **named):
            future = super().submit(*arguments, **named)
            wait([future])
            if volume.stands.is_set():
                delivering.cancel()
            return future

    asyncio.get_running_loop().set_default_executor(Finished())
    delivering = asyncio.create_task(
        Delivery(None, volume, False, 60).deliver(wav(b"x"), "volume", "job", threading.Event())
    )
    with pytest.raises(asyncio.CancelledError):
        await delivering
    for _ in range(10):
        await asyncio.sleep(0)
    assert volume.stands.is_set()
    assert files(tmp_path) == []


async def test_a_volume_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Failure) as caught:
        await on_volume(tmp_path / "file").deliver(wav(b"x"), "volume", "job", threading.Event())
    assert caught.value.code == "storage_failed"


async def test_a_job_s_bucket_goes_before_the_worker_s_and_is_judged_first(tmp_path):
    settings = Settings.read({"AUDIO_OUTPUT_DIR": str(tmp_path), "BUCKET_URL_SECONDS": "77"})
    worker = Bucket(BucketConfig.of_job(S3))
    assert (await Delivery.of_job(settings, worker)).bucket is worker
    with pytest.raises(Failure) as caught:
        await Delivery.of_job(settings, worker, S3 | {"endpointUrl": "http://169.254.169.254"})
    assert caught.value.code == "reference_refused"
    with pytest.raises(Failure) as caught:
        await Delivery.of_job(settings, worker, {"bucketName": "books"})
    assert caught.value.code == "invalid_input"
    allowing = Settings.read({"ALLOW_HOSTS": "127.0.0.1", "AUDIO_OUTPUT_DIR": str(tmp_path)})
    delivery = await Delivery.of_job(allowing, worker, S3 | {"endpointUrl": "http://127.0.0.1:1"})
    assert delivery.bucket is not worker
    assert (delivery.has_bucket, delivery.has_volume, delivery.for_keeping) == (True, True, "url")


async def test_without_any_bucket_a_kept_stream_goes_to_the_volume(tmp_path):
    assert (await Delivery.of_job(Settings.read({}), None)).for_keeping == "volume"


async def test_a_bucket_that_hangs_up_fails_the_job_and_not_the_loop(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    delivery = on_volume(tmp_path, bucket=Bucket(BucketConfig.of_job(S3 | {"endpointUrl": f"http://{host}"}, (host,))))
    with pytest.raises(Failure) as caught:
        await delivery.deliver(wav(b"x"), "url", "job", threading.Event())
    assert (caught.value.code, caught.value.retryable) == ("storage_failed", True)


@pytest.mark.service
async def test_a_job_s_own_bucket_takes_the_file_and_its_url_plays_until_it_expires(seaweed, bucket_name, tmp_path):
    settings = Settings.read(
        {"ALLOW_HOSTS": seaweed.host, "BUCKET_URL_SECONDS": "3600", "AUDIO_OUTPUT_DIR": str(tmp_path)}
    )
    delivery = await Delivery.of_job(settings, None, seaweed.job(bucket_name, prefix="mine"))
    before = datetime.now(UTC).timestamp()
    assert delivery.choose("auto", FITS_INLINE + 1) == "url"
    recording = Recording(b"RIFFsound", "mp3", 24_000, 2.0)
    delivered = await delivery.deliver(recording, "url", "job-1", threading.Event(), asked="url")
    answer = delivered.answer
    assert answer["audio_url"] == answer["audio"]["url"]
    assert "X-Amz-Expires=3600" in answer["audio_url"]
    assert f"/{bucket_name}/mine/" in answer["audio_url"]
    assert "/job-1/speech-" in answer["audio_url"]
    expires = datetime.strptime(answer["audio"]["expires_at"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert before + 3598 <= expires <= datetime.now(UTC).timestamp() + 3600
    status, headers, body = await asyncio.to_thread(fetched, answer["audio_url"])
    assert (status, headers["Content-Type"], body) == (200, "audio/mpeg", b"RIFFsound")
    assert hashlib.sha256(body).hexdigest() == answer["audio"]["sha256"]
    await delivered.withdraw()
    assert (await asyncio.to_thread(fetched, answer["audio_url"]))[0] == 404
    assert files(tmp_path) == []


@pytest.mark.service
async def test_a_file_larger_than_estimated_goes_to_the_bucket_and_a_cancelled_one_leaves_it_empty(
    seaweed, bucket_name, tmp_path
):
    bucket = Bucket(seaweed.config(bucket_name))
    delivery = on_volume(tmp_path, bucket=bucket)
    delivered = await delivery.deliver(wav(bytes(FITS_INLINE + 1)), "inline", "job", threading.Event())
    assert delivered.audio["url"]
    await delivered.withdraw()
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Failure):
        await delivery.deliver(wav(bytes(20_000_000)), "url", "job", cancel)
    assert list(bucket.list()) == []
