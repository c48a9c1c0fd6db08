import pytest

from basics.errors import Failure
from models.engines.phonemes import Reader, joined


def test_pairs_that_are_tied_become_the_networks_letters() -> None:
    assert joined("t^ʃˈao d^ʒa^ɪ la- e^ɪ s^i") == "ʧˈao ʤI la A si"


def test_english_is_read_by_its_accent() -> None:
    reader = Reader()
    assert reader.phonemes("A bath.", "en-us") == "ɐ bˈæθ."
    assert reader.phonemes("A bath.", "en-GB") == "ɐ bˈɑːθ."
    assert reader.phonemes("Good day. It is 3 pm.", "en") == "ɡˈʊd dˈA. ˌɪt ɪz θɹˈi pˌiˈɛm."


@pytest.mark.parametrize(
    ("language", "text", "spelt"),
    [
        ("es", "Hola, niños.", "ˈola, nˈiɲos."),
        ("fr", "Bonjour,\nla gare.", "bɔ̃ʒˈuʁ, la ɡˈaʁ."),
        ("it", "Ciao!", "ʧˈao!"),
        ("pt", "Olá.", "olˈa."),
    ],
)
def test_other_languages_are_read_by_espeak(language: str, text: str, spelt: str) -> None:
    assert Reader().phonemes(text, language) == spelt


def test_a_language_that_is_read_badly_is_refused_with_those_that_are_not() -> None:
    with pytest.raises(Failure, match="it speaks en, en-us, en-gb, es") as error:
        Reader().phonemes("こんにちは", "ja")
    assert error.value.code == "unsupported_language"
