"""Judging, believing and telling: verdicts, alert states, incidents, and the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Protocol

from monitor.model.failure import Failure, FailureKind
from monitor.model.result import Result
from monitor.model.rollup import Rollup


class Verdict(StrEnum):
    """A policy's answer. NONE is ignorance: it moves no state."""

    GOOD = "good"
    BAD = "bad"
    NONE = "none"


class Severity(StrEnum):
    """The severities, worst first: on one endpoint an earlier one outranks a later one."""

    DOWN = "down"
    PARTIAL = "partial"
    """Down from some vantages, while others see it well."""
    DEGRADED = "degraded"
    ACCOUNT = "account"
    MONITOR = "monitor"

    @property
    def is_of_base_urls(self) -> bool:
        """Say whether base URLs have the trouble, and not the account or the monitor."""
        return self in {Severity.DOWN, Severity.PARTIAL, Severity.DEGRADED}


class Phase(StrEnum):
    """Says how far a belief has come; `monitor.alerts.machine` draws the moves."""

    UP = "up"
    SUSPECT = "suspect"
    BAD = "bad"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """Holds the belief about one check under one rule, as it is seen from one vantage."""

    check: str
    vantage: str
    rule: str
    phase: Phase = Phase.UP
    streak: int = 0
    """Verdicts in a row that speak for leaving this phase."""
    since: datetime | None = None
    """SUSPECT and BAD: the first bad run. RECOVERING: the first good one."""
    bad_since: datetime | None = None
    incident: int | None = None

    @property
    def key(self) -> "StateKey":
        return self.check, self.vantage, self.rule

    @property
    def is_believed_bad(self) -> bool:
        return self.phase in {Phase.BAD, Phase.RECOVERING}


StateKey = tuple[str, str, str]
"""(check, vantage, rule)."""


@dataclass(frozen=True, slots=True)
class Fired:
    """Says that a check is newly believed bad; `at` is the first bad run of the streak, not the moment of belief."""

    check: str
    rule: str
    at: datetime
    bad_from: tuple[str, ...] = ()
    """The vantages that see it bad; empty where only one looks."""
    partial: bool = False
    """They are fewer than the quorum asks for."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Says that a check is believed good again; `at` is the first good run of the streak."""

    check: str
    rule: str
    at: datetime


Event = Fired | Resolved


class EntryKind(StrEnum):
    OPENED = "opened"
    JOINED = "joined"
    """One more check went bad for the same cause, or one more vantage sees it bad."""
    WIDENED = "widened"
    """A check that was bad from some vantages is bad from as many as the quorum asks for."""
    NARROWED = "narrowed"
    """The other way round: others see it well again."""
    CAUSE = "cause"
    """The failure kind changed while the incident was open."""
    LEFT = "left"
    """One check recovered; others have not."""
    RESOLVED = "resolved"
    REMINDED = "reminded"
    MUTED = "muted"
    """Nobody is told, and `text` says why."""
    HEARD_LATE = "heard_late"
    """A vantage saw a check of it bad as well, which came to be known too late to be judged."""
    ACKED = "acked"
    """Somebody knows: no more reminders."""
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    at: datetime
    what: EntryKind
    check: str | None = None
    kind: FailureKind | None = None
    text: str = ""
    vantage: str = ""
    """Where it was seen; empty where only one vantage looks."""


