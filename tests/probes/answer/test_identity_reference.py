"""A reference of one-word answers is read back as it was written, refused where it is none, and compared with care."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from drawn_words import drawn
from hypothesis import given
from hypothesis import strategies as st

from monitor.probes.answer.identity_comparison import IdentityComparison, compare_words
from monitor.probes.answer.identity_reference import (
    LARGEST,
    IdentityReference,
    read_reference,
    reference_document,
)
from monitor.probes.answer.one_word import CELLS, sample


def of(model: str, count: int, seed: int) -> IdentityReference:
    return IdentityReference(
        recorded=datetime(2026, 11, 30, 12, tzinfo=UTC),
        model=model,
        answered_as=(f"{model}-2026",),
        host="api.example",
        temperature=1.0,
        max_tokens=16,
        empty=2,
        tokens_in=400,
        tokens_out=30,
        counts={
            cell: dict(Counter(words)) for cell, words in sample(drawn(model, count, seed)).items()
        },
    )


def written(reference: IdentityReference, **other: Any) -> bytes:
    return json.dumps(reference_document(reference) | other).encode()


@given(st.integers(0, 300), st.integers(0, 99))
def test_what_is_written_is_read_back(count: int, seed: int) -> None:
    reference = of("gpt-4o", count, seed)
    read = read_reference(written(reference))
    assert {cell: words for cell, words in read.counts.items() if words} == reference.counts
    assert read.answers == reference.answers == count + 2
    assert read.title == "the reference of gpt-4o of 2026-11-30"
    assert (read.model, read.host, read.temperature) == ("gpt-4o", "api.example", 1.0)


GOOD = of("gpt-4o", 60, 1)
CELL = reference_document(GOOD)["cells"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xff\xfe{", "is no JSON, want a file of `monitor identity record`"),
        (b"[" * 9999, "is no JSON, want a file of `monitor identity record`"),
        (b"[1]", "is no reference, want a file of `monitor identity record`"),
        (b" " * (LARGEST + 1), f"has {LARGEST + 1} bytes, want at most {LARGEST}"),
        (written(GOOD, version=9), "was written by another version of monitor; record it anew"),
        (written(GOOD, recorded="2026"), "does not say when it was recorded; record it anew"),
        (written(GOOD, recorded=7), "does not say when it was recorded; record it anew"),
        (written(GOOD, sampling=7), "lacks the table `sampling`; record it anew"),
        (written(GOOD, empty=-1), "holds a count that is none, want a whole number up to 100000"),
        *(
            (
                written(GOOD, sampling={"temperature": other, "max_tokens": 16}),
                "was recorded at another temperature than 1; record it anew",
            )
            for other in (0, 0.7, True, "1", float("nan"), 10**400)
        ),
        (written(GOOD, empty=5_000), "holds 5060 answers, want at most 5000"),
        (written(GOOD, cells={}), "lacks the table `number`; record it anew"),
        (
            written(GOOD, cells=CELL | {"city": CELL["city"] | {"questions": ["A city?"]}}),
            "was recorded with other questions (city) than are asked now; record it anew",
        ),
        (
            written(GOOD, cells=CELL | {"city": CELL["city"] | {"words": {"Rome": True}}}),
            "holds a count that is none, want a whole number up to 100000",
        ),
    ],
)
def test_another_file_is_refused_with_a_sentence(data: bytes, what: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # its words are compared
        read_reference(data)
    assert str(caught.value) == what


def test_a_reference_of_many_tokens_or_an_unknown_temperature_is_read_back() -> None:
    dear = replace(GOOD, tokens_in=2_000_000, temperature=None)
    read = read_reference(written(dear))
    assert (read.tokens_in, read.temperature) == (2_000_000, None)


def test_of_hostile_words_only_text_is_left() -> None:
    words = {"\x1b[2J\u202etrap" + "x" * 999: 3}
    cells = CELL | {"city": CELL["city"] | {"words": words}}
    (word,) = read_reference(written(GOOD, cells=cells)).counts["city"]
    assert len(word) <= 40
    assert word.isprintable()


def compared(left: IdentityReference, right: IdentityReference) -> IdentityComparison:
    return compare_words(left.sample, right.sample, Random(1))


def test_the_same_model_is_not_apart_and_that_is_called_no_proof() -> None:
    comparison = compared(of("gpt-4o", 144, 1), of("gpt-4o", 96, 2))
    assert not comparison.differs
    assert comparison.verdict.startswith("They differ no more than chance explains.")
    assert "does not prove that one model answers" in comparison.verdict
    assert [cell.cell for cell in comparison.cells] == sorted(CELLS)


def test_another_model_is_apart_as_two_models_are() -> None:
    comparison = compared(of("gpt-4o-mini", 144, 1), of("claude-sonnet-4.5", 96, 2))
    assert comparison.differs
    assert comparison.excess >= 0.35
    assert comparison.verdict == "The answers differ as much as between two models."


def test_a_little_is_said_as_a_little() -> None:
    """Also where it is two models: nobody can tell them from two hosts of one."""
    comparison = compared(of("gpt-4o", 144, 1), of("deepseek-chat", 96, 2))
    assert comparison.differs
    assert comparison.excess < 0.35
    assert comparison.verdict.startswith(
        "The answers differ more than chance explains. Another model"
    )


def test_few_answers_are_not_compared() -> None:
    few = compared(of("gpt-4o", 40, 1), of("deepseek-chat", 96, 2))
    assert not few.differs
    assert few.verdict == "Too few answers to compare: want at least 48 with a word on each side."
