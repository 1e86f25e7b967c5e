"""The simulated model is right about what it is asked, however it is worded."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo.api_common import CHAT_MODELS
from monitor.demo.replies import answer, pieces
from monitor.demo.token_rules import tokens_in
from monitor.probes.answer.challenges import addition, counting


@given(st.integers())
def test_every_question_of_the_probes_is_answered_rightly_and_whole(seed: int) -> None:
    dice = Random(seed)
    for challenge in (counting(dice), addition(dice)):
        said = answer(challenge.prompt)
        assert challenge.check(said)
        assert challenge.is_whole(said)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Reply with the sum of 41 and 17, digits only.", "58"),
        ("Add 12 and 30", "42"),
        ("What's 3 + 4?", "7"),
        ("what is 81 MINUS 90", "-9"),
        ("Subtract 5 from 12.", "7"),
        ("What is the difference between 100 and 58?", "42"),
        ("Calculate 12 x 12", "144"),
        ("the product of 6 and 7, please", "42"),
        ("Multiply 9 by 9.", "81"),
        ("What is -3 times 5?", "-15"),
        ("[a picture, all red] What colour is this picture?", "red"),
        ("Count from 7 to 11, please", "7 8 9 10 11"),
        ("count 3 to 1", "3 2 1"),
        ("List the integers 4-6.", "4 5 6"),
        ("Say the numbers from 98\nthrough 100", "98 99 100"),
    ],
)
def test_a_question_in_other_words_is_understood(question: str, wanted: str) -> None:
    assert answer(question) == wanted


@pytest.mark.parametrize("question", ["", "Who are you?", "Tell me about 1984.", "5"])
def test_anything_else_gets_a_sentence_without_numbers(question: str) -> None:
    said = answer(question)
    assert said.endswith(".")
    assert not any(letter.isdigit() for letter in said)


def test_nobody_can_ask_for_a_million_numbers() -> None:
    assert len(answer("Count from 1 to 999999999999").split()) == 2000


@given(st.text())
def test_any_text_is_answered_and_the_pieces_are_the_answer(question: str) -> None:
    said = answer(question)
    assert said
    assert "".join(pieces(said)) == said
    for model in CHAT_MODELS:
        assert tokens_in(question, model) >= 8 + len(question) // 4
