"""Says what one gets through a base URL: which model, in which form, how it streams. Pure.

Only what was measured is said, with when. A run that failed for another reason says nothing of a promise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model import (
    Check,
    CheckHistory,
    FailureKind,
    Habit,
    Incident,
    Outcome,
    Result,
    WordHistory,
)
from monitor.model.result import CALLS_OF_COUNTING, WORDS_OF_BASELINE, WORDS_OF_WINDOW
from monitor.page.formatting import whole_second
from monitor.page.published import TrustFact, TrustFinding
from monitor.page.states import State

_SAYS_NOTHING_BAD = frozenset({FailureKind.SLOW, FailureKind.CERT_EXPIRING})
"""Failures of runs whose answer was good."""
_STREAMING = frozenset({FailureKind.FAKE_STREAMING, FailureKind.STREAM_NOT_SUPPORTED})
_BURSTS = 3
"""Streams in a row that came in one burst, after which it is believed."""
_STATES = {
    TrustFinding.SAME: State.OPERATIONAL,
    TrustFinding.KEPT: State.OPERATIONAL,
    TrustFinding.CHANGED: State.DEGRADED,
    TrustFinding.BROKEN: State.DEGRADED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Holds what is known of a check beside its history."""

    habit: Habit
    has_peers: bool = False
    """Whether the same probe has answers enough through another base URL of the service."""
    has_reference: bool = False
    """Whether the operator recorded what it is compared with."""


Comparable = Mapping[tuple[str, str | None], frozenset[str]]
"""The checks of a service that have answers enough to be compared with, by what they ask: probe id and model."""


def comparable(checks: Sequence[Check], habits: Mapping[str, Habit] | None) -> Comparable:
    """Find those among all checks of a service; none where nobody asked for it."""
    found: dict[tuple[str, str | None], set[str]] = {}
    for check in checks if habits else ():
        if _habit(check, habits).is_comparable:
            found.setdefault((check.probe.id, check.model), set()).add(check.key)
    return {asked: frozenset(keys) for asked, keys in found.items()}


def learned(
    checks: Sequence[Check], peers: Comparable, habits: Mapping[str, Habit] | None
) -> tuple[Learned | None, ...]:
    """Return what was learned of each check; None where nobody asked for it."""
    if habits is None:
        return (None,) * len(checks)
    return tuple(
        Learned(
            habit=_habit(check, habits),
            has_peers=bool(peers.get((check.probe.id, check.model), frozenset()) - {check.key}),
            has_reference=getattr(check.probe, "reference", None) is not None,
        )
        for check in checks
    )


def _habit(check: Check, habits: Mapping[str, Habit] | None) -> Habit:
    return (habits or {}).get(check.key) or Habit()


def trust_facts(
    checks: Sequence[Check],
    histories: Sequence[CheckHistory | None],
    known: Sequence[Learned | None],
    incidents: Sequence[Incident],
    main: Check,
) -> Iterator[TrustFact]:
    """Yield what the checks of one base URL say, the model first."""
    rows = [
        (check, history, each)
        for check, history, each in zip(checks, histories, known, strict=True)
        if each is not None
    ]
    for check, history, each in sorted(rows, key=lambda row: _order(row[0])):
        if check.probe.broken_by:
            yield _promise(check, history, each, incidents)
    streams = [row for row in rows if row[0].probe.streams and not row[0].probe.broken_by]
    if streams:
        yield _streaming(*min(streams, key=lambda row: row[0] is not main), incidents)


def _is_of_model(check: Check) -> bool:
    return FailureKind.MODEL_SUSPECT in check.probe.broken_by


def _what(check: Check) -> str:
    if _is_of_model(check):
        return "model"
    return "tokens" if FailureKind.TOKENIZER_CHANGED in check.probe.broken_by else check.probe.kind


def _order(check: Check) -> tuple[bool, int]:
    return not _is_of_model(check), check.probe.main_rank


def _promise(
    check: Check, history: CheckHistory | None, known: Learned, incidents: Sequence[Incident]
) -> TrustFact:
    broken_by = check.probe.broken_by
    result = _telling(history, broken_by)
    is_model, what = _is_of_model(check), _what(check)
    if result is not None and result.failure and result.failure.kind in broken_by:
        return _fact(
            what,
            check,
            TrustFinding.CHANGED if is_model else TrustFinding.BROKEN,
            result,
            failure=result.failure.kind,
            since=_begin(check, incidents),
            compared_with=_compared_with(known),
        )
    if is_model:
        return _model(check, result, known)
    if what == "tokens":
        return _token_counts(check, result, known)
    if result is None:
        return _fact(what, check, TrustFinding.UNKNOWN, result)
    if known.habit.mismatches:
        return _fact(what, check, TrustFinding.UNSURE, result)
    share = known.habit.cached_share
    return _fact(what, check, TrustFinding.KEPT, result, share=share)


