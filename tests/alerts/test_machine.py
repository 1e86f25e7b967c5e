"""Timelines as text: what was seen, and what was said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.machine import TRANSITIONS, step
from monitor.model import AlertState, Event, Fired, Phase, Resolved, Rule, Severity, Verdict

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
VERDICTS = {"U": Verdict.GOOD, "D": Verdict.BAD, "?": Verdict.NONE}


def at(index: int) -> datetime:
    return START + timedelta(minutes=index)


def rule(after: int = 3, recover: int = 2) -> Rule:
    return Rule(name="down", severity=Severity.DOWN, after=after, recover=recover)


def run(seen: str, after: int = 3, recover: int = 2) -> tuple[str, list[Event], AlertState]:
    """One character a probe in; `F`ired, `R`esolved or `.` out."""
    state, said, events = AlertState(check="s/e/p", vantage="local", rule="down"), "", []
    for index, letter in enumerate(seen):
        state, found = step(rule(after, recover), state, VERDICTS[letter], at(index))
        events += found
        said += {Fired: "F", Resolved: "R"}[type(found[0])] if found else "."
    return said, events, state


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("UDDDUU", "...F.R"),
        ("UUUUUU", "......"),
        ("DDUDDU", "......"),  # two in a row are not believed
        ("DDDUDUDUU", "..F.....R"),  # a relapse is the same incident
        ("D?D?D", "....F"),  # what we could not see breaks no streak
        ("DDD???UU", "..F....R"),
        ("DDDDDDDD", "..F....."),
        ("DDDUUDDDUU", "..F.R..F.R"),
    ],
)
def test_a_timeline_says_what_it_should(seen: str, said: str) -> None:
    assert run(seen)[0] == said


def test_an_incident_dates_from_the_first_bad_and_ends_with_the_first_good_run() -> None:
    _, events, state = run("UDDDDUU")

    assert events == [Fired("s/e/p", "down", at(1)), Resolved("s/e/p", "down", at(5))]
    assert state == AlertState(check="s/e/p", vantage="local", rule="down")


@pytest.mark.parametrize(
    ("seen", "phase", "streak", "since", "bad_since"),
    [
        ("U", Phase.UP, 0, None, None),
        ("UDD", Phase.SUSPECT, 2, 1, None),
        ("DDU", Phase.UP, 0, None, None),
        ("UDDD", Phase.BAD, 0, 1, 1),
        ("DDDDD", Phase.BAD, 0, 0, 0),
        ("DDDUU?", Phase.RECOVERING, 2, 3, 0),
        ("DDDUUD", Phase.BAD, 0, 0, 0),
        ("DDDUUDU", Phase.RECOVERING, 1, 6, 0),
    ],
)
def test_what_is_known_in_each_phase(
    seen: str, phase: Phase, streak: int, since: int | None, bad_since: int | None
) -> None:
    assert run(seen, recover=3)[2] == AlertState(
        check="s/e/p",
        vantage="local",
        rule="down",
        phase=phase,
        streak=streak,
        since=None if since is None else at(since),
        bad_since=None if bad_since is None else at(bad_since),
    )


def test_the_incident_is_held_until_it_is_over() -> None:
    state = replace(run("DDD")[2], incident=7)
    state = step(rule(), state, Verdict.GOOD, at(3))[0]
    assert state.incident == 7
    assert step(rule(), state, Verdict.GOOD, at(4))[0].incident is None


def test_after_one_and_recover_one_believe_at_once() -> None:
    assert run("UDUDU", after=1, recover=1)[0] == ".FRFR"


@pytest.mark.parametrize(("phase", "verdict", "next_phase", "why"), TRANSITIONS)
def test_every_transition_of_the_table_is_taken(
    phase: Phase, verdict: Verdict, next_phase: Phase, why: str
) -> None:
    before = {"SUSPECT": "DD", "BAD": "DDD", "RECOVERING": "DDDU", "UP": ""}[phase.name]
    state = run(before)[2]
    assert state.phase is phase

    assert step(rule(), state, verdict, at(9))[0].phase is next_phase


def test_the_table_names_every_phase_and_verdict() -> None:
    assert {(phase, verdict) for phase, verdict, _, _ in TRANSITIONS} == {
        (phase, verdict) for phase in Phase for verdict in (Verdict.GOOD, Verdict.BAD)
    }


@given(st.text("UD?", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_fired_and_resolved_take_turns(seen: str, after: int, recover: int) -> None:
    said = run(seen, after, recover)[0].replace(".", "")
    assert said == ("FR" * len(said))[: len(said)]


@given(st.text("UD?", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_what_we_could_not_see_changes_nothing(seen: str, after: int, recover: int) -> None:
    with_gaps = [type(event) for event in run(seen, after, recover)[1]]
    without = [type(event) for event in run(seen.replace("?", ""), after, recover)[1]]
    assert with_gaps == without


@given(st.text("UD", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_it_fires_only_after_enough_bad_runs_in_a_row(seen: str, after: int, recover: int) -> None:
    for index, letter in enumerate(run(seen, after, recover)[0]):
        if letter == "F":
            assert seen[: index + 1].endswith("D" * after)
        if letter == "R":
            assert seen[: index + 1].endswith("U" * recover)
