import io

import pytest

from speech.encoding import Encoder, write_file
from speech.formats import FORMATS, Format, output_for
from speech.stamp import Stamp, warning_for
from tests.speech.sounds import decode, voice

STAMP = Stamp("kokoro", "a1b2c3", "preset")
TAGGED = [format for format in FORMATS.values() if format.tagged]


@pytest.mark.parametrize("format", TAGGED, ids=lambda format: format.name)
def test_a_stream_says_that_it_is_synthetic_and_by_which_model(format: Format):
    output = output_for(format.name, None, None, 24_000)
    encoder = Encoder(output, 24_000, STAMP)
    comment = decode(encoder.feed(voice(0.5)) + encoder.finish(), output).tags["comment"]
    assert comment == "Synthetic speech made by a machine: model kokoro, revision a1b2c3, preset voice."


@pytest.mark.parametrize("format", TAGGED, ids=lambda format: format.name)
def test_a_file_says_so_too(format: Format):
    output = output_for(format.name, None, None, 24_000)
    file = io.BytesIO()
    write_file([voice(0.5)], file, output, 24_000, STAMP)
    tags = decode(file.getvalue(), output).tags
    assert tags["comment"].startswith("Synthetic speech")
    if format.name != "wav":
        assert (tags["model"], tags["model_revision"]) == ("kokoro", "a1b2c3")
        assert tags["digital_source_type"].endswith("trainedAlgorithmicMedia")


def test_in_wav_the_stamp_stands_before_the_sound():
    encoder = Encoder(output_for("wav", None, None, 24_000), 24_000, STAMP)
    first = encoder.feed(voice(0.02))
    encoder.close()
    assert 0 < first.index(b"LIST") < first.index(b"data")


@pytest.mark.parametrize("name", ["aac", "pcm", "mulaw", "alaw"])
def test_a_format_without_a_place_for_it_says_so(name):
    warning = warning_for(FORMATS[name])
    assert warning is not None
    assert name in warning
    assert "wav, mp3, opus, flac" in warning


@pytest.mark.parametrize("format", TAGGED, ids=lambda format: format.name)
def test_a_format_with_a_place_needs_no_warning_and_without_a_stamp_says_nothing(format: Format):
    assert warning_for(format) is None
    output = output_for(format.name, None, None, 24_000)
    encoder = Encoder(output, 24_000)
    assert "comment" not in decode(encoder.feed(voice(0.2)) + encoder.finish(), output).tags
