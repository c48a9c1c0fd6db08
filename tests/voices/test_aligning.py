import itertools

from basics.events import Word
from voices.aligning import aligned, retimed

HEARD = [Word(text, float(at), at + 0.5) for at, text in enumerate("the quick brown fox jumped over it".split())]


def test_words_that_both_have_lie_where_they_were_heard():
    found = aligned("The quick, brown fox jumped over it.", HEARD)
    assert [(word.text, word.start) for word in found[:2]] == [("The", 0.0), ("quick,", 1.0)]
    assert len(found) == 7


def test_words_that_were_misheard_share_the_time_of_what_was_heard_instead():
    found = aligned("The quick reddish brown dog jumped over it", HEARD)
    assert [word.text for word in found] == "The quick reddish brown dog jumped over it".split()
    assert all(first.start <= second.start for first, second in itertools.pairwise(found))
    assert (found[4].text, found[4].start, found[4].end) == ("dog", 3.0, 3.5)


def test_what_is_said_before_and_after_is_left_out():
    found = aligned("Long before. The quick brown fox jumped over it And long after", HEARD)
    assert [word.text for word in found] == "The quick brown fox jumped over it".split()


def test_another_text_has_no_times():
    assert aligned("something else was said altogether here", HEARD) == ()
    assert aligned("anything", []) == ()


def test_an_edited_text_keeps_the_old_ones_times():
    assert retimed("The quick brown", (("the", 0.0, 0.5), ("quik", 1.0, 1.5), ("brown", 2.0, 2.5))) == (
        ("The", 0.0, 0.5),
        ("quick", 1.0, 1.5),
        ("brown", 2.0, 2.5),
    )
