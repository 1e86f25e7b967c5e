"""Which base URL to use now. Pure.

By the main check: at least 5 results and 99 % of them good in the last 30 minutes, then the median
time to first token (to the headers where nothing streams). The pick changes only when another one
has been at least 10 % better three times in a row, or when it is no candidate any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from monitor.model import Check, CheckHistory, Outcome
from monitor.page.window_stats import real

ENOUGH = 5
GOOD = 0.99
BETTER = 0.9
TIMES = 3
WINDOW = timedelta(minutes=30)
_COUNTED = {Outcome.UP, Outcome.DEGRADED, Outcome.DOWN}


@dataclass(frozen=True, slots=True)
class Candidate:
    endpoint: str
    """`service/endpoint`."""
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Pick:
    """What is recommended, and how often in a row another one was clearly better."""

    endpoint: str | None = None
    rival: str | None = None
    times: int = 0
    figures: tuple[float, float] = (0.0, 0.0)
    """The two medians compared last: a comparison without a new result counts once."""


def candidates(
    mains: Sequence[Check], histories: Mapping[str, CheckHistory], now: datetime
) -> list[Candidate]:
    """Best first."""
    found = [
        candidate
        for check in mains
        if (candidate := _candidate(check, histories.get(check.key), now))
    ]
    return sorted(found, key=lambda candidate: (candidate.milliseconds, candidate.endpoint))


def _candidate(check: Check, history: CheckHistory | None, now: datetime) -> Candidate | None:
    recent = [
        result for result in (history.recent if history else ())
        if result.outcome in _COUNTED and now - result.at <= WINDOW
    ]  # fmt: skip
    good = [result for result in recent if result.outcome in {Outcome.UP, Outcome.DEGRADED}]
    times = [
        value for result in good
        if (value := real(result.timings.ttft if check.probe.streams else result.timings.ttfb)) is not None
    ]  # fmt: skip
    if (
        len(recent) < ENOUGH
        or len(good) < GOOD * len(recent)
        or not times
        or recent[-1].outcome is Outcome.DOWN
    ):
        return None
    return Candidate(check.endpoint.path, median(times))


def choose(before: Pick, ranked: Sequence[Candidate]) -> Pick:
    if not ranked:
        return Pick()
    first = ranked[0]
    current = next(
        (candidate for candidate in ranked if candidate.endpoint == before.endpoint), None
    )
    if current is None:
        return Pick(first.endpoint)
    if first.endpoint == current.endpoint or first.milliseconds > current.milliseconds * BETTER:
        return Pick(current.endpoint)
    figures = (current.milliseconds, first.milliseconds)
    if before.rival == first.endpoint and before.figures == figures:
        return before
    times = before.times + 1 if before.rival == first.endpoint else 1
    return (
        Pick(first.endpoint)
        if times >= TIMES
        else Pick(current.endpoint, first.endpoint, times, figures)
    )