UNWATCHED = "no longer watched"
"""The text of an entry LEFT or RESOLVED for a check that left the configuration while it was bad."""
NOT_HEARD = "not heard any more"
"""The same for a check that only vantages saw bad which have been silent for an hour, or have left."""
_NONE: Mapping[str, int] = MappingProxyType({})
_NO_PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Mute(StrEnum):
    """The reason why nobody is told of an incident."""

    DOWN = "down"
    """Its base URL is down: that it is slow as well is no news."""
    MAINTENANCE = "maintenance"
    SILENCE = "silence"
    FLAPPING = "flapping"
    """It comes and goes: people were told so, once."""
    PARTIAL = "partial"
    """Fewer vantages see it than the quorum asks for, and not for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlapSeries:
    """Incidents that come and go, told as one. The newest of them carries it, until `ended`."""

    since: datetime
    incidents: int
    downtime: timedelta = timedelta(0)
    """The downtime of the incidents that are closed."""
    failed_runs: Mapping[str, int] = field(default_factory=lambda: _NONE)
    ended: datetime | None = None
    event: int = 0
    """The number of the incident with which people were told that it comes and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A trouble from its first bad result to recovery; one per cause, covering one or many checks.

    `opened` and `closed` are the times of the first bad and first good run. `service` is None for
    an incident of the monitor itself.
    """

    id: int
    service: str | None
    severity: Severity
    opened: datetime
    failure: Failure
    """The latest failure, which is what a message explains."""
    checks: tuple[str, ...]
    """Every check it ever covered, in order of joining."""
    active: frozenset[str]
    """The checks that are still bad; empty once it is closed."""
    closed: datetime | None = None
    failed_runs: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """Bad runs by failure kind."""
    timeline: tuple[TimelineEntry, ...] = ()
    announced: bool = True
    """Whether people were told that it began; only then are they told that it ended."""
    reminded: int = 0
    remind_at: datetime | None = None
    cause: str = ""
    """Keeps incidents of one severity apart that must not mix: `certificate`, `refused`."""
    muted: Mute | None = None
    """Why nobody is told now."""
    told_at: datetime | None = None
    """The time at which it was decided to tell that it began, or that it goes on after it was muted."""
    told_to: frozenset[str] = frozenset()
    """The channels and webhooks that were told that it began; they are told what comes of it."""
    told_as: Severity | None = None
    """How bad people were told that it is."""
    update_at: datetime | None = None
    """The time at which people will be told that it has changed since."""
    acked: datetime | None = None
    series: FlapSeries | None = None
    bad_from: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_PLACES)
    """By active check: the vantages that see it bad; empty where only one vantage looks."""
    partial: frozenset[str] = frozenset()
    """The active checks that are bad from fewer vantages than the quorum asks for."""

    @property
    def places(self) -> tuple[str, ...]:
        """Return the vantages that see it bad, or saw it bad at the end; empty where only one looks."""
        return tuple(sorted({place for places in self.bad_from.values() for place in places}))

    @property
    def bad_from_by_endpoint(self) -> Mapping[str, tuple[str, ...]]:
        """Return the vantages that see each base URL bad; nothing where only one looks."""
        seeing: dict[str, set[str]] = {}
        for check, places in self.bad_from.items():
            seeing.setdefault(check.rsplit("/", 1)[0], set()).update(places)
        paths = dict.fromkeys(check.rsplit("/", 1)[0] for check in self.checks)
        return {path: tuple(sorted(seeing[path])) for path in paths if path in seeing}

    @property
    def differs_by_place(self) -> bool:
        """Say whether not all of its base URLs are bad from the same vantages."""
        return len({*self.bad_from_by_endpoint.values()}) > 1

    @property
    def is_of_path(self) -> bool:
        """Say whether base URLs are down by it, which depends on where one stands."""
        is_down = self.severity in {Severity.DOWN, Severity.PARTIAL}
        return is_down and bool(self.active) and not self.cause

    @property
    def is_partial(self) -> bool:
        """Say whether all that is bad is bad from some vantages only."""
        return bool(self.active) and self.active <= self.partial

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Return `service/endpoint` of every check, each once, in order."""
        return tuple(dict.fromkeys(check.rsplit("/", 1)[0] for check in self.checks))

    @property
    def account(self) -> tuple[TimelineEntry, ...]:
        """Return the timeline in the order of time, from what opened it to its end.

        It is kept in the order in which things came to be known: one place may notice later what began earlier.
        """
        ends = {EntryKind.OPENED: 0, EntryKind.RESOLVED: 2}
        return tuple(sorted(self.timeline, key=lambda entry: (ends.get(entry.what, 1), entry.at)))

    @property
    def event(self) -> int:
        """Return the number under which it is told: its own, or that of the first of its series."""
        return self.series.event if self.series and self.series.event else self.id

    @property
    def unwatched(self) -> frozenset[str]:
        """Return the checks that were bad when they left the configuration: whether they recovered, nobody knows."""
        checks: set[str] = set()
        for entry in self.timeline:
            if entry.check and entry.text in {UNWATCHED, NOT_HEARD}:
                checks.add(entry.check)
            elif entry.check and entry.what in {EntryKind.JOINED, EntryKind.LEFT}:
                checks.discard(entry.check)
        return frozenset(checks)

    @property
    def is_unwatched(self) -> bool:
        """Say whether it is over only because nothing of it is watched any more."""
        return self.closed is not None and self.unwatched == {*self.checks}

    @property
    def bad_endpoints(self) -> tuple[str, ...]:
        """Return `service/endpoint` of all that is still taken for bad, in order of joining."""
        active = (check.rsplit("/", 1)[0] for check in self.checks if check in self.active)
        return tuple(dict.fromkeys(active))

    @property
    def reasons(self) -> Mapping[str, Failure]:
        """Return why each base URL fails that is bad, or failed at the end where all are over.

        It is the failure with which its first check went bad, until its kind changed.
        """
        paths = self.bad_endpoints or self.endpoints
        if len(paths) == 1:
            return {paths[0]: self.failure}
        reasons: dict[str, Failure] = {}
        bad: set[str] = set()
        for entry in self.timeline:
            if entry.check is None or entry.vantage:
                continue
            path = entry.check.rsplit("/", 1)[0]
            if entry.what is EntryKind.LEFT:
                bad.discard(entry.check)
            elif entry.kind:
                begins = not any(check.startswith(f"{path}/") for check in bad)
                if begins or entry.what is EntryKind.CAUSE:
                    reasons[path] = Failure(entry.kind, entry.text)
                bad.add(entry.check)
        return {path: reasons.get(path, self.failure) for path in paths}

    @property
    def kinds(self) -> tuple[FailureKind, ...]:
        """Return every kind among its reasons: that of one base URL need not be that of another."""
        kinds = dict.fromkeys(failure.kind for failure in self.reasons.values())
        return tuple(kinds) or (self.failure.kind,)


