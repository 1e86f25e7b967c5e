"""The last 90 UTC days of an endpoint: the worst confirmed state of each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from monitor.model import Incident, Rollup, Severity
from monitor.model.rollup import NOTHING
from monitor.page.states import State

SHOWN = 90
DAY_MINUTES = 1440
LETTERS = {
    "o": State.OPERATIONAL,
    "d": State.DEGRADED,
    "p": State.PARTIAL,
    "x": State.MAJOR,
    "m": State.MAINTENANCE,
    "n": State.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    letter: str
    minutes: int
    """In trouble that day; 0 where there was none."""
    of: int = field(default=DAY_MINUTES, compare=False)
    """Minutes that the day has had so far."""

    @property
    def state(self) -> State:
        return LETTERS[self.letter]

    @property
    def digit(self) -> str:
        """Return the share of the day that was lost, from 0 to 9; a trace of trouble is 0 and is still drawn."""
        return str(min(9, 10 * self.minutes // self.of))


def last_days(
    today: date,
    measured: Mapping[date, Rollup],
    incidents: Sequence[Incident],
    main: str,
    checks: frozenset[str],
    now: datetime,
    every: timedelta,
) -> tuple[Day, ...]:
    """Return the 90 days, oldest first. `measured` are the main check's days, one run `every` so often;
    `checks` all checks of the endpoint.
    """
    calm = _calm(today)
    concerned = [incident for incident in incidents if not checks.isdisjoint(incident.checks)]
    troubles = _troubles(concerned, main, checks, [good.day for good, _ in calm], now)
    days = []
    for good, blind in calm:
        rollup = measured.get(good.day, NOTHING)
        if good.day in troubles:
            days.append(_in_trouble(good.day, troubles[good.day], now))
        elif rollup.maintenance:
            days.append(_in_maintenance(good.day, rollup.maintenance, every))
        else:
            days.append(good if rollup.counted else blind)
    return tuple(days)


@lru_cache(maxsize=2)
def _calm(today: date) -> tuple[tuple[Day, Day], ...]:
    """Return each day shown as a good one and as an unseen one: nearly all days of all endpoints are these objects."""
    dates = [today - timedelta(days=back) for back in range(SHOWN - 1, -1, -1)]
    return tuple((Day(day, "o", 0), Day(day, "n", 0)) for day in dates)


Trouble = tuple[str, float]
"""A letter, and for how many minutes of the day."""


def _troubles(
    incidents: Sequence[Incident],
    main: str,
    checks: frozenset[str],
    dates: Sequence[date],
    now: datetime,
) -> Mapping[date, list[Trouble]]:
    """Return what lay in these days, by day."""
    troubles: dict[date, list[Trouble]] = {}
    for incident in incidents:
        letter = _letter(incident, main, checks)
        begin, end = incident.opened.astimezone(UTC), (incident.closed or now).astimezone(UTC)
        day = max(begin.date(), dates[0])
        while letter and day <= min(end.date(), dates[-1]):
            minutes = _minutes(day, begin, end)
            if minutes > 0:
                troubles.setdefault(day, []).append((letter, minutes))
            day += timedelta(days=1)
    return troubles


def _minutes(day: date, begin: datetime, end: datetime) -> float:
    """Return how much of a time lies within a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    within = min(end, start + timedelta(days=1)) - max(begin, start)
    return within.total_seconds() / 60


def _in_trouble(day: date, troubles: Sequence[Trouble], now: datetime) -> Day:
    worst = max((letter for letter, _ in troubles), key="dpx".index)
    minutes = sum(minutes for letter, minutes in troubles if letter == worst)
    so_far = DAY_MINUTES
    if day == now.astimezone(UTC).date():
        so_far = max(1, round(_minutes(day, datetime.min.replace(tzinfo=UTC), now)))
    return Day(day, worst, max(1, min(DAY_MINUTES, round(minutes))), so_far)


def _in_maintenance(day: date, runs: int, every: timedelta) -> Day:
    minutes = round(runs * every / timedelta(minutes=1))
    return Day(day, "m", max(1, min(DAY_MINUTES, minutes)))


def _letter(incident: Incident, main: str, checks: frozenset[str]) -> str:
    if incident.severity is Severity.DOWN:
        return "x" if main in incident.checks or checks <= set(incident.checks) else "p"
    return {Severity.PARTIAL: "p", Severity.DEGRADED: "d"}.get(incident.severity, "")
