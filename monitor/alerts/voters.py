"""Holds which vantages can say something about a check now. Pure: times come from outside."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.alerts.quorum import ANY, MAJORITY, Quorum, Reach, Standing, Vote, standing
from monitor.model import AlertState, Incident, Outcome, Phase, Result, Rule, Severity, StateKey

_INTERVALS = 2
"""A vantage counts for a check while its newest run of it began within so many of its intervals, or half a minute."""
_LASTS_AT_LEAST = timedelta(seconds=30)
"""An agent pushes every ten seconds, and a run takes its time."""
_LONGEST_INTERVAL = timedelta(days=1)
"""Of a check whose interval is not known."""
_DOUBT = timedelta(hours=1)
"""So long after one vantage has begun to see a check otherwise, all look at it that take turns else."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoterSettings:
    """Holds what the operator said of a vantage other than the daemon's own."""

    main: bool = False
    """Users sit here: what is unreachable from it is told at once."""
    silent: timedelta = timedelta(seconds=90)
    """How long after its last push it still counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumSettings:
    """Says how the beliefs of several vantages become one. Without `places` the daemon's own decides alone."""

    own: str = "local"
    places: Mapping[str, VoterSettings] = field(default_factory=dict)
    quorum: Quorum = MAJORITY
    partial: timedelta = timedelta(minutes=10)
    """How long something fails from some vantages only before that is told."""
    late: timedelta = timedelta(minutes=5)
    """Results of another vantage that are older than this change no belief."""
    intervals: Mapping[str, timedelta] = field(default_factory=dict)
    """How often each check runs at one vantage."""

    @property
    def main(self) -> frozenset[str]:
        return frozenset(name for name, place in self.places.items() if place.main)


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    outcome: Outcome
    bad_at: datetime | None
    """The newest run that was bad."""


