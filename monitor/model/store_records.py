"""The values that pass between the loops and the store: records of runs in; restart states and snapshots out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from monitor.model.alert import AlertState, Incident, OutboxMessage, StateKey
from monitor.model.maintenance import Announcement, Silence
from monitor.model.result import BalanceHistory, Evidence, Habit, Result
from monitor.model.rollup import Rollup
from monitor.model.spend import NO_SPEND, Spend
from monitor.model.vantage import AgentState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that one run changes; the store commits it in one transaction, or not at all."""

    result: Result
    kind: str
    """The probe kind, for the catalogue of checks."""
    in_maintenance: bool = False
    habit: Habit | None = None
    states: tuple[AlertState, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[OutboxMessage, ...] = ()
    spent: Spend = NO_SPEND
    """Adds to the service's ledger of the day of `result.at`; negative where the reserve was too large."""
    evidence: Evidence | None = None
    missed: int = 0
    """Runs of this check that were due since the last one and did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartState:
    """Everything that a starting daemon must know to go on where the last one stopped."""

    states: Mapping[StateKey, AlertState]
    incidents: tuple[Incident, ...]
    """The open ones."""
    next_incident: int
    habits: Mapping[str, Habit]
    spent_today: Mapping[str, Spend]
    """Keyed by service."""
    last_seen: datetime | None
    """The newest proof that a daemon was alive; None in a fresh store."""
    stopped_cleanly: bool
    last_asked: Mapping[str, datetime] = field(default_factory=dict)
    """The time at which each check ran last, as far as the store knows."""
    recent: tuple[Incident, ...] = ()
    """The incidents that have closed this month or within the last hours."""
    silences: tuple[Silence, ...] = ()
    """The silences that still hold."""
    told_best: Mapping[str, str | None] = field(default_factory=dict)
    """The base URL that webhooks heard of last as the best, as `service/endpoint`, by service."""
    told_prices: datetime | None = None
    """Until when changes of models and prices were told."""
    moved_chats: Mapping[str, str] = field(default_factory=dict)
    """The numbers of Telegram groups since they became supergroups, by their old ones."""
    crashes: int = 0
    """Starts within the last hour, this one included, after a daemon that did not stop by itself."""
    begun: tuple[OutboxMessage, ...] = ()
    """What each channel was told of the monitor's own trouble and not of its end."""


class Resolution(StrEnum):
    """The length of a rollup's period: an hour, day, month or year of the calendar, in UTC."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    def begin(self, at: datetime) -> datetime:
        """Return the begin of the period in which `at` lies."""
        at = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if self is Resolution.HOUR:
            return at
        at = at.replace(hour=0)
        return at if self is Resolution.DAY else at.replace(day=1, month=self._month(at))

    def _month(self, at: datetime) -> int:
        return 1 if self is Resolution.YEAR else at.month

    def end(self, begin: datetime) -> datetime:
        """Return the end of the period with this begin, which is the begin of the next."""
        return self.begin(begin + _LONGEST[self])


_LONGEST = {
    Resolution.HOUR: timedelta(hours=1),
    Resolution.DAY: timedelta(days=1),
    Resolution.MONTH: timedelta(days=31),
    Resolution.YEAR: timedelta(days=366),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The rollup of one check over the hour, day, month or year that begins at `at`."""

    check: str
    vantage: str
    at: datetime
    resolution: Resolution
    rollup: Rollup


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCounts:
    """The counts of one check over a month, as one vantage made them."""

    check: str
    vantage: str
    rollup: Rollup
    """Of the figures it has `ttft` and `total`."""
    measured: frozenset[date]
    """The UTC days on which a run counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthRecord:
    """All that the store has of one month."""

    counts: tuple[MonthCounts, ...]
    incidents: tuple[Incident, ...]
    """Those that were open at some time of it, newest first."""
    spent: Mapping[tuple[str, str], Spend] | None
    """Spend by vantage and service over the UTC days of the calendar month; None where the ledger does not go
    back so far."""
    measured_since: datetime | None
    """The begin of the first UTC day of which anything is kept; None where nothing is."""
    seen_until: datetime | None
    """The newest proof that a daemon was alive: how an open incident went on after it is not known."""
    imported_until: Mapping[str, datetime] = field(default_factory=dict)
    """By check, when what was imported of it ends: which incidents there were before is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCounts:
    """The counts of an hour or day that began at `at`, of runs that nobody has kept: another program counted them."""

    at: datetime
    resolution: Resolution
    up: int
    down: int
    maintenance: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCheck:
    """A check that was ever probed, also if it has left the configuration."""

    check: str
    vantage: str
    kind: str
    last: datetime | None
    """The time of its newest result; None where neither results nor rollups are left."""


WINDOWS = (7, 30, 90)
"""Lengths of windows in UTC days, today included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHistory:
    """The history of one check, for the page and `monitor status`. Days are UTC."""

    check: str
    latest: Result | None
    states: tuple[AlertState, ...]
    days: Mapping[date, Rollup]
    """The last 90 days, today included; days without a result are absent.

    Each has its outcomes, and what was in maintenance: the rest is in `windows`.
    """
    last_24h: Rollup
    """The hour that runs, and the 23 before it."""
    windows: Mapping[int, Rollup] = field(default_factory=dict)
    """Keyed by length in days, for each of `WINDOWS`. Percentiles are merged when asked for.

    They hold only `WINDOW_FIGURES`.
    """
    recent: tuple[Result, ...] = ()
    """The last 30 minutes, oldest first: what `best.txt` ranks by. Outcome, kind of failure and timings only."""
    before: Result | None = None
    """In short: the run before the latest one, however old, where the latest one says nothing."""
    series: tuple["Point", ...] = ()
    """48 half hours, oldest first."""
    evidence: Evidence | None = None
    """What the latest run left, if it failed and somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One half hour of a chart, beginning at `at`; None where nothing was measured. Milliseconds."""

    at: datetime
    p50: float | None
    p95: float | None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The content of the store at one moment."""

    at: datetime
    checks: Mapping[str, CheckHistory]
    """Keyed by check, as our own vantage sees it."""
    incidents: tuple[Incident, ...]
    """The open incidents and those closed in the last 90 days; newest first."""
    outbox: tuple[OutboxMessage, ...] = ()
    spent_today: Mapping[str, Spend] = field(default_factory=dict)
    spent_month: Mapping[str, Spend] = field(default_factory=dict)
    """Keyed by service, of all vantages together; days and months are UTC."""
    spent_elsewhere: Mapping[str, Mapping[str, Spend]] = field(default_factory=dict)
    """Of `spent_today`, what other vantages than our own have spent, by vantage and service."""
    dead: tuple[OutboxMessage, ...] = ()
    """Messages that were given up within the last week, newest first."""
    silences: tuple[Silence, ...] = ()
    """The silences that hold, or will."""
    announcements: tuple[Announcement, ...] = ()
    """Those that stand, newest first."""
    elsewhere: Mapping[str, Mapping[str, CheckHistory]] = field(default_factory=dict)
    """The same as other vantages see it, by vantage and check."""
    agents: Mapping[str, AgentState] = field(default_factory=dict)
    """What is known of each agent that was ever heard, by vantage."""
    habits: Mapping[str, Habit] | None = None
    """What our own vantage has learned of each check; None where nobody asked for it."""
    balances: Mapping[str, BalanceHistory] = field(default_factory=dict)
    """Keyed by `service/endpoint`, for the page that its operator alone reads; empty for all others."""
    imported_until: Mapping[str, datetime] = field(default_factory=dict)
    """By check, when what was imported of it ends: which incidents there were before is not known."""
    stopped_at: datetime | None = None
    """Set on the last page of a daemon that is stopping."""


class RequestKind(StrEnum):
    SILENCE = "silence"
    ACK = "ack"
    NOTE = "note"
    CHECK = "check"
    ANNOUNCE = "announce"
    END_ANNOUNCEMENT = "end_announcement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader whom a channel's bot tells of one service, or of all that the page shows."""

    channel: str
    chat: int
    """The number of their chat with the bot."""
    service: str = ""
    """The id of a service; empty for all."""
    language: str
    """One of `monitor.language.NAMES`."""
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRequest:
    """A wish of a person from another process; it waits in the store until the daemon has fulfilled it.

    `target` is what a silence covers, the number of an incident, the check to run, the service that an announcement
    is about (empty for all), or the number of an announcement to end.
    """

    id: int = 0
    """Given by the store; 0 before."""
    at: datetime
    what: RequestKind
    target: str
    until: datetime | None = None
    text: str = ""

    @property
    def silence(self) -> Silence:
        return Silence(
            target=self.target, since=self.at, until=self.until or self.at, why=self.text
        )

    @property
    def announcement(self) -> Announcement:
        return Announcement(
            id=self.id, at=self.at, text=self.text, service=self.target, until=self.until
        )

    @property
    def incident(self) -> int:
        return int(self.target) if self.target.isdigit() else 0
