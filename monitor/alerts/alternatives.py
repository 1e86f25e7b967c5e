"""Says which base URLs an alert names instead of a bad one, and what is known of the others. Pure.

They are ranked as on the page. After the ranked ones come base URLs that the ranking does not trust yet,
and whose last answers were all good: after a start, or after trouble that is over. One with a flaw is
never named.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from monitor.model import Endpoint, FailureKind, Incident, Outcome
from monitor.ranking import ENOUGH, Answer, ranked

MOST = 3


class Others(Enum):
    """Holds what is known of the other base URLs of a service where none of them can be named."""

    NONE = "none"
    """There are no others."""
    DOWN = "down"
    """Each of them is down."""
    FAULTY = "faulty"
    """Each of them is down, or answers with a fault."""
    UNKNOWN = "unknown"
    """Of one at least nothing is known right now."""


@dataclass(frozen=True, slots=True)
class Alternative:
    name: str
    url: str
    milliseconds: float
    """Median of the last half hour: to the first token, or to the headers where nothing streams."""
    is_first_token: bool = True
    endpoint: str = ""
    """`service/endpoint`."""


@dataclass(frozen=True, slots=True)
class Alternatives:
    named: tuple[Alternative, ...] = ()
    """Best first."""
    others: Others = Others.UNKNOWN


def find_alternatives(
    incident: Incident,
    endpoints: Mapping[str, Endpoint],
    answers: Mapping[str, Sequence[Answer]],
    covered: Collection[str],
    now: datetime,
    *,
    streaming: Collection[str] = (),
    paused: Collection[str] = (),
) -> Alternatives:
    """Look at the base URLs of the incident's service that it does not concern.

    `endpoints` and `answers` (of main checks, oldest first) go by `service/endpoint`, `covered` are those
    in an open incident, `streaming` those whose times are to the first token, `paused` those in
    maintenance.
    """
    bad = {check.rpartition("/")[0] for check in incident.active}
    others = {path: seen for path, seen in answers.items() if path in endpoints and path not in bad}
    usable = {path: seen for path, seen in others.items() if path not in paused}
    proven = ranked(usable, now, covered)
    lately = {path: seen[-ENOUGH:] for path, seen in usable.items() if _all_good(seen[-ENOUGH:])}
    promising = ranked(lately, now, covered, enough=dict.fromkeys(lately, 1), window=timedelta.max)
    candidates = {candidate.endpoint: candidate for candidate in (*promising, *proven)}
    order = dict.fromkeys(candidate.endpoint for candidate in (*proven, *promising))
    best = [candidates[path] for path in order if not candidates[path].flaw]
    if FailureKind.EDGE_TIMEOUT in incident.kinds:
        best.sort(key=lambda candidate: endpoints[candidate.endpoint].cut_after is not None)
    named = tuple(
        Alternative(
            endpoints[candidate.endpoint].name,
            endpoints[candidate.endpoint].url,
            candidate.milliseconds,
            candidate.endpoint in streaming,
            candidate.endpoint,
        )
        for candidate in best[:MOST]
    )
    return Alternatives(named, _others(others, paused))


def _all_good(answers: Sequence[Answer]) -> bool:
    return all(answer.is_good for answer in answers if answer.outcome is not Outcome.UNKNOWN)


def _others(answers: Mapping[str, Sequence[Answer]], paused: Collection[str]) -> Others:
    if not answers:
        return Others.NONE
    states = set()
    for path, seen in answers.items():
        if path in paused or not seen or seen[-1].outcome is Outcome.UNKNOWN:
            states.add(Others.UNKNOWN)
        elif seen[-1].outcome is Outcome.DOWN:
            states.add(Others.DOWN)
        else:
            states.add(Others.FAULTY)  # also where it has failed too lately to be trusted
    return next(
        others for others in (Others.UNKNOWN, Others.FAULTY, Others.DOWN) if others in states
    )
