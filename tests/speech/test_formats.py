import pytest

from basics.errors import Failure
from speech.encoding import Encoder
from speech.formats import (
    AAC,
    ALAW,
    FLAC,
    FORMATS,
    MP3,
    MULAW,
    OPUS,
    PCM,
    WAV,
    Format,
    Output,
    bitrate_for,
    bitrates,
    estimate_bytes,
    format_for,
    output_for,
    rate_for,
)
from tests.speech.sounds import noise, voice


def test_all_eight_formats_are_there_and_ogg_is_opus():
    assert set(FORMATS) == {"wav", "mp3", "opus", "flac", "aac", "pcm", "mulaw", "alaw"}
    assert format_for("ogg") is OPUS


def test_an_unknown_format_is_refused_with_the_names_of_the_known():
    with pytest.raises(Failure, match="wav, mp3, opus, flac, aac, pcm, mulaw, alaw, ogg") as refused:
        format_for("wma")
    assert (refused.value.code, refused.value.field) == ("invalid_input", "format")


@pytest.mark.parametrize(
    ("format", "engine_rate", "expected"),
    [
        (WAV, 22_050, 22_050),
        (MP3, 24_000, 24_000),
        (OPUS, 22_050, 24_000),
        (OPUS, 44_100, 48_000),
        (AAC, 24_000, 24_000),
        (MULAW, 24_000, 8_000),
        (ALAW, 44_100, 8_000),
    ],
)
def test_unasked_the_rate_is_the_engines_or_the_nearest_higher_one(format: Format, engine_rate, expected):
    assert rate_for(format, None, engine_rate) == expected


def test_a_stream_of_aac_has_the_rate_at_which_its_frames_are_short_enough():
    assert rate_for(AAC, None, 24_000, streaming=True) == 48_000
    assert rate_for(AAC, 24_000, 24_000, streaming=True) == 24_000


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda format: format.name)
def test_a_rate_that_is_asked_for_and_there_is_taken(format: Format):
    assert rate_for(format, 16_000, 24_000) == 16_000


def test_a_rate_that_the_format_lacks_is_refused_naming_those_it_has():
    with pytest.raises(Failure, match="8000, 12000, 16000, 24000, 48000") as refused:
        rate_for(OPUS, 44_100, 24_000)
    assert (refused.value.code, refused.value.field) == ("invalid_input", "sample_rate")
    with pytest.raises(Failure, match="8000 to 48000"):
        rate_for(WAV, 96_000, 24_000)


@pytest.mark.parametrize("format", [WAV, FLAC, PCM, MULAW, ALAW], ids=lambda format: format.name)
def test_a_bitrate_for_a_format_without_one_is_refused(format: Format):
    with pytest.raises(Failure, match="only for mp3, opus and aac") as refused:
        bitrate_for(format, 24_000, 64)
    assert refused.value.field == "bitrate"
    assert bitrate_for(format, 24_000, None) is None


@pytest.mark.parametrize(
    ("format", "rate", "asked", "named"),
    [
        (MP3, 24_000, 320, "160"),
        (MP3, 8_000, 80, "64"),
        (MP3, 48_000, 16, "32"),
        (OPUS, 24_000, 320, "16 to 256"),
        (AAC, 8_000, 64, "16 to 48"),
        (AAC, 48_000, 320, "16 to 288"),
        (MP3, 24_000, 65, "64, 80"),
    ],
)
def test_a_bitrate_that_the_codec_cannot_do_at_that_rate_is_refused_naming_the_range(format, rate, asked, named):
    with pytest.raises(Failure, match=named) as refused:
        bitrate_for(format, rate, asked)
    assert (refused.value.code, refused.value.field) == ("invalid_input", "bitrate")


@pytest.mark.parametrize("format", [MP3, OPUS, AAC], ids=lambda format: format.name)
def test_unasked_bitrates_are_ones_the_codec_has_at_every_rate(format: Format):
    for rate in format.rates:
        assert bitrate_for(format, rate, None) in bitrates(format, rate)


def test_a_request_comes_to_one_output():
    assert output_for("ogg", None, 32, 22_050) == Output(OPUS, 24_000, 32)


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "file"])
def test_bytes_are_estimated_a_little_over_what_comes_out(rate, streaming, tmp_path):
    seconds = 3.0
    for format in FORMATS.values():
        if rate not in format.rates:
            continue
        choices = bitrates(format, rate)
        for bitrate in {choices[0], bitrate_for(format, rate, None)} if choices else {None}:
            output = Output(format, rate, bitrate)
            with (tmp_path / "sound").open("w+b") as file:
                encoder = Encoder(output, 24_000, file=None if streaming else file)
                size = len(encoder.feed(voice(seconds, level=0.25)) + encoder.finish())
                size = size if streaming else file.seek(0, 2)
            estimate = estimate_bytes(format, rate, bitrate, seconds, streaming=streaming)
            assert size <= estimate, output
            assert estimate <= 1.75 * size + 2_500, output


def test_even_noise_stays_within_the_estimate_of_a_bitrate():
    for format in (MP3, OPUS, AAC):
        output = output_for(format.name, None, None, 24_000)
        encoder = Encoder(output, 24_000)
        size = len(encoder.feed(noise(6.0)) + encoder.finish())
        assert size <= estimate_bytes(format, output.rate, output.bitrate, 6.0, streaming=True)
