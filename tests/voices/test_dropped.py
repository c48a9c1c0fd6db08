from store.objects import Entry
from voices.dropped import dropped


def entries(*names: str) -> list[Entry]:
    return [Entry(name, 1, f"etag of {name}", 0.0) for name in names]


def test_a_recording_and_its_text_are_one_voice():
    found = dropped(entries("alice.wav", "alice.txt"))["alice"]
    assert found.origin is not None
    assert found.origin.audio == ("alice.wav", "etag of alice.wav")
    assert found.origin.text == ("alice.txt", "etag of alice.txt")


def test_upper_case_endings_are_recordings_too():
    assert set(dropped(entries("Alice.WAV", "bob.M4A", "c.d.flac"))) == {"Alice", "bob", "c.d"}


def test_conditionals_are_told_apart_from_recordings():
    found = dropped(entries("a.pt", "b.pth", "c.safetensors"))
    assert all(each.audio is None and each.conditionals is not None for each in found.values())
    assert len(found) == 3


def test_what_is_no_voice_is_left_alone():
    names = ("alice.txt", "readme.md", ".hidden.wav", "voices/alice.wav", "a b.wav", "wav", "-x.mp3", "bob/voice.json")
    assert dropped(entries(*names)) == {}
