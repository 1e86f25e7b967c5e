"""How long base URLs were down this month, and what must be kept to know it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from timelines import START

from monitor.alerts import downtime as down
from monitor.model import (
    Failure,
    FailureKind,
    FlapSeries,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Outcome,
    Severity,
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


def downtime(
    *found: Incident, now: datetime = START, maintenance: tuple[Maintenance, ...] = ()
) -> timedelta:
    mine = incident(START, None, "s/a/chat", "s/b/chat")
    return down.downtime(mine, found, maintenance, now)


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


def test_trouble_of_the_account_is_no_downtime_of_the_service() -> None:
    refused = incident(START, severity=Severity.ACCOUNT)
    outage = incident(START - HOUR, START)
    assert down.downtime(refused, (outage, refused), (), START) == timedelta(0)


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
    assert list(down.still_needed(past, START)) == [2, 3, 4]
    assert list(down.still_needed(past, first + 2 * HOUR)) == [1, 2, 3, 4]
    assert list(down.still_needed(past, first + 2.5 * HOUR)) == [2, 3, 4]
