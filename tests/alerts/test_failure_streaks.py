"""What a check fails with while it is suspected, and while it is believed bad."""

from dataclasses import replace

from alerts_cast import BEGUN, START, state

from monitor.alerts.failure_streaks import FailureStreaks, last_kinds
from monitor.alerts.incidents import Book
from monitor.model import (
    AlertState,
    EntryKind,
    Failure,
    FailureKind,
    Outcome,
    Phase,
    Result,
    TimelineEntry,
    Verdict,
)


def test_a_cause_that_is_not_known_is_not_new() -> None:
    key = ("s/a/chat", "local", "down")
    up = AlertState(check="s/a/chat", vantage="local", rule="down")
    suspect = replace(up, phase=Phase.SUSPECT)
    failure = Failure(FailureKind.SERVER_ERROR, "")
    bad = Result(check="s/a/chat", vantage="local", at=START, outcome=Outcome.DOWN, failure=failure)
    streaks = FailureStreaks({})
    assert not streaks.is_new(key, FailureKind.SERVER_ERROR)
    assert streaks.is_new(key, FailureKind.CONNECT_TIMEOUT)
    assert not streaks.is_new(key, FailureKind.CONNECT_TIMEOUT)
    streaks.note(key, suspect, Verdict.BAD, bad)
    streaks.note(key, up, Verdict.GOOD, bad)
    assert not streaks.is_new(key, FailureKind.SERVER_ERROR)
    assert streaks.take(key, FailureKind.SLOW) == {FailureKind.SLOW: 1}
    streaks.note(key, suspect, Verdict.BAD, bad)
    streaks.note(key, suspect, Verdict.NONE, bad)
    assert streaks.take(key, FailureKind.SLOW) == {FailureKind.SERVER_ERROR: 1}


def test_the_last_cause_of_a_check_is_that_of_its_own_incident() -> None:
    def entry(check: str | None, kind: FailureKind | None) -> TimelineEntry:
        return TimelineEntry(at=START, what=EntryKind.CAUSE, check=check, kind=kind)

    timeline = (
        entry("s/a/x", FailureKind.BAD_GATEWAY),
        entry("s/a/x", FailureKind.CONNECT_TIMEOUT),
        entry("s/b/x", FailureKind.SERVER_ERROR),
        entry("s/a/x", None),
        entry(None, None),
    )
    book = Book().put(replace(BEGUN, timeline=timeline))
    states = [
        replace(state("s/a/x"), incident=1),
        replace(state("s/c/x"), incident=1),
        state("s/a/x", Phase.UP, rule="degraded"),
        replace(state("s/b/x"), incident=9),
    ]
    assert last_kinds(states, book) == {("s/a/x", "local", "down"): FailureKind.CONNECT_TIMEOUT}