def _model(check: Check, result: Result | None, known: Learned) -> TrustFact:
    words = known.habit.words
    since = whole_second(words.since) if words.since else None
    if words.is_too_empty:
        return _fact("model", check, TrustFinding.NOT_JUDGED, result, since=since)
    compared = _compared_with(known)
    if not compared:
        lacking = _lacking(words)
        return _fact("model", check, TrustFinding.LEARNING, result, since=since, answers=lacking)
    finding = TrustFinding.SAME if result else TrustFinding.UNKNOWN
    return _fact("model", check, finding, result, since=since, compared_with=compared)


def _token_counts(check: Check, result: Result | None, known: Learned) -> TrustFact:
    tokens, what = known.habit.tokens, "tokens"
    if result is None:
        return _fact(what, check, TrustFinding.UNKNOWN, result)
    if not tokens.recent or not tokens.recent[-1]:
        return _fact(what, check, TrustFinding.NOT_JUDGED, result)
    if tokens.since is None:
        return _fact(what, check, TrustFinding.LEARNING, result, answers=CALLS_OF_COUNTING)
    if not tokens.is_as_learned:
        return _fact(what, check, TrustFinding.UNSURE, result)
    since, compared = whole_second(tokens.since), _compared_with(known)
    return _fact(what, check, TrustFinding.KEPT, result, since=since, compared_with=compared)


def _lacking(words: WordHistory) -> int:
    """Return how many answers are still to come before anything is compared."""
    more = 2 * WORDS_OF_WINDOW - (len(words.recent) if words.since else 0)
    return max(more + (0 if words.since else WORDS_OF_BASELINE - len(words.baseline)), 0)


def _compared_with(known: Learned) -> tuple[str, ...]:
    if not known.habit.is_comparable:
        return ()
    compared = {
        "own_past": (known.habit.words.since or known.habit.tokens.since) is not None,
        "other_base_urls": known.has_peers,
        "reference": known.has_reference,
    }
    return tuple(name for name, is_there in compared.items() if is_there)


def _streaming(
    check: Check, history: CheckHistory | None, known: Learned, incidents: Sequence[Incident]
) -> TrustFact:
    result, failure = _telling(history, _STREAMING), None
    if result is not None and result.failure and result.failure.kind in _STREAMING:
        failure = result.failure.kind
    elif result is not None and known.habit.bursts >= _BURSTS:
        failure = FailureKind.FAKE_STREAMING
    if failure is not None:
        since = _begin(check, incidents)
        return _fact("streaming", check, TrustFinding.BROKEN, result, failure=failure, since=since)
    is_real = history is not None and history.last_24h.quantile("tokens_per_s", 0.5) is not None
    finding = TrustFinding.KEPT if result and is_real else TrustFinding.UNKNOWN
    return _fact("streaming", check, finding, result)


def _fact(
    what: str,
    check: Check,
    finding: TrustFinding,
    result: Result | None,
    *,
    failure: FailureKind | None = None,
    since: datetime | None = None,
    compared_with: tuple[str, ...] = (),
    answers: int | None = None,
    share: float | None = None,
) -> TrustFact:
    return TrustFact(
        what=what,
        check=check.probe.id,
        kind=check.probe.kind,
        finding=finding,
        state=_STATES.get(finding, State.UNKNOWN),
        failure=failure,
        since=since,
        compared_with=compared_with,
        answers=answers,
        share=None if share is None else round(share, 3),
        measured=whole_second(result.at) if result else None,
    )


def _telling(history: CheckHistory | None, bad: frozenset[FailureKind]) -> Result | None:
    """Return the newest result that says whether a promise is kept."""
    if history is None or history.latest is None:
        return None
    results = (history.latest, *reversed(history.recent))
    return next((result for result in results if _tells(result, bad)), None)


def _tells(result: Result, bad: frozenset[FailureKind]) -> bool:
    if result.failure is None:
        return result.outcome is Outcome.UP
    return result.failure.kind in bad or result.failure.kind in _SAYS_NOTHING_BAD


def _begin(check: Check, incidents: Sequence[Incident]) -> datetime | None:
    """Return since when the trouble is believed; None while it is not."""
    opened = (
        incident.opened
        for incident in incidents
        if not incident.closed and check.key in incident.active
    )
    begin = min(opened, default=None)
    return begin and whole_second(begin)
