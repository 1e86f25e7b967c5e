"""Ranks base URLs by which to use now: for the page, `best.txt` and the alerts. Pure.

It is asked of the main check of each base URL: at least 5 results in the last 30 minutes (fewer where one vantage
asks it more seldom, as with turns), 99 % of them good, the last one too, and no open incident; then the median time to first token (to the headers where
nothing streams) decides. The pick changes only when another one has been at least 10 % better three
times in a row, or when it is no candidate any more.

Good is an answer without a fault in its content: who is sent to a base URL that cuts, holds back or
falsifies its answers is sent wrong. A base URL that answers with such a fault, or that is covered by an
open incident, is a candidate with a `flaw`, which ranks behind all without one: for readers who have
nothing else, and are told so. Of those with a flaw, the ones whose trouble is over rank first.
"""

import json
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from statistics import median
from typing import NamedTuple

from monitor.model import (
    Check,
    CheckHistory,
    FailureKind,
    Fault,
    Incident,
    Outcome,
    Result,
)

ENOUGH = 5
"""Answers within `WINDOW` that a base URL needs to be recommended; fewer where it is asked more seldom."""
GOOD = 0.99
"""The share of them, 0 to 1, that must be good."""
BETTER = 0.9
"""The median of a base URL over that of the recommended one, at most, to be better: 10 % faster."""
TIMES = 3
"""So many times in a row it must be better before it takes the other's place."""
WINDOW = timedelta(minutes=30)
"""How far back answers count."""
_COUNTED = {Outcome.UP, Outcome.DEGRADED, Outcome.DOWN}


