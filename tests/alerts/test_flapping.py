"""When a base URL comes and goes: which incidents make a series, and when it is calm."""

from dataclasses import replace
from datetime import timedelta

import pytest
from timelines import MINUTE, START

from monitor.alerts import flapping
from monitor.alerts.incidents import Book, begin
from monitor.model import Failure, FailureKind, Fired, FlapSeries, Incident, Mute, Rule, Severity

BAD = Failure(FailureKind.BAD_GATEWAY, "got HTTP 502, want 200")
DOWN = Rule(name="down", severity=Severity.DOWN)
KEY = Rule(name="account", severity=Severity.ACCOUNT)


def past(number: int, ago: float, rule: Rule = DOWN, check: str = "s/a/x") -> Incident:
    """Two minutes long, with three failed runs."""
    fired = Fired(check, rule.name, START - ago * MINUTE)
    begun = begin(Book(next_id=number), fired, rule, BAD)
    closed = fired.at + 2 * MINUTE
    return replace(begun, closed=closed, active=frozenset(), failed_runs={"bad_gateway": 3})


def beginning(*found: Incident, check: str = "s/a/x", rule: Rule = DOWN) -> FlapSeries | None:
    return flapping.beginning(found, Fired(check, rule.name, START), rule)


def going_on(*found: Incident, check: str = "s/a/x", rule: Rule = DOWN) -> FlapSeries | None:
    return flapping.going_on(found, Fired(check, rule.name, START), rule)


def test_the_fourth_within_an_hour_makes_a_series_with_all_that_they_cost() -> None:
    three = [past(1, 59), past(2, 30), past(3, 10)]
    series = FlapSeries(
        since=START - 59 * MINUTE,
        incidents=4,
        downtime=6 * MINUTE,
        failed_runs={"bad_gateway": 9},
    )
    assert beginning(*three) == series
    assert beginning(*three[1:]) is None
    open_now = replace(three[0], closed=None)
    assert beginning(open_now, *three[1:]) == replace(
        series, downtime=4 * MINUTE, failed_runs={"bad_gateway": 6}
    )


@pytest.mark.parametrize(
    "other",
    [
        past(1, 60),  # an hour ago
        past(1, 59, check="s/b/x"),
        past(1, 59, Rule(name="degraded", severity=Severity.DEGRADED)),
        past(1, 59, replace(DOWN, cause="certificate")),
        replace(past(1, 59), muted=Mute.MAINTENANCE),
        replace(past(1, 59), series=FlapSeries(since=START, incidents=4, ended=START)),
    ],
)
def test_what_is_of_another_kind_or_was_told_as_a_series_does_not_count(other: Incident) -> None:
    assert beginning(other, past(2, 30), past(3, 10)) is None


@pytest.mark.parametrize(("check", "flaps"), [("s/a/x", True), ("s/b/y", True), ("t/a/x", False)])
def test_trouble_with_an_account_comes_and_goes_for_a_whole_service(
    check: str, flaps: bool
) -> None:
    found = [past(1, 50, KEY), past(2, 30, KEY, "s/c/x"), past(3, 10, KEY)]
    assert (beginning(*found, check=check, rule=KEY) is not None) == flaps


def test_trouble_of_the_monitor_itself_is_one_wherever_it_was_seen() -> None:
    own = Rule(name="monitor", severity=Severity.MONITOR)
    found = [past(1, 50, own), past(2, 30, own, "t/c/x"), past(3, 10, own, "u/c/x")]
    assert beginning(*found, rule=own) is not None


def test_the_next_one_is_counted_into_the_series_that_the_newest_carries() -> None:
    series = FlapSeries(since=START - 50 * MINUTE, incidents=4)
    carries = replace(past(4, 5), series=series)
    assert going_on(past(3, 20), carries) == replace(series, incidents=5)
    assert going_on(carries, past(5, 2)) is None  # the newest is on its own
    assert going_on(replace(past(4, 5), series=replace(series, ended=START))) is None
    assert going_on(carries, check="s/b/x") is None
    assert going_on() is None


def test_it_is_calm_half_an_hour_after_it_last_began_or_ended() -> None:
    over = past(1, 32)
    assert flapping.is_calm(over, START)
    assert not flapping.is_calm(over, START - timedelta(seconds=1))
    still = replace(over, closed=None)
    assert flapping.is_calm(still, START - 2 * MINUTE)
    assert not flapping.is_calm(still, START - 2.1 * MINUTE)
