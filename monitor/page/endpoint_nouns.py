"""One base URL as the templates see it: its checks, runs, days and figures. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from monitor.model import Evidence, FailureKind, Fault, Outcome, Point, Rollup
from monitor.model.failure import Words
from monitor.page import formatting
from monitor.page.day_bars import Day
from monitor.page.states import State
from monitor.page.window_stats import Past, Span

_MARKS = {
    Outcome.UP: State.OPERATIONAL,
    Outcome.DEGRADED: State.DEGRADED,
    Outcome.DOWN: State.MAJOR,
    Outcome.UNKNOWN: State.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    state: State
    kind: FailureKind | None = None
    """Why, where it is not operational."""
    milliseconds: float | None = None
    model: str | None = None
    """What it asks for, where that is anybody's business."""

    @property
    def text(self) -> str:
        """For programs: whole, where the page has room for a word."""
        if self.kind and self.state is not State.MAINTENANCE:
            return self.kind.row.label
        return formatting.cell(self.state, self.kind, self.milliseconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One of the latest runs of any check of an endpoint."""

    probe: str
    at: datetime
    outcome: Outcome
    kind: FailureKind | None
    milliseconds: float | None

    @property
    def state(self) -> State:
        """The mark beside it."""
        return _MARKS[self.outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """What the latest run of a check got, where it failed: text of the endpoint's, cleaned long ago."""

    probe: str
    at: datetime
    kind: FailureKind
    message: str
    status: int | None
    evidence: Evidence | None

    @property
    def label(self) -> str:
        return self.kind.row.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of a base URL whether or not it is still probed."""

    path: str
    service: str
    name: str
    availability: float | None
    days: tuple[Day, ...]
    windows: Mapping[int, Rollup]
    """Of the main check, by length in days; 1 is the last 24 hours."""
    history: Past
    latest: datetime | None
    """When any of its checks ran last."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """Counted when asked for: only its own page shows them."""
        return self.history.spans()

    @property
    def letters(self) -> str:
        return "".join([day.letter for day in self.days])

    @property
    def troubled(self) -> int:
        """How many days had trouble."""
        letters = self.letters
        return len(letters) - letters.count("o") - letters.count("n")

    @property
    def bad_days(self) -> tuple[Day, ...]:
        """Newest first."""
        return tuple(day for day in reversed(self.days) if day.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView(Measured):
    url: str
    host: str
    """Both empty where base URLs are nobody's business."""
    state: State
    tags: tuple[str, ...]
    cut_after: timedelta | None
    main: str
    """The id of the main check's probe."""
    main_kind: str
    streams: bool
    p50: float | None
    p95: float | None
    speed: float | None
    excluded: float | None
    points: tuple[Point, ...]
    shades: tuple[tuple[State, float, float], ...]
    """What was wrong in the last 24 hours: from and until, as shares of them."""
    phases: tuple[tuple[str, float], ...]
    total: float | None
    cells: Mapping[str, CellView]
    """By probe id."""
    kinds: Mapping[str, str]
    """Probe id -> its kind."""
    titles: Mapping[str, str]
    """Probe id -> its kind's name in English."""
    runs: tuple[RunView, ...]
    """Newest first."""
    trouble: FailureKind | None
    """What is wrong now, if something is."""
    cert_expires: datetime | None
    errors: tuple[ErrorView, ...] = ()

    @property
    def shown(self) -> str:
        """What a reader would know it by."""
        return self.host or self.name

    @property
    def blocked(self) -> bool:
        """The path from here is at fault, not the service."""
        return self.trouble is not None and self.trouble.fault is Fault.PATH

    @property
    def astray(self) -> bool:
        """In a trouble that speaks of the way there: only that is a sign against the network."""
        return self.trouble is not None and self.trouble.row.on_path

    @property
    def speaks(self) -> bool:
        """Whether its figures are those of now, and not of some time before it failed."""
        return self.state not in {State.MAJOR, State.UNKNOWN}

    @property
    def words(self) -> Words | None:
        return self.trouble.row.words if self.trouble else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredView(Measured):
    """One that is not probed any more; what is known of it stays. Its main check is the one that
    spoke for it.
    """

    @property
    def last(self) -> date | None:
        """When it was asked last, in UTC."""
        return self.latest and self.latest.astimezone(UTC).date()

    @property
    def streams(self) -> bool:
        return self.history.figure == "ttft"