class Answer(NamedTuple):
    """Holds what the ranking needs of one run of a main check."""

    at: datetime
    outcome: Outcome
    kind: FailureKind | None
    milliseconds: float | None
    """To the first token, or to the headers where nothing streams."""

    @property
    def is_good(self) -> bool:
        return self.outcome is Outcome.UP or (
            self.outcome is Outcome.DEGRADED and not (self.kind and self.kind.row.spoils_answer)
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    endpoint: str
    """`service/endpoint`."""
    milliseconds: float
    flaw: bool = False
    """It spoils its answers, or an open incident covers it."""
    is_bad_now: bool = False
    """An open incident covers it, or its last answer had a fault in its content."""

    @property
    def grade(self) -> tuple[bool, bool]:
        """Return what counts before any time: less is better."""
        return self.flaw, self.is_bad_now


@dataclass(frozen=True, slots=True)
class Pick:
    """Says what is recommended, and how often in a row another one was clearly better."""

    endpoint: str | None = None
    rival: str | None = None
    times: int = 0
    figures: tuple[float, float] = (0.0, 0.0)
    """The two medians compared last: a comparison without a new result counts once."""


def main_check(checks: Sequence[Check]) -> Check:
    """Return the check that speaks for a base URL, of all that it has."""
    return min(checks, key=lambda check: (not check.probe.main, check.probe.main_rank))


def answer(check: Check, result: Result) -> Answer:
    value = result.timings.ttft if check.probe.streams else result.timings.ttfb
    is_possible = value is not None and 0 <= value < inf
    kind = result.failure.kind if result.failure else None
    return Answer(result.at, result.outcome, kind, value if is_possible else None)


def candidates(
    mains: Sequence[Check],
    histories: Mapping[str, CheckHistory],
    now: datetime,
    incidents: Iterable[Incident] = (),
    vantage: str | None = None,
) -> list[Candidate]:
    """Rank main checks by what the store knows of them, best first, as it is seen from a vantage."""
    answers = {
        check.endpoint.path: [answer(check, result) for result in histories[check.key].recent]
        for check in mains
        if check.key in histories
    }
    enough = {check.endpoint.path: _enough(check) for check in mains}
    return ranked(answers, now, covered(incidents, vantage), enough=enough)


def _enough(check: Check) -> int:
    """Return how many results a check needs: one fewer than fall into half an hour, for the newest may be on its way."""
    return min(ENOUGH, max(1, WINDOW // check.every - 1))


def ranked(
    answers: Mapping[str, Sequence[Answer]],
    now: datetime,
    covered: Collection[str] = (),
    *,
    enough: Mapping[str, int] | None = None,
    window: timedelta = WINDOW,
) -> list[Candidate]:
    """Rank base URLs by path, best first, by the answers of their main checks, oldest first.

    `enough` says of how many it takes more or less than 5.
    """
    candidates = []
    for path, all_answers in answers.items():
        recent = [answer for answer in all_answers if now - answer.at <= window]
        least = (enough or {}).get(path, ENOUGH)
        if candidate := _candidate(path, recent, least, is_covered=path in covered):
            candidates.append(candidate)
    return sorted(candidates, key=lambda pick: (pick.grade, pick.milliseconds, pick.endpoint))


def covered(incidents: Iterable[Incident], vantage: str | None = None) -> frozenset[str]:
    """Return the base URLs that an open incident says are down or degraded now, but for a certificate's end.

    With a `vantage`, what only others see bad is left out.
    """
    return frozenset(
        check.rpartition("/")[0]
        for incident in incidents
        if incident.severity.is_of_base_urls and incident.cause != "certificate"
        for check in incident.active
        if vantage is None
        or check not in incident.partial
        or vantage in incident.bad_from.get(check, ())
    )


def _candidate(
    path: str, recent: Sequence[Answer], enough: int, *, is_covered: bool
) -> Candidate | None:
    if not _is_seen(recent):
        return None
    counted = [answer for answer in recent if answer.outcome in _COUNTED]
    answered = [answer for answer in counted if answer.outcome is not Outcome.DOWN]
    times = [answer.milliseconds for answer in answered if answer.milliseconds is not None]
    if (
        len(counted) < enough
        or len(answered) < GOOD * len(counted)
        or counted[-1].outcome is Outcome.DOWN
        or not times
    ):
        return None
    good = sum(answer.is_good for answer in counted)
    is_bad_now = is_covered or not counted[-1].is_good
    flaw = is_bad_now or good < GOOD * len(counted)
    return Candidate(path, median(times), flaw=flaw, is_bad_now=is_bad_now)


def _is_seen(recent: Sequence[Answer]) -> bool:
    """Say whether the newest run says something of now; one run that we missed ourselves is forgiven."""
    if not recent or recent[-1].outcome in _COUNTED:
        return bool(recent)
    kind = recent[-1].kind
    is_ours = kind is None or kind.fault is Fault.MONITOR
    return is_ours and len(recent) > 1 and recent[-2].outcome in _COUNTED


def choose(before: Pick, ranked: Sequence[Candidate]) -> Pick:
    """Stay with what was picked before, unless another one is clearly and lastingly better."""
    if not ranked:
        return Pick()
    first = ranked[0]
    rivals = {
        candidate.endpoint: candidate for candidate in ranked if candidate.grade == first.grade
    }
    current = rivals.get(before.endpoint or "")
    if current is None:
        return Pick(first.endpoint)
    if first.endpoint == current.endpoint or first.milliseconds > current.milliseconds * BETTER:
        return Pick(current.endpoint)
    figures = (current.milliseconds, first.milliseconds)
    if before.rival == first.endpoint and before.figures == figures:
        return before
    times = before.times + 1 if before.rival == first.endpoint else 1
    if times >= TIMES:
        return Pick(first.endpoint)
    return Pick(current.endpoint, first.endpoint, times, figures)


def last_picks(written: bytes) -> Mapping[str, Pick]:
    """Return what was picked last, by service, from an older `best.json`, whatever stands in it.

    A restart then sends nobody elsewhere.
    """
    try:
        chosen = json.loads(written)["last"]
        return {service: Pick(f"{service}/{endpoint}") for service, endpoint in chosen.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


class RecentAnswers:
    """Holds the answers that each main check got lately from each vantage, in memory, as they come."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self._answers: dict[tuple[str, str], deque[Answer]] = {}
        """By vantage and check."""
        self.change(checks)

    def change(self, checks: Iterable[Check]) -> None:
        """Follow other checks; what is known of those that stay is kept."""
        by_endpoint: dict[str, list[Check]] = {}
        for check in checks:
            by_endpoint.setdefault(check.endpoint.path, []).append(check)
        mains = [main_check(all_checks) for all_checks in by_endpoint.values()]
        self._mains = {check.key: check for check in mains}
        self._answers = {
            key: answers for key, answers in self._answers.items() if key[1] in self._mains
        }

    def add(self, result: Result) -> None:
        check = self._mains.get(result.check)
        if check is None:
            return
        answers = self._answers.setdefault((result.vantage, result.check), deque())
        if answers and result.at < answers[-1].at:
            return  # it comes late
        answers.append(answer(check, result))
        while answers[-1].at - answers[0].at > _kept(check):
            answers.popleft()

    def of_service(self, service: str, now: datetime, vantage: str) -> dict[str, Sequence[Answer]]:
        """Return answers, oldest first, by the path of each base URL of the service that is probed."""
        return {
            check.endpoint.path: [
                answer
                for answer in self._answers.get((vantage, key), ())
                if now - answer.at <= _kept(check)
            ]
            for key, check in self._mains.items()
            if check.service == service
        }

    def streams(self, path: str) -> bool:
        """Say whether times of this base URL are times to first token."""
        return any(
            check.probe.streams for check in self._mains.values() if check.endpoint.path == path
        )


def _kept(check: Check) -> timedelta:
    """Return how long an answer says something of now: half an hour, or until it should be replaced twice."""
    return max(WINDOW, 2 * check.every)
