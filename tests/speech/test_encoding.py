import gc
import io
import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basics.audio import Samples
from speech.encoding import Encoder, write_file
from speech.formats import AAC, FLAC, FORMATS, MP3, OPUS, PCM, WAV, Format, Output, output_for
from tests.speech.sounds import at_rate, cut, decode, decoded_samples, lag, likeness, sine, voice

EVERY = [pytest.param(format, id=format.name) for format in FORMATS.values()]
EXACT = (WAV, FLAC, PCM)


def output(format: Format, rate: int | None = None, engine_rate: int = 24_000) -> Output:
    return output_for(format.name, rate, None, engine_rate, streaming=True)


def stream(samples: Samples, wanted: Output, rate: int = 24_000, size: int = 480) -> bytes:
    encoder = Encoder(wanted, rate)
    return b"".join([*(encoder.feed(part) for part in cut(samples, size)), encoder.finish()])


def file(samples: Samples, wanted: Output, rate: int = 24_000) -> bytes:
    opened = io.BytesIO()
    write_file(cut(samples, 5_000), opened, wanted, rate)
    return opened.getvalue()


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("engine_rate", [16_000, 24_000, 44_100])
def test_a_stream_decodes_to_what_was_said(format: Format, engine_rate):
    said, wanted = voice(2.0, engine_rate), output(format, engine_rate=engine_rate)
    heard = decode(stream(said, wanted, engine_rate), wanted)
    source = at_rate(said, engine_rate, heard.rate)
    assert abs(lag(heard.samples, source) - format.delay) <= 1
    assert source.size <= heard.samples.size <= source.size + format.delay + 2 * 1_152
    assert likeness(heard.samples[format.delay :], source) > 0.97


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("engine_rate", [16_000, 24_000, 44_100])
def test_a_file_decodes_to_what_was_said_from_its_first_sample_on(format: Format, engine_rate):
    said, wanted = voice(2.0, engine_rate), output(format, engine_rate=engine_rate)
    heard = decode(file(said, wanted, engine_rate), wanted)
    source = at_rate(said, engine_rate, heard.rate)
    delay = AAC.delay if format is AAC else 0
    assert abs(lag(heard.samples, source) - delay) <= 1
    if format is not AAC:
        assert abs(heard.samples.size - source.size) <= 1
    assert likeness(heard.samples[delay:], source) > 0.97


@pytest.mark.parametrize("form", [stream, file], ids=["stream", "file"])
@pytest.mark.parametrize("format", EXACT, ids=lambda format: format.name)
def test_wav_pcm_and_flac_give_back_every_sample(format: Format, form):
    said = voice(1.0)
    heard = decode(form(said, output(format)), output(format)).samples
    assert heard.size == said.size
    assert np.abs(heard - said).max() <= 0.51 / 32767 + 1e-7


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("form", [stream, file], ids=["stream", "file"])
def test_the_end_is_not_cut_off(format: Format, form):
    said = np.concatenate([voice(0.5), sine(900, 0.05)])
    wanted = output(format)
    heard = decode(form(said, wanted), wanted)
    end = heard.samples[round(0.5 * heard.rate) :]
    assert np.sum(end**2) / heard.rate > 0.8 * np.sum(said[12_000:] ** 2) / 24_000


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_every_rate_it_has_comes_out_at_that_rate(format: Format, rate):
    wanted = output(format, rate)
    heard = decode(stream(voice(0.6), wanted), wanted)
    assert heard.rate == (48_000 if format is OPUS else rate)
    assert heard.samples.size >= 0.6 * heard.rate - 1


@pytest.mark.parametrize("format", EVERY)
def test_the_bytes_do_not_depend_on_how_the_sound_was_cut(format: Format):
    said, wanted = voice(0.12), output(format)
    whole = stream(said, wanted, size=said.size)
    assert all(stream(said, wanted, size=size) == whole for size in (1, 480, 2_000))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=12), st.sampled_from(list(FORMATS)))
