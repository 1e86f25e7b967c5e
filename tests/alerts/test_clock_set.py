"""A wall clock that somebody sets: incidents keep their length, reminders their time, nothing comes twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from alerts_cast import START, Night
from cast import HandClock

from monitor.alerts import AlertEngine, incidents
from monitor.clock import ClockSteps
from monitor.model import AlertSettings, FailureKind, FlapSeries, Incident

HOUR = timedelta(hours=1)


class Day(Night):
    """A night by a clock that can be set."""

    def __init__(self, **more: object) -> None:
        self.clock = HandClock(START)
        super().__init__(settings=AlertSettings(remind=2 * HOUR), **more)  # type: ignore[arg-type]
        self.alerts = AlertEngine(
            self.settings, self.channels, self.memory(), clock_set_by=ClockSteps(self.clock).total
        )

    def pass_by(self, **time: float) -> None:
        self.clock.tick(timedelta(**time).total_seconds())
        self.now = self.clock.now()
        self.keep(self.alerts.remind(self.now))

    def runs(self, kind: FailureKind | None = None, times: int = 1) -> None:
        for _ in range(times):
            self.now = self.clock.now()
            self.see("s/a/chat", kind)
            self.clock.tick(1)

    def length(self) -> timedelta:
        incident = self.incidents[1]
        assert incident.closed
        return incident.closed - incident.opened


@pytest.mark.parametrize("hours", [-48, -1, 1, 48])
def test_an_incident_is_as_long_as_it_was_whatever_the_clock_is_set_to(hours: float) -> None:
    day = Day()
    day.runs(FailureKind.BAD_GATEWAY, times=3)
    day.pass_by(minutes=10)
    day.clock.step(hours * 3600)
    day.pass_by(minutes=10)
    day.runs(times=2)
    assert day.length() == timedelta(minutes=20, seconds=3)
    assert day.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    incident = day.incidents[1]
    assert [entry.at for entry in incident.timeline] == [incident.opened, incident.closed]


@pytest.mark.parametrize("hours", [-48, -1, 1, 48])
def test_the_first_run_after_the_clock_was_set_may_be_the_one_that_ends_it(hours: float) -> None:
    day = Day()
    day.runs(FailureKind.BAD_GATEWAY, times=3)
    day.clock.step(hours * 3600)
    day.runs(times=2)
    assert day.length() == timedelta(seconds=3)


@pytest.mark.parametrize("hours", [-48, -1, 1, 48])
def test_reminders_come_when_they_would_have_come_and_once(hours: float) -> None:
    day = Day()
    day.runs(FailureKind.BAD_GATEWAY, times=3)
    day.pass_by(hours=1)
    day.clock.step(hours * 3600)
    day.pass_by(minutes=50)
    assert day.messages == ["opened #1 down to phone"]
    day.pass_by(minutes=10)
    day.clock.step(-hours * 3600)
    day.pass_by(minutes=10)
    assert day.messages == ["opened #1 down to phone", "reminder #1 down to phone"]


def test_a_suspicion_dates_from_its_first_run_by_the_new_clock() -> None:
    day = Day()
    day.runs(FailureKind.BAD_GATEWAY, times=2)
    day.clock.step(3600)
    day.runs(FailureKind.BAD_GATEWAY)
    assert day.incidents[1].opened == START + HOUR
    assert day.states["s/a/chat", "local", "down"].bad_since == START + HOUR


def test_every_time_of_an_incident_is_put_into_the_new_clock() -> None:

    day = Day()
    day.runs(FailureKind.BAD_GATEWAY, times=3)
    told = day.incidents[1]
    full: Incident = replace(
        told,
        update_at=START,
        acked=START,
        closed=START,
        series=FlapSeries(since=START, incidents=4),
    )
    moved = incidents.shifted(full, HOUR)
    assert moved.series == FlapSeries(since=START + HOUR, incidents=4)
    for name in ("opened", "closed", "told_at", "remind_at", "update_at", "acked"):
        assert getattr(moved, name) == getattr(full, name) + HOUR, name
    assert incidents.shifted(moved, -HOUR) == full
    assert incidents.shifted(told, HOUR).closed is None
