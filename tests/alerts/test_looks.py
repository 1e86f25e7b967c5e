"""What is read off all that is known: which base URLs work, whether it storms, how long it was down."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from timelines import MINUTE, START

from monitor.alerts import queries
from monitor.alerts.incidents import Book
from monitor.model import (
    AlertState,
    EntryKind,
    Failure,
    FailureKind,
    FlapSeries,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Outcome,
    Phase,
    Severity,
    TimelineEntry,
)

UP, DEGRADED, DOWN, UNKNOWN = Outcome
HOUR = timedelta(hours=1)
"""START is 24 November 2026, 12:00 UTC."""


def incident(
    opened: datetime,
    closed: datetime | None = None,
    *checks: str,
    severity: Severity = Severity.DOWN,
    number: int = 1,
) -> Incident:
    return Incident(
        id=number,
        service="s",
        severity=severity,
        opened=opened,
        closed=closed,
        failure=Failure(FailureKind.BAD_GATEWAY, ""),
        checks=checks or ("s/a/chat",),
        active=frozenset() if closed else frozenset(checks or {"s/a/chat"}),
    )


def state(check: str, phase: Phase = Phase.BAD, rule: str = "down", ago: float = 0) -> AlertState:
    return AlertState(check=check, rule=rule, phase=phase, since=START - ago * MINUTE)


# --- which base URLs work -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "works"),
    [
        ({"x": UP}, True),
        ({"x": DEGRADED}, True),
        ({"x": UP, "y": UNKNOWN}, True),
        ({"x": UNKNOWN}, False),
        ({"x": UP, "y": DOWN}, False),
        ({}, False),
    ],
)
def test_a_base_url_works_where_something_was_answered_and_nothing_failed(
    seen: dict[str, Outcome], works: bool
) -> None:
    latest = {f"s/a/{probe}": outcome for probe, outcome in seen.items()}
    assert queries.working("s", latest, ()) == (("s/a",) if works else ())


def test_what_is_believed_down_does_not_work_whatever_its_last_run_says() -> None:
    latest = {f"s/{each}/x": UP for each in "abcde"}
    states = [
        state("s/a/x"),
        state("s/b/x", Phase.RECOVERING),
        state("s/c/x", Phase.SUSPECT),
        state("s/d/x", rule="degraded"),
    ]
    assert queries.working("s", latest, states) == ("s/c", "s/d", "s/e")


def test_those_without_any_fault_come_first_and_other_services_not_at_all() -> None:
    latest = {"s/b/x": DEGRADED, "s/c/x": UP, "s/c/y": UNKNOWN, "s/d/x": UP, "t/a/x": UP}
    assert queries.working("s", latest, ()) == ("s/d", "s/b", "s/c")


# --- a storm --------------------------------------------------------------------------------------


def storm(states: Iterable[AlertState], endpoints: str = "a") -> bool:
    """Four services are watched, each with these endpoints."""
    latest = {f"{service}/{each}/x": DOWN for service in "stuv" for each in endpoints}
    return queries.is_storm(states, latest, START)


def test_three_services_that_begin_to_fail_together_are_a_storm_and_two_are_none() -> None:
    assert storm(state(f"{each}/a/x") for each in "stu")
    assert storm(state(f"{each}/a/x", Phase.SUSPECT, ago=2) for each in "stuv")
    assert not storm(state(f"{each}/a/x") for each in "st")
    assert not storm([*(state(f"s/a/{each}") for each in "xyz"), state("t/a/x")])


@pytest.mark.parametrize(
    "other",
    [
        state("u/a/x", ago=2.1),
        state("u/a/x", Phase.RECOVERING),
        state("u/a/x", rule="degraded"),
        AlertState(check="u/a/x", rule="down", phase=Phase.BAD),
    ],
)
def test_what_failed_before_or_is_only_slow_makes_no_storm(other: AlertState) -> None:
    assert not storm([state("s/a/x"), state("t/a/x"), other])


def test_it_takes_most_base_urls_of_each_of_the_services() -> None:
    def hit(**endpoints: str) -> list[AlertState]:
        return [state(f"{s}/{each}/x") for s, found in endpoints.items() for each in found]

    assert storm(hit(s="ab", t="bc", u="abc"), "abc")
    assert not storm(hit(s="ab", t="ab", u="a"), "abc")
    assert not storm(hit(s="ab", t="ab", u="ab"), "abcd")  # half is not most


def test_a_service_that_nothing_is_known_of_counts_by_what_was_hit() -> None:
    assert queries.is_storm([state(f"{each}/a/x") for each in "stu"], {}, START)


# --- what it failed with --------------------------------------------------------------------------


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
    book = Book().put(replace(incident(START), timeline=timeline))
    states = [
        replace(state("s/a/x"), incident=1),
        replace(state("s/c/x"), incident=1),
        state("s/a/x", Phase.UP, rule="degraded"),
        replace(state("s/b/x"), incident=9),
    ]
    assert queries.causes(states, book) == {("s/a/x", "down"): FailureKind.CONNECT_TIMEOUT}


# --- how long it was down -------------------------------------------------------------------------


def downtime(
    *found: Incident, now: datetime = START, maintenance: tuple[Maintenance, ...] = ()
) -> timedelta:
    mine = incident(START, None, "s/a/chat", "s/b/chat")
    return queries.downtime(mine, found, maintenance, now)


def test_outages_of_this_month_are_added_up_and_those_that_overlap_count_once() -> None:
    night = datetime(2026, 11, 10, 1, tzinfo=UTC)
    assert downtime(
        incident(night, night + HOUR),
        incident(night + HOUR / 2, night + 2 * HOUR, "s/b/chat"),
        incident(night + HOUR / 4, night + HOUR / 2),
        incident(START - HOUR),
    ) == timedelta(hours=3)


def test_what_was_slow_and_what_others_suffered_is_no_downtime_of_these_base_urls() -> None:
    slow = incident(START - HOUR, severity=Severity.DEGRADED)
    assert downtime(slow, incident(START - HOUR, None, "s/c/chat")) == timedelta(0)


def test_the_month_begins_at_midnight_utc_wherever_one_looks_from(tokyo: None) -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    over = incident(first - HOUR, first + HOUR)
    now = first + timedelta(minutes=30, seconds=1.5)
    for moment in (now, now.astimezone(timezone(timedelta(hours=-5)))):
        assert downtime(incident(first - HOUR), now=moment) == timedelta(minutes=30, seconds=1.5)
    assert downtime(over, now=first + timedelta(days=29, hours=23)) == HOUR


def test_what_was_planned_for_all_of_them_is_no_downtime() -> None:
    def planned(endpoints: set[str], start: float, end: float) -> Maintenance:
        window = MaintenanceWindow(START + start * HOUR, START + end * HOUR)
        return Maintenance(id="m", title="m", endpoints=frozenset(endpoints), once=window)

    outage = incident(START - 4 * HOUR, START - HOUR)
    both = {"s/a", "s/b"}
    work = (planned(both, -3.5, -3), planned(both, -3.25, -2.5), planned({"s/a"}, -4, -1))
    assert downtime(outage, maintenance=work) == 2 * HOUR
    assert downtime(outage, maintenance=(planned(both, -1, 0),)) == 3 * HOUR


# --- what is still needed -------------------------------------------------------------------------


def test_of_what_is_over_this_month_is_kept_and_the_last_three_hours_and_what_still_flaps() -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    series = FlapSeries(since=START, incidents=4)
    past = {
        1: incident(first - 9 * HOUR, first - HOUR),
        2: incident(first - 9 * HOUR, first),
        3: incident(first, first + HOUR),
        4: replace(incident(first - 9 * HOUR, first - 8 * HOUR), series=series),
        5: incident(first - 9 * HOUR),
        6: replace(
            incident(first - 9 * HOUR, first - 8 * HOUR), series=replace(series, ended=first)
        ),
    }
    assert list(queries.still_needed(past, START)) == [2, 3, 4]
    assert list(queries.still_needed(past, first + 2 * HOUR)) == [1, 2, 3, 4]
    assert list(queries.still_needed(past, first + 2.5 * HOUR)) == [2, 3, 4]
