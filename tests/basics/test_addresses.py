import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basics.addresses import check_host, check_public, is_allowed, is_public
from basics.errors import Failure

PUBLIC = "93.184.215.14"

INNER = """
    127.0.0.1 127.255.255.254 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
    100.127.255.255 0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.0.1 192.0.2.1 198.18.0.1
    198.51.100.7 203.0.113.9 192.88.99.1 ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 fec0::1 ::ffff:127.0.0.1
    ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1
    100::1
"""

ODD = """
    2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 127.1 127.0.1 0 0x 1.2.3.0x4 134744072 8.8.8
    ①②⑦.0.0.1 127。0。0。1 １２７.0.0.1 1.2.3.4.5 00.0.0.0 127.0.0.1.
"""


def always(*addresses):
    return lambda host, port: list(addresses)


def nowhere(host, port):
    raise OSError("no such name")


def code_of(url, **given):
    with pytest.raises(Failure) as caught:
        check_public(url, **given)
    return caught.value.code


def test_a_public_name_gives_its_host_port_and_all_numbers():
    found = check_public("https://Audio.Example.com/a.wav?x=1", resolve=always(PUBLIC, "2606:2800:21f::1"))
    assert (found.scheme, found.host, found.port) == ("https", "audio.example.com", 443)
    assert found.addresses == (PUBLIC, "2606:2800:21f::1")


def test_the_port_of_the_address_is_kept():
    assert check_public("http://example.com:8080/", resolve=always(PUBLIC)).port == 8080


@pytest.mark.parametrize(
    "address",
    INNER.split(),
)
def test_no_address_of_an_inner_network_is_public(address):
    assert not is_public(address)
    assert code_of("https://example.com/", resolve=always(address)) == "reference_refused"
    literal = f"[{address}]" if ":" in address else address
    assert code_of(f"http://{literal}/", resolve=nowhere) == "reference_refused"


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", PUBLIC, "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_addresses_of_the_open_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", ["", "example.com", "1.2.3", "999.1.1.1"])
def test_what_is_no_number_is_not_public(address):
    assert not is_public(address)


def test_one_private_number_among_public_ones_refuses_the_name():
    assert code_of("https://example.com/", resolve=always(PUBLIC, "10.0.0.1")) == "reference_refused"
    assert code_of("https://example.com/", resolve=always(PUBLIC, "::1")) == "reference_refused"


@pytest.mark.parametrize(
    "host",
    ODD.split(),
)
def test_numbers_in_odd_spellings_are_refused_without_asking_for_a_name(host):
    def asked(name, port):
        raise AssertionError(f"asked for {name}")

    assert code_of(f"http://{host}/", resolve=asked) == "reference_refused"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/a",
        "gopher://example.com/",
        "data:audio/wav;base64,AAAA",
        "//example.com/a",
        "example.com/a",
        "",
        "https://",
        "https:///a",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/\r\nHost: x",
        "https://example.com/\tx",
        "https://example.com\x00.evil.example/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://[nonsense]/",
        "https://exam%70le.com/",
        "https://a..b/",
        "https://" + "a" * 64 + ".com/",
    ],
)
def test_addresses_of_other_kinds_and_shapes_are_refused(url):
    assert code_of(url, resolve=always(PUBLIC)) == "reference_refused"


def test_a_name_that_resolves_to_nothing_is_unreachable_and_may_be_tried_again():
    for resolve in (nowhere, always()):
        with pytest.raises(Failure) as caught:
            check_public("https://gone.example/", resolve=resolve, field="voice.reference")
        assert (caught.value.code, caught.value.retryable) == ("reference_unreachable", True)
        assert caught.value.field == "voice.reference"


def test_the_refusal_names_the_field_and_the_way_out_but_no_path_or_secret():
    with pytest.raises(Failure) as caught:
        check_public("http://10.0.0.1/private/path?token=hush", field="s3Config.endpointUrl")
    said = str(caught.value.as_dict())
    assert caught.value.field == "s3Config.endpointUrl"
    assert "ALLOW_HOSTS" in said
    assert "hush" not in said
    assert "private/path" not in said


def test_an_allowed_host_may_be_private_and_its_numbers_are_still_given():
    found = check_public("http://store.internal:9000/", ["Store.Internal:9000"], always("10.0.0.9"))
    assert found.addresses == ("10.0.0.9",)
    assert check_public("http://127.0.0.1:1/", ["127.0.0.1"]).addresses == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("localhost", "localhost", 80, True),
        ("LOCALHOST", "localhost", 9000, True),
        ("localhost", "LocalHost.", 9000, True),
        ("localhost:9000", "localhost", 9000, True),
        ("localhost:9000", "localhost", 9001, False),
        ("localhost", "evil.localhost", 80, False),
        ("localhost", "localhost.evil.example", 80, False),
        ("example.com", "notexample.com", 80, False),
        ("10.0.0.1", "10.0.0.10", 80, False),
        ("::1", "::1", 80, True),
        ("[::1]", "::1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("[::1]:81", "::1", 80, False),
        ("::1:80", "::1", 80, False),
        ("*", "localhost", 80, False),
    ],
)
def test_allowed_hosts_match_exactly_alone_or_with_their_port(entry, host, port, allowed):
    assert is_allowed(host, port, [entry]) is allowed


def test_allowing_a_host_does_not_allow_another_name_for_the_same_number():
    assert code_of("http://127.0.0.1/", allow_hosts=["localhost"]) == "reference_refused"


def test_a_host_is_judged_anew_at_each_asking():
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    def rebinding(host, port):
        return next(answers)

    assert check_host("example.com", 443, resolve=rebinding) == (PUBLIC,)
    with pytest.raises(Failure):
        check_host("example.com", 443, resolve=rebinding)


@given(st.text(max_size=40))
def test_no_text_whatever_gets_past_to_a_private_number(text):
    with contextlib.suppress(Failure):
        assert all(map(is_public, check_public("http://" + text, resolve=always("127.0.0.1")).addresses))
