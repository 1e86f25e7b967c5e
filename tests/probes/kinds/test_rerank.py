"""What is right of an answer of a reranker, whatever its JSON holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import FailureKind, Habit
from monitor.probes.kinds.rerank import judge_order

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["results", "index", "relevance_score"]), inner)
    ),
    max_leaves=12,
)


def scored(*scores: Any) -> dict[str, Any]:
    return {
        "results": [
            {"index": index, "relevance_score": score} for index, score in enumerate(scores)
        ]
    }


def test_the_right_document_first_is_good_and_forgets_mismatches() -> None:
    failure, habit = judge_order(scored(0.1, 0.2, 0.9, 0.0), Habit(mismatches=2))
    assert (failure, habit.mismatches) == (None, 0)


def test_a_wrong_order_is_a_fault_the_third_time_in_a_row() -> None:
    habit = Habit()
    failures = []
    for _ in range(3):
        failure, habit = judge_order(scored(0.9, 0.2, 0.3, 0.0), habit)
        failures.append(failure and failure.kind)
    assert failures == [None, None, FailureKind.CONTENT_MISMATCH]


@pytest.mark.parametrize(
    "answer", [{}, {"results": []}, scored(float("nan"), "1"), scored(10**400), scored(None)]
)
def test_an_answer_without_scores_is_none(answer: Any) -> None:
    failure, _ = judge_order(answer, Habit())
    assert failure is not None
    assert failure.kind is FailureKind.UNEXPECTED_BODY


@given(JSON)
def test_any_json_gets_a_verdict(answer: Any) -> None:
    judge_order(answer, Habit())
