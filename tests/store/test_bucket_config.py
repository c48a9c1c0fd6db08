import subprocess
import sys
from pathlib import Path

import pytest

from basics.errors import Failure
from basics.settings import Settings
from store.bucket import Bucket
from store.bucket_config import BucketConfig

ROOT = Path(__file__).parents[2]
VARIABLES = {
    "BUCKET_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com",
    "BUCKET_ACCESS_KEY_ID": "an-id",
    "BUCKET_SECRET_ACCESS_KEY": "a-secret",
    "BUCKET_NAME": "speech",
}
JOB = {
    "endpointUrl": "https://s3.eu-west-1.amazonaws.com",
    "accessId": "an-id",
    "accessSecret": "a-secret",
    "bucketName": "speech",
}


def refused(call, *arguments, **named):
    with pytest.raises(Failure) as caught:
        call(*arguments, **named)
    assert "a-secret" not in str(caught.value.as_dict())
    return caught.value


def test_no_variables_are_no_bucket_and_no_warning():
    assert BucketConfig.of_worker(Settings.read({"BUCKET_PREFIX": "x"})) == (None, None)


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_half_set_bucket_is_none_and_one_line_names_what_is_missing(missing):
    settings = Settings.read({name: value for name, value in VARIABLES.items() if name != missing})
    config, warning = BucketConfig.of_worker(settings)
    assert config is None
    assert missing in warning
    assert not any(name in warning for name in VARIABLES if name != missing)
    assert "\n" not in warning


def test_the_worker_s_bucket_is_read_from_its_variables():
    more = {"BUCKET_REGION": "eu-north-1", "BUCKET_PREFIX": "/team/a/"}
    config, warning = BucketConfig.of_worker(Settings.read(VARIABLES | more))
    assert warning is None
    assert (config.bucket, config.prefix, config.endpoint.region) == ("speech", "team/a/", "eu-north-1")
    assert (config.access_key, config.secret_key, config.allow_hosts) == ("an-id", "a-secret", None)


@pytest.mark.parametrize(
    "changed",
    [{"BUCKET_ENDPOINT_URL": "s3.amazonaws.com"}, {"BUCKET_NAME": "no bucket"}, {"BUCKET_PREFIX": "../elsewhere"}],
)
def test_a_wrong_variable_is_misconfigured_by_name(changed):
    failure = refused(BucketConfig.of_worker, Settings.read(VARIABLES | changed))
    assert failure.code == "misconfigured"
    assert next(iter(changed)) in failure.message


def test_secrets_are_not_shown():
    for config in (BucketConfig.of_job(JOB), BucketConfig.of_worker(Settings.read(VARIABLES))[0]):
        assert "a-secret" not in f"{config!r} {config}"
        assert "an-id" not in f"{config!r} {config}"


def test_a_job_s_bucket_is_read_with_region_and_prefix():
    config = BucketConfig.of_job(JOB | {"region": "auto", "prefix": "x"}, ("localhost",))
    assert (config.endpoint.region, config.prefix, config.allow_hosts) == ("auto", "x/", ("localhost",))
    assert BucketConfig.of_job(JOB | {"region": None, "prefix": ""}).endpoint.region == "eu-west-1"


@pytest.mark.parametrize("given", [None, "text", [], 3])
def test_s3_config_that_is_no_object_is_refused(given):
    failure = refused(BucketConfig.of_job, given)
    assert (failure.code, failure.field) == ("invalid_input", "s3Config")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"accessId": None}, "s3Config.accessId"),
        ({"accessSecret": ""}, "s3Config.accessSecret"),
        ({"accessSecret": "a-secret\nX-Header: y"}, "s3Config.accessSecret"),
        ({"bucketName": 7}, "s3Config.bucketName"),
        ({"bucketName": "../other"}, "s3Config.bucketName"),
        ({"bucketName": "arn:aws:s3:::x"}, "s3Config.bucketName"),
        ({"endpointUrl": {}}, "s3Config.endpointUrl"),
        ({"endpointUrl": "x" * 3000}, "s3Config.endpointUrl"),
        ({"endpointUrl": "file:///etc"}, "s3Config.endpointUrl"),
        ({"endpointUrl": "https://user:a-secret@h"}, "s3Config.endpointUrl"),
        ({"prefix": "../x"}, "s3Config.prefix"),
        ({"region": ["x"]}, "s3Config.region"),
        ({"regoin": "x"}, "s3Config.regoin"),
        ({7: "x"}, "s3Config.7"),
    ],
)
def test_a_wrong_part_of_s3_config_is_named_and_not_repeated(changed, field):
    failure = refused(BucketConfig.of_job, JOB | changed)
    assert (failure.code, failure.field) == ("invalid_input", field)


@pytest.mark.parametrize("missing", JOB)
def test_a_missing_part_of_s3_config_is_named(missing):
    failure = refused(BucketConfig.of_job, {name: value for name, value in JOB.items() if name != missing})
    assert (failure.code, failure.field) == ("invalid_input", f"s3Config.{missing}")


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254", "http://127.0.0.1:9000", "http://[::1]", "http://2130706433"]
)
def test_a_job_s_endpoint_must_be_public(url):
    failure = refused(BucketConfig.of_job(JOB | {"endpointUrl": url}).check)
    assert (failure.code, failure.field) == ("reference_refused", "s3Config.endpointUrl")


def test_a_job_s_endpoint_may_be_private_where_its_host_is_allowed_and_the_worker_s_anywhere():
    BucketConfig.of_job(JOB | {"endpointUrl": "http://127.0.0.1:9000"}, ("127.0.0.1:9000",)).check()
    private = Settings.read(VARIABLES | {"BUCKET_ENDPOINT_URL": "http://127.0.0.1:9000"})
    BucketConfig.of_worker(private)[0].check()


def test_a_volume_s_endpoint_signs_no_urls_and_says_what_does():
    config = BucketConfig.of_job(JOB | {"endpointUrl": "https://s3api-eu-ro-1.runpod.io"})
    failure = refused(Bucket(config).presign, "a", 60)
    assert failure.code == "misconfigured"
    assert "volume" in failure.hint


def test_the_slow_library_is_not_loaded_before_a_bucket_is_used():
    code = (
        "import sys, store.bucket, speech.delivery; from store.bucket import Bucket;"
        "assert not {'boto3', 'botocore', 'urllib3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
