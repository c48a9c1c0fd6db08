import pytest

from store.endpoint import understood

R2 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "bucket", "expected"),
    [
        ("https://s3.amazonaws.com", "b", ("https://s3.amazonaws.com", "us-east-1", "virtual")),
        ("https://s3.us-west-2.amazonaws.com/", "b", ("https://s3.us-west-2.amazonaws.com", "us-west-2", "virtual")),
        ("https://s3-eu-west-1.amazonaws.com", "b", ("https://s3-eu-west-1.amazonaws.com", "eu-west-1", "virtual")),
        ("https://b.s3.us-west-2.amazonaws.com", "b", ("https://s3.us-west-2.amazonaws.com", "us-west-2", "virtual")),
        ("https://b.s3.amazonaws.com", "b", ("https://s3.amazonaws.com", "us-east-1", "virtual")),
        ("https://s3.eu-west-1.amazonaws.com/b", "b", ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "virtual")),
        (
            "https://s3.dualstack.us-gov-west-1.amazonaws.com",
            "b",
            ("https://s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1", "virtual"),
        ),
        ("https://s3.eu-west-1.amazonaws.com", "a.b", ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "path")),
        (f"https://{R2}.r2.cloudflarestorage.com", "b", (f"https://{R2}.r2.cloudflarestorage.com", "auto", "path")),
        (f"https://{R2}.r2.cloudflarestorage.com/b", "b", (f"https://{R2}.r2.cloudflarestorage.com", "auto", "path")),
        (
            f"https://b.{R2}.eu.r2.cloudflarestorage.com",
            "b",
            (f"https://{R2}.eu.r2.cloudflarestorage.com", "auto", "virtual"),
        ),
        ("https://s3api-eu-ro-1.runpod.io/", "vol", ("https://s3api-eu-ro-1.runpod.io", "EU-RO-1", "path")),
        (
            "https://s3.us-west-004.backblazeb2.com",
            "b",
            ("https://s3.us-west-004.backblazeb2.com", "us-west-004", "path"),
        ),
        ("https://nyc3.digitaloceanspaces.com", "b", ("https://nyc3.digitaloceanspaces.com", "nyc3", "path")),
        ("https://b.nyc3.digitaloceanspaces.com", "b", ("https://nyc3.digitaloceanspaces.com", "nyc3", "virtual")),
        (
            "https://s3.eu-central-1.wasabisys.com",
            "b",
            ("https://s3.eu-central-1.wasabisys.com", "eu-central-1", "path"),
        ),
        ("https://s3.wasabisys.com", "b", ("https://s3.wasabisys.com", "us-east-1", "path")),
        ("https://s3.fr-par.scw.cloud", "b", ("https://s3.fr-par.scw.cloud", "fr-par", "path")),
        ("https://storage.googleapis.com", "b", ("https://storage.googleapis.com", "auto", "path")),
        ("http://127.0.0.1:8333", "b", ("http://127.0.0.1:8333", "us-east-1", "path")),
        ("http://[::1]:8333", "b", ("http://[::1]:8333", "us-east-1", "path")),
        ("http://minio.example.com:9000/b/", "b", ("http://minio.example.com:9000", "us-east-1", "path")),
        ("https://example.com/proxied/s3", "b", ("https://example.com/proxied/s3", "us-east-1", "path")),
        ("https://b.s3.example.com", "b", ("https://s3.example.com", "us-east-1", "virtual")),
        ("https://minio.example.com", "minio", ("https://minio.example.com", "us-east-1", "path")),
    ],
)
def test_endpoints_as_people_write_them_are_understood(url, bucket, expected):
    found = understood(url, bucket)
    assert (found.url, found.region, found.style) == expected


def test_a_region_that_is_said_stands():
    assert understood("https://s3.us-west-2.amazonaws.com", "b", "eu-north-1").region == "eu-north-1"


def test_only_runpod_s_volumes_sign_no_urls():
    assert not understood("https://s3api-us-ks-2.runpod.io", "b").presigns
    assert understood("https://s3.us-west-2.amazonaws.com", "b").presigns
    assert understood("https://s3api-us-ks-2.runpod.io.example.com", "b").presigns


@pytest.mark.parametrize(
    "url",
    [
        *("s3.amazonaws.com", "s3://bucket", "", "https://", "https://h:port", "https://[::1", "https://h ost"),
        *("https://user:secret-word@h", "https://h?secret-word", "https://h#secret-word", "ftp://h", "https://h\\x"),
    ],
)
def test_what_is_no_endpoint_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match=r"^it") as caught:
        understood(url, "b")
    assert "secret-word" not in str(caught.value)
