"""The last 90 UTC days of an endpoint: the worst confirmed state of each, and availability. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from monitor.model import Incident, Outcome, Rollup, Severity
from monitor.model.rollup import NOTHING
from monitor.page.states import State

SHOWN = 90
_COUNTED = {Outcome.UP.value, Outcome.DEGRADED.value, Outcome.DOWN.value}
LETTERS = {"o": State.OPERATIONAL, "d": State.DEGRADED, "p": State.PARTIAL, "x": State.MAJOR,
           "m": State.MAINTENANCE, "n": State.UNKNOWN}  # fmt: skip


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
    concerned = [each for each in incidents if not checks.isdisjoint(each.checks)]
    return tuple(
        _day(day, measured.get(day, NOTHING), concerned, main, checks, now, every)
        for day in _dates(today)
    )


@lru_cache(maxsize=2)
def _dates(today: date) -> tuple[date, ...]:
    return tuple(today - timedelta(days=back) for back in range(SHOWN - 1, -1, -1))


def _day(
    day: date,
    rollup: Rollup,
    incidents: Sequence[Incident],
    main: str,
    checks: frozenset[str],
    now: datetime,
    every: timedelta,
) -> Day:
    if not incidents:
        return _quiet(day, rollup, every)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found = [
        (_letter(incident, main, checks), minutes)
        for incident in incidents
        if (minutes := _overlap(incident, start, now)) is not None
    ]
    found = [(letter, minutes) for letter, minutes in found if letter]
    if found:
        worst = max((letter for letter, _ in found), key="dpx".index)
        return Day(
            day,
            worst,
            max(1, min(1440, round(sum(minutes for letter, minutes in found if letter == worst)))),
        )
    return _quiet(day, rollup, every)


def _quiet(day: date, rollup: Rollup, every: timedelta) -> Day:
    if rollup.maintenance:
        minutes = round(rollup.maintenance * every / timedelta(minutes=1))
        return Day(day, "m", max(1, min(1440, minutes)))
    return Day(day, "o" if any(map(rollup.outcomes.get, _COUNTED)) else "n", 0)


def _letter(incident: Incident, main: str, checks: frozenset[str]) -> str:
    if incident.severity is Severity.DOWN:
        return "x" if main in incident.checks or checks <= set(incident.checks) else "p"
    return "d" if incident.severity is Severity.DEGRADED else ""


def _overlap(incident: Incident, start: datetime, now: datetime) -> float | None:
    """Minutes of an incident within the day that begins at `start`."""
    begin, end = max(incident.opened, start), min(incident.closed or now, start + timedelta(days=1))
    return (end - begin).total_seconds() / 60 if end > begin else None


def availability(days: Iterable[Rollup]) -> tuple[float | None, float | None]:
    """(up + degraded) / (up + degraded + down), and the share that is excluded as unknown."""
    served = down = unknown = 0
    for rollup in days:
        served += rollup.outcomes.get("up", 0) + rollup.outcomes.get("degraded", 0)
        down += rollup.outcomes.get("down", 0)
        unknown += rollup.outcomes.get("unknown", 0)
    counted = served + down
    total = counted + unknown
    return (served / counted if counted else None), (unknown / total if total else None)