class NotificationType(StrEnum):
    OPENED = "opened"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    UPDATE = "update"
    """More base URLs are concerned than people were told."""
    FLAPPING = "flapping"
    """It comes and goes; single messages stop until it is calm."""
    CALM = "calm"
    """It has stopped coming and going, and is well."""
    UNWATCHED = "unwatched"
    """All of it left the configuration: it is over, and whether it is well is not known."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody knows of it, for channels that keep that."""
    EVENT = "event"
    """For a webhook: `OutboxMessage.text` holds the JSON document."""
    NOTICE = "notice"
    """About the monitor itself, once: it has no end. `OutboxMessage.text` holds it, no incident does."""

    @property
    def is_end(self) -> bool:
        """Say whether what it speaks of is over."""
        return self in {
            NotificationType.RESOLVED,
            NotificationType.CALM,
            NotificationType.UNWATCHED,
        }


class WebhookEvent(StrEnum):
    """The events that a webhook may hear of."""

    OPENED = "opened"
    CHANGED = "changed"
    """Which base URLs are bad, the kind of failure, or why people are not told."""
    ACKNOWLEDGED = "acknowledged"
    ENDED = "ended"
    BEST_CHANGED = "best_changed"
    """The recommended base URL of a service is another one, or there is none."""
    BLIND = "blind"
    """The monitor cannot see: nothing is known of any base URL."""
    BLIND_ENDED = "blind_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """One message for one channel, decided but not yet delivered. It is phrased when it is sent."""

    id: int = 0
    """The store gives it; 0 before."""
    channel: str
    what: NotificationType
    severity: Severity
    incident: int | None
    created: datetime
    not_before: datetime
    attempts: int = 0
    last_error: str = ""
    text: str = ""
    event: str = ""
    """The name of a trouble of the monitor itself that has an end: told as OPENED, then as RESOLVED."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Holds what the monitor tells of itself: the first line of `text` is the title.

    Trouble that lasts is an `event` with a begin and an end, OPENED and RESOLVED. A NOTICE is of what
    is over when it is told; with an `event`, it ends that as well.
    """

    text: str
    event: str = ""
    what: NotificationType = NotificationType.NOTICE
    but: frozenset[str] = frozenset()
    """The channels that it is not meant for."""


@dataclass(frozen=True, slots=True)
class Message:
    """Holds what a channel is told: plain words, escaped by its format, and what they mean.

    `title` is one line.
    """

    title: str
    body: str
    what: NotificationType = NotificationType.NOTICE
    severity: Severity = Severity.MONITOR
    """The worst that goes on, of all that it speaks of."""
    event: str = ""
    """The key of the one thing that it speaks of, the same from its begin to its end and unlike that of
    any other; "" where it speaks of several, or of nothing that lasts."""
    incidents: tuple[int, ...] = ()
    """The numbers of all that it speaks of; none for the monitor's own trouble."""
    link: str | None = None
    """The page that has more of it."""
    short: str = ""
    """The whole in one line, for channels that take no more; "" where the title is all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Says how sure one must be to believe a policy: `after` bad verdicts in a row, `recover` good ones."""

    name: str
    severity: Severity
    after: int = 3
    recover: int = 2
    cause: str = ""
    """The `cause` of its incidents."""
    notice: bool = False
    """Tells it once, without an incident: nothing is broken that must be mended."""


class RunHistory(Protocol):
    """The runs that a policy may look at: the newest of one check, and windows that end with it."""

    @property
    def latest(self) -> Result: ...

    def over(self, length: timedelta) -> Rollup:
        """Sum up the runs of the last `length`, which is one of the policy's own `windows`."""
        ...


class Policy(Protocol):
    """Answers "is it bad now?"."""

    kind: ClassVar[str]

    @property
    def windows(self) -> tuple[timedelta, ...]:
        """Return the lengths that it asks a history for; none where the latest run is enough."""
        ...

    def rule(self, after: int, recover: int) -> Rule:
        """Return how sure one must be, where the operator asks for so many bad or good results in a row."""
        ...

    def judge(self, history: RunHistory) -> Verdict: ...

    def why(self, history: RunHistory) -> Failure:
        """Return what is bad, after `judge` said so."""
        ...
