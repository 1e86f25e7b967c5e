from datetime import UTC, datetime
from random import Random

import pytest
from drawn_words import drawn
from hypothesis import given
from hypothesis import strategies as st

from monitor.demo.word_draws import draw, shares
from monitor.model import FailureKind, WordHistory
from monitor.model.result import WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.probes.answer.answer_distribution import (
    chance,
    commonest,
    distance,
    divergence,
    excess,
)
from monitor.probes.answer.one_word import (
    CELLS,
    first_word,
    judge_words,
    next_question,
    sample,
    why_not_judged,
    with_answer,
)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
WORDS = st.lists(st.sampled_from("abcde"), min_size=3, max_size=40)


def days(history: WordHistory, model: str, answers: int, rng: Random) -> WordHistory:
    """The history after so many more answers of one real model, asked as the probe asks."""
    for _ in range(answers):
        cell = next_question(history, rng).cell
        counts = shares()[model][cell]
        word = rng.choices(list(counts), weights=list(counts.values()))[0]
        history = with_answer(history, cell, word, NOW)
    return history


@pytest.mark.parametrize(
    ("cell", "answer", "word"),
    [
        ("number", "42", "42"),
        ("number", " **Forty-two**.", "42"),
        ("number", "forty two", "42"),
        ("number", "Seventeen", "17"),
        ("number", "one hundred", "100"),
        ("number-zh", "四十二", "42"),
        ("number-zh", "十七。", "17"),
        ("number-zh", "一百", "100"),
        ("number-zh", "\uff13\uff17", "37"),
        ("colour", "Teal\n", "teal"),
        ("colour", '"Blue!"', "blue"),
        ("animal", "I would pick an elephant", "i"),
        ("city", "São Paulo", "são"),
        ("letter", "Q", "q"),
        ("letter", "…", ""),
        ("letter", "", ""),
        ("city", "x" * 25, "(long)"),
    ],
)
def test_an_answer_is_read_as_its_first_word(cell: str, answer: str, word: str) -> None:
    assert first_word(cell, answer) == word


@given(st.sampled_from(sorted(CELLS)), st.text(max_size=60))
def test_any_answer_gives_a_word_without_spaces(cell: str, answer: str) -> None:
    word = first_word(cell, answer)
    assert len(word) <= 24
    assert word.split() == ([word] if word else [])


@given(WORDS, WORDS)
def test_the_divergence_is_symmetric_between_nothing_and_one_bit(
    left: list[str], right: list[str]
) -> None:
    assert divergence(left, right) == pytest.approx(divergence(right, left))
    assert 0 <= divergence(left, right) <= 1
    assert divergence(left, left) == pytest.approx(0)
    assert divergence(left, [word.upper() for word in left]) == pytest.approx(1)


@given(WORDS, WORDS, st.integers(0, 999))
def test_a_chance_is_never_zero_and_what_is_alike_is_never_rare(
    left: list[str], right: list[str], seed: int
) -> None:
    likely = chance({"c": left}, {"c": right}, Random(seed), 200)
    assert 1 / 201 <= likely <= 1
    assert chance({"c": left}, {"c": left}, Random(seed), 200) > 0.01
    assert chance({"c": left}, {"d": right}, Random(seed), 200) == 1


def test_every_cell_is_asked_equally_often() -> None:
    history = days(WordHistory(), "gpt-4o", WORDS_OF_BASELINE, Random(1))
    counts = {cell: len(words) for cell, words in sample(history.baseline).items()}
    assert set(counts) == set(CELLS)
    assert max(counts.values()) - min(counts.values()) <= 2


def test_the_same_model_is_no_news() -> None:
    history = days(WordHistory(), "gpt-4o", WORDS_OF_BASELINE + 2 * WORDS_OF_WINDOW, Random(2))
    assert history.since == NOW
    assert judge_words(history, [], Random(3)) is None