def test_any_cutting_loses_nothing(sizes, name):
    said, wanted = voice(sum(sizes) / 24_000), output(FORMATS[name])
    encoder, data, at = Encoder(wanted, 24_000), b"", 0
    for size in sizes:
        data += encoder.feed(said[at : at + size])
        at += size
    data += encoder.finish()
    assert encoder.seconds == pytest.approx(at / 24_000)
    assert data == stream(said, wanted, size=max(1, said.size))


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("engine_rate", [22_050, 24_000, 44_100, 48_000])
def test_a_stream_holds_back_at_most_sixty_milliseconds(format: Format, engine_rate):
    wanted = output(format, engine_rate=engine_rate)
    encoder, data, fed = Encoder(wanted, engine_rate), b"", 0
    for part in cut(voice(0.6, engine_rate), engine_rate // 50):
        data += encoder.feed(part)
        fed += part.size
        # The first frame alone is not enough for a player to know an mp3 by.
        if fed >= 0.1 * engine_rate:
            assert fed / engine_rate - decoded_samples(data, wanted) / wanted.rate <= 0.060
        assert fed / engine_rate - encoder.seconds <= 0.060
    encoder.close()


@pytest.mark.parametrize("format", EVERY)
def test_what_came_out_so_far_is_told_and_can_be_heard(format: Format):
    wanted = output(format)
    encoder, data, before = Encoder(wanted, 24_000), b"", 0.0
    for part in cut(voice(0.5), 480):
        data += encoder.feed(part)
        assert before <= encoder.seconds
        before = encoder.seconds
        assert decoded_samples(data, wanted) >= round(before * wanted.rate) or before < 0.1
    encoder.finish()
    assert encoder.seconds == 0.5


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("form", [stream, file], ids=["stream", "file"])
def test_nothing_said_is_a_file_without_sound(format: Format, form):
    nothing = np.zeros(0, np.float32)
    data = form(nothing, output(format))
    assert decoded_samples(data, output(format)) <= 2 * 1_152
    assert bool(data) is (format.name in {"wav", "mp3", "opus", "flac"})


def test_a_wav_stream_has_an_open_end_and_a_wav_file_an_exact_one():
    said = voice(0.5)
    opened, closed = stream(said, output(WAV)), file(said, output(WAV))
    assert opened[4:8] == opened[40:44] == b"\xff\xff\xff\xff"
    assert opened[36:40] == closed[36:40] == b"data"
    assert struct.unpack("<I", closed[4:8])[0] == len(closed) - 8
    assert struct.unpack("<I", closed[40:44])[0] == 2 * said.size


def test_a_flac_file_knows_its_length():
    import av

    with av.open(io.BytesIO(file(voice(0.5), output(FLAC)))) as container:
        assert container.duration == 500_000


def test_an_mp3_stream_has_no_frame_that_claims_a_length():
    data = stream(voice(0.5), output(MP3))
    assert b"Xing" not in data
    assert b"Info" not in data


@pytest.mark.parametrize("format", EVERY)
def test_the_same_sound_is_the_same_bytes(format: Format):
    assert stream(voice(0.3), output(format)) == stream(voice(0.3), output(format))


def test_too_loud_samples_are_held_at_the_limit_not_wrapped():
    heard = decode(stream(np.full(480, 1.5, np.float32), output(PCM)), output(PCM)).samples
    assert heard.min() > 0.99


@pytest.mark.parametrize("format", EVERY)
def test_an_encoder_can_be_left_half_way_and_closed_twice(format: Format):
    encoder = Encoder(output(format), 24_000)
    encoder.feed(voice(0.1))
    encoder.close()
    encoder.close()


def test_encoders_left_half_way_leave_nothing_behind():
    def resident_kilobytes() -> int:
        with open("/proc/self/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * 4

    said, wanted = voice(0.05), output(MP3)

    def leave(times: int) -> None:
        for _ in range(times):
            encoder = Encoder(wanted, 24_000)
            encoder.feed(said)
            encoder.close()
        gc.collect()

    leave(50)
    before = resident_kilobytes()
    leave(150)
    assert resident_kilobytes() - before < 150 * 20


def test_a_long_stream_keeps_nothing_of_what_it_gave():
    encoder, said = Encoder(output(PCM), 24_000), voice(1.0)
    sizes = {len(encoder.feed(said)) for _ in range(50)}
    encoder.close()
    assert sizes == {2 * said.size}


def test_encoders_work_side_by_side_in_threads():
    said, wanted = voice(0.5), output(OPUS)
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(stream(said, wanted))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert len(results) == 4
