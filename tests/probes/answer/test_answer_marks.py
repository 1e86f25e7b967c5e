"""What marks answers beside their words: noted when it is new or gone, and never a verdict."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay import KEY, Relay, plain, relaying

from monitor.model import Evidence, Habit, Mark
from monitor.probes.answer.answer_marks import GONE_AFTER, after_answer, marks_in

USAGE = {"prompt_tokens": 9, "completion_tokens": 1, "cost": None}
MARKS = st.sets(
    st.sampled_from(["id a", "usage b", *(f"system_fingerprint {n}" for n in range(9))])
)


def test_ids_fingerprints_names_of_counts_and_signatures_mark_an_answer() -> None:
    body = {
        "id": "chatcmpl-1",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"id": "3f2a", "message": {"content": 'He said "id": "evil-1".'}}],
        "thought_signature": "c2ln",
    }
    assert marks_in(json.dumps(body).encode(), USAGE, 0) == {
        "id chatcmpl",
        "system_fingerprint fp_44709d6fcb",
        "usage prompt_tokens",
        "usage completion_tokens",
        "a signature of thoughts",
        "a count of cached tokens",
    }
    assert marks_in(b'{"id": null, "signature": ""}', {"x" * 61: 1}, None) == set()


def after(*answers: set[str]) -> tuple[tuple[Mark, ...], list[str]]:
    marks, notes = after_answer((), answers[0], is_learning=True)[0], []
    for seen in answers[1:]:
        marks, note = after_answer(marks, seen, is_learning=False)
        notes.append(note)
    return marks, notes


def test_a_new_mark_is_news_at_once_and_a_missing_one_after_ten_answers() -> None:
    marks, notes = after({"id chatcmpl"}, {"id msg", "usage cost"}, *[{"id msg"}] * 20)
    assert marks == (("id msg", 0),)
    assert notes[0] == "new in its answers: id msg, usage cost"
    assert notes[GONE_AFTER - 1] == "no longer in them: id chatcmpl"
    assert notes[GONE_AFTER] == "no longer in them: usage cost"
    assert set(notes[1 : GONE_AFTER - 1] + notes[GONE_AFTER + 1 :]) == {""}


def test_one_fingerprint_in_place_of_another_is_one_change_and_many_are_none() -> None:
    old, new = {"system_fingerprint a"}, {"system_fingerprint b"}
    assert [note for note in after(old, *[new] * 20)[1] if note] == [
        "new in its answers: system_fingerprint b"
    ]
    assert [note for note in after(old, *[set()] * 20)[1] if note] == [
        "no longer in them: system_fingerprint a"
    ]
    each = [{f"system_fingerprint {number}"} for number in range(50)]
    assert [bool(note) for note in after(*each)[1]] == [True] * 4 + [False] * 45


@given(st.lists(MARKS, min_size=1, max_size=40))
def test_what_is_known_came_lately_and_what_came_lately_is_known(answers: list[set[str]]) -> None:
    marks, _ = after(*answers)
    assert {mark for mark, _ in marks} == set().union(*answers[-GONE_AFTER:])


@given(st.sets(st.text(), max_size=200), st.sets(st.text(), max_size=200))
def test_no_base_url_makes_us_keep_more_than_a_little(first: set[str], second: set[str]) -> None:
    assert len(after(first, second)[0]) <= 60


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


def says(**more: Any) -> dict[str, Any]:
    choice = {"message": {"content": "yes"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    return {"id": "chatcmpl-1", "model": "model-x", "choices": [choice], "usage": usage, **more}


async def test_a_good_run_notes_a_new_mark_without_a_verdict(relay: Relay) -> None:
    asked: dict[str, Any] = {"stream": False, "text": "Say yes.", "answer": "yes"}
    known = Habit(good=20, marks=(("id chatcmpl", 0), ("usage prompt_tokens", 0)))
    relay.answering = plain(says(system_fingerprint="fp_1"))
    finding = await relay.ask("chat", known, **asked)
    news = "new in its answers: system_fingerprint fp_1, usage completion_tokens"
    assert finding.failure is None
    assert finding.evidence == Evidence(note=news, is_change=True)
    again = await relay.ask("chat", finding.habit, **asked)
    assert (again.evidence, again.habit.marks) == (Evidence(), finding.habit.marks)
    young = await relay.ask("chat", Habit(good=3, marks=known.marks), **asked)
    assert young.evidence == Evidence()
    assert KEY not in repr(finding.habit)