class Voters:
    """Remembers when each vantage was heard, and what it saw last of each check."""

    def __init__(self, settings: QuorumSettings) -> None:
        self.settings = settings
        self._heard: dict[str, datetime] = {}
        self._blind: set[str] = set()
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._started: datetime | None = None

    @property
    def is_alone(self) -> bool:
        """Say whether the daemon's own vantage is the only one."""
        return not self.settings.places

    def hear(self, vantage: str, now: datetime, *, blind: bool) -> None:
        """Note that a vantage has pushed, and whether its own network is what fails there."""
        self._heard[vantage] = now
        self._blind.discard(vantage)
        if blind:
            self._blind.add(vantage)

    def silent_for(self, vantages: Iterable[str], now: datetime) -> timedelta:
        """Return how long none of them was heard, since this daemon started at most; no time without any."""
        started = self._started or now
        silences = (
            timedelta(0)
            if self.is_heard(vantage, now)
            else now - max(self._heard.get(vantage, started), started)
            for vantage in vantages
        )
        return min(silences, default=timedelta(0))

    def begin(self, now: datetime) -> None:
        """Note that this daemon judges; the first time counts."""
        self._started = self._started or now

    def see(self, result: Result) -> None:
        if not self.is_alone:
            key = result.check, result.vantage
            before = self._seen.get(key)
            is_bad = result.outcome in {Outcome.DOWN, Outcome.DEGRADED}
            bad_at = result.at if is_bad else before.bad_at if before else None
            self._seen[key] = _Seen(result.at, result.outcome, bad_at)

    def is_late(self, result: Result, now: datetime) -> bool:
        """Say whether a result of another vantage is too old, or older than one that was seen, to be judged."""
        if result.vantage not in self.settings.places:
            return False
        newest = self._seen.get((result.check, result.vantage))
        return now - result.at > self.settings.late or (
            newest is not None and result.at <= newest.at
        )

    @property
    def vantages(self) -> tuple[str, ...]:
        """Return the daemon's own, and those of the configuration."""
        return (self.settings.own, *self.settings.places)

    def standing(
        self,
        check: str,
        rule: Rule,
        states: Mapping[StateKey, AlertState],
        now: datetime,
        before: Reach,
    ) -> Standing:
        """Return what the vantages together believe of a check under one rule; `states` holds each belief."""
        is_of_path = _is_of_path(rule)
        votes = []
        for vantage in self.vantages:
            state = states.get((check, vantage, rule.name))
            is_bad = state is not None and state.is_believed_bad
            counts = self.counts(check, vantage, now, measured=is_of_path)
            if state is not None and state.phase is Phase.RECOVERING:
                counts = counts and self._saw_bad_lately(check, vantage, now)
            if counts or is_bad or (check, vantage) in self._seen:
                votes.append(Vote(vantage, is_bad, counts))
        # A key is shared by all, and a certificate is the same for all: who sees it speaks for all.
        quorum = self.settings.quorum if is_of_path else ANY
        return standing(votes, quorum, before, waiting=self._is_waiting(check, now))

    def doubted_by(
        self,
        check: str,
        rules: Iterable[Rule],
        states: Mapping[StateKey, AlertState],
        now: datetime,
    ) -> frozenset[str]:
        """Return the vantages that begin to see a check otherwise than before, or do so since an hour at most.

        Then those look at once that take turns on it else, so that none speaks by what it saw long ago.
        """
        doubting = set()
        for rule in filter(_is_of_path, rules):
            for vantage in self.vantages:
                state = states.get((check, vantage, rule.name))
                if state is None or state.phase is Phase.UP or state.since is None:
                    continue
                if now - state.since < _DOUBT and self.is_heard(vantage, now):
                    doubting.add(vantage)
        return frozenset(doubting)

    def silent_accusers(self, incident: Incident, now: datetime) -> dict[str, datetime | None]:
        """Return the vantages that saw it bad and say nothing of it now -> when each saw it bad last, if known."""
        is_of_path = incident.severity.is_of_base_urls and not incident.cause
        silent: dict[str, datetime | None] = {}
        for place in incident.places:
            checks = [
                check for check in incident.active if place in incident.bad_from.get(check, ())
            ]
            if checks and not any(
                self.counts(check, place, now, measured=is_of_path) for check in checks
            ):
                seen = (self._seen.get((check, place)) for check in checks)
                silent[place] = max(
                    (run.bad_at for run in seen if run and run.bad_at), default=None
                )
        return silent

    def counts(self, check: str, vantage: str, now: datetime, *, measured: bool) -> bool:
        """Say whether a vantage ran the check lately, is heard, and can see.

        `measured`: what it saw must say something of the endpoint, and not only of the key.
        """
        seen = self._seen.get((check, vantage))
        if seen is None or vantage in self._blind:
            return False
        if measured and seen.outcome is Outcome.UNKNOWN:
            return False
        return now - seen.at <= self._lasts(check) and self.is_heard(vantage, now)

    def _saw_bad_lately(self, check: str, vantage: str, now: datetime) -> bool:
        """Say whether what a vantage begins to see well was bad a moment ago; who was away accuses by what is long over."""
        bad_at = self._seen[check, vantage].bad_at
        return bad_at is not None and now - bad_at <= self._lasts(check)

    def _is_waiting(self, check: str, now: datetime) -> bool:
        """Say whether the daemon has just started, so that those who were not heard may still speak."""
        silent = (place.silent for place in self.settings.places.values())
        return self._started is None or now - self._started <= max([self._lasts(check), *silent])

    def _lasts(self, check: str) -> timedelta:
        interval = self.settings.intervals.get(check, _LONGEST_INTERVAL)
        return max(_INTERVALS * interval, _LASTS_AT_LEAST)

    def is_heard(self, vantage: str, now: datetime) -> bool:
        place = self.settings.places.get(vantage)
        if place is None:
            return vantage == self.settings.own
        return now - self._heard.get(vantage, _LONG_AGO) <= place.silent

    def shift(self, by: timedelta) -> None:
        """Put all times into those of a wall clock that was set by so much."""
        self._started = self._started and self._started + by
        self._heard = {vantage: at + by for vantage, at in self._heard.items()}
        self._seen = {
            key: replace(seen, at=seen.at + by, bad_at=seen.bad_at and seen.bad_at + by)
            for key, seen in self._seen.items()
        }

    def forget(self, known: Collection[str]) -> None:
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] in known}


def _is_of_path(rule: Rule) -> bool:
    """Say whether what it tells of depends on where one stands."""
    return rule.severity in {Severity.DOWN, Severity.DEGRADED} and not rule.cause