def test_a_substitute_is_seen_after_two_windows_and_not_after_one() -> None:
    before = days(WordHistory(), "gpt-4o", WORDS_OF_BASELINE + 2 * WORDS_OF_WINDOW, Random(4))
    after_one = days(before, "qwen3-30b", WORDS_OF_WINDOW, Random(5))
    after_two = days(after_one, "qwen3-30b", WORDS_OF_WINDOW, Random(6))

    assert judge_words(after_one, [], Random(7)) is None
    failure = judge_words(after_two, [], Random(8))
    assert failure is not None
    assert failure.kind is FailureKind.MODEL_SUSPECT
    assert " unlike those of 2026-11-02" in failure.message
    assert failure.message.endswith(", want the same")


def test_the_base_url_that_differs_from_most_others_is_suspect_from_the_first_day_on() -> None:
    honest = [
        (name, days(WordHistory(), "gpt-4o", 2 * WORDS_OF_WINDOW, Random(name)))
        for name in ("a", "b")
    ]
    other = days(WordHistory(), "claude-sonnet-4.5", 2 * WORDS_OF_WINDOW, Random(9))

    failure = judge_words(other, honest, Random(10))
    assert failure is not None
    assert " unlike those of a, b" in failure.message
    peers_of_a = [honest[1], ("c", other)]
    assert judge_words(honest[0][1], peers_of_a, Random(11)) is None


def test_of_two_base_urls_the_one_that_changed_is_suspect() -> None:
    before = days(WordHistory(), "gpt-4o", WORDS_OF_BASELINE, Random(20))
    steady = days(before, "gpt-4o", 2 * WORDS_OF_WINDOW, Random(21))
    changed = days(before, "qwen3-30b", 2 * WORDS_OF_WINDOW, Random(22))

    failure = judge_words(changed, [("steady", steady)], Random(23))
    assert failure is not None
    assert " unlike those of steady" in failure.message
    assert judge_words(steady, [("changed", changed)], Random(24)) is None


def test_of_two_base_urls_the_one_that_is_unlike_the_reference_is_suspect_from_the_first_day_on() -> (
    None
):
    named = ("the reference of 2026-11-01", sample(drawn("gpt-4o", WORDS_OF_BASELINE, 25)))
    honest, other = (
        WordHistory(recent=drawn(model, 2 * WORDS_OF_WINDOW, 26))
        for model in ("gpt-4o", "qwen3-30b")
    )
    assert judge_words(honest, [("other", other)], Random(27), named) is None
    failure = judge_words(other, [("honest", honest)], Random(28), named)
    assert failure is not None
    assert " unlike those of honest" in failure.message
    assert (
        judge_words(honest, [("other", other)], Random(29)) is not None
    )  # nobody knows which it is


def test_what_is_mostly_empty_is_not_judged_and_says_so() -> None:
    history = days(WordHistory(), "gpt-4o", WORDS_OF_BASELINE, Random(12))
    for turn in range(2 * WORDS_OF_WINDOW):
        cell = next_question(history, Random(turn)).cell
        history = with_answer(history, cell, "" if turn % 3 == 0 else "z", NOW)
    assert judge_words(history, [], Random(13)) is None
    assert why_not_judged(history) == "cannot be judged: 33% of the answers are empty"


def test_between_two_models_there_is_more_than_chance() -> None:
    rng = Random(14)
    one, same, other = (
        sample(days(WordHistory(), model, WORDS_OF_BASELINE, rng).baseline)
        for model in ("gpt-4o", "gpt-4o", "gemini-2.5-flash")
    )
    assert distance(one, same) > 0
    assert excess(one, same, rng) < 0.1
    assert excess(one, other, rng) > 0.3
    assert commonest(one["number-zh"]) == "42"


def test_the_simulated_service_answers_each_of_the_questions_with_a_word() -> None:
    rng = Random(15)
    for cell, questions in CELLS.items():
        for question in questions:
            word = draw(question, "demo-mini", rng)
            assert word is not None
            assert first_word(cell, word) in shares()["gpt-4o-mini"][cell]
