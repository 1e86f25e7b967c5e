"""What is replaced of a secret that a server says, wherever what it said was cut."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Redactor, Secret

KEY = "q7-the-operators-own-key"


@given(at=st.integers(6, len(KEY)))
def test_a_secret_that_was_cut_anywhere_is_replaced(at: int) -> None:
    redact = Redactor([Secret(KEY)])
    for after in ('", want the numbers', "…", ""):
        assert redact(f'got "the key is {KEY[:at]}{after}') == f'got "the key is ***{after}'


def test_words_that_a_secret_begins_with_stay_in_the_middle_of_a_sentence() -> None:
    redact = Redactor([Secret(KEY), Secret("Bearer of-good-news-and-more")])
    assert redact("q7-the-best is no key") == "q7-the-best is no key"
    assert redact('want "Bearer"') == 'want "Bearer"'
