"""The last 90 UTC days of an endpoint: the worst confirmed state of each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from monitor.model import Incident, Outcome, Rollup, Severity
from monitor.model.rollup import NOTHING
from monitor.page.states import State

SHOWN = 90
_UP, _DOWN, _DEGRADED = Outcome.UP.value, Outcome.DOWN.value, Outcome.DEGRADED.value
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

    @property
    def state(self) -> State:
        return LETTERS[self.letter]


def last_days(
    today: date,
    measured: Mapping[date, Rollup],
    incidents: Sequence[Incident],
    main: str,
    checks: frozenset[str],
    now: datetime,
    every: timedelta,
) -> tuple[Day, ...]:
    """Oldest first. `measured` are the main check's days, one run `every` so often; `checks` all
    checks of the endpoint.
    """
    calm = _calm(today)
    concerned = [each for each in incidents if not checks.isdisjoint(each.checks)]
    troubles = _troubles(concerned, main, checks, [good.day for good, _ in calm], now)
    found = []
    for good, blind in calm:
        rollup = measured.get(good.day, NOTHING)
        if good.day in troubles:
            found.append(_troubled(good.day, troubles[good.day]))
        elif rollup.maintenance:
            found.append(_worked_on(good.day, rollup.maintenance, every))
        else:
            found.append(good if _is_measured(rollup) else blind)
    return tuple(found)


@lru_cache(maxsize=2)
def _calm(today: date) -> tuple[tuple[Day, Day], ...]:
    """Nearly all days of all endpoints: one object for those that are good, and one for those unseen."""
    dates = [today - timedelta(days=back) for back in range(SHOWN - 1, -1, -1)]
    return tuple((Day(day, "o", 0), Day(day, "n", 0)) for day in dates)


def _is_measured(rollup: Rollup) -> bool:
    counts = rollup.outcomes
    return bool(counts.get(_UP) or counts.get(_DOWN) or counts.get(_DEGRADED))


Trouble = tuple[str, float]
"""A letter, and for how many minutes of the day."""


def _troubles(
    incidents: Sequence[Incident],
    main: str,
    checks: frozenset[str],
    dates: Sequence[date],
    now: datetime,
) -> Mapping[date, list[Trouble]]:
    """By day, of these days."""
    found: dict[date, list[Trouble]] = {}
    for incident in incidents:
        letter = _letter(incident, main, checks)
        begin, end = incident.opened.astimezone(UTC), (incident.closed or now).astimezone(UTC)
        day = max(begin.date(), dates[0])
        while letter and day <= min(end.date(), dates[-1]):
            minutes = _minutes(day, begin, end)
            if minutes > 0:
                found.setdefault(day, []).append((letter, minutes))
            day += timedelta(days=1)
    return found


def _minutes(day: date, begin: datetime, end: datetime) -> float:
    """What of a time lies within a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    within = min(end, start + timedelta(days=1)) - max(begin, start)
    return within.total_seconds() / 60


def _troubled(day: date, troubles: Sequence[Trouble]) -> Day:
    worst = max((letter for letter, _ in troubles), key="dpx".index)
    minutes = sum(minutes for letter, minutes in troubles if letter == worst)
    return Day(day, worst, max(1, min(1440, round(minutes))))


def _worked_on(day: date, runs: int, every: timedelta) -> Day:
    minutes = round(runs * every / timedelta(minutes=1))
    return Day(day, "m", max(1, min(1440, minutes)))


def _letter(incident: Incident, main: str, checks: frozenset[str]) -> str:
    if incident.severity is Severity.DOWN:
        return "x" if main in incident.checks or checks <= set(incident.checks) else "p"
    return "d" if incident.severity is Severity.DEGRADED else ""
