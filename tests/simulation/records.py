"""What is written down of a simulated history: runs, sends, what was decided, in true time."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.alerts import AlertChanges
from monitor.model import (
    Check,
    Failure,
    FailureKind,
    Incident,
    OperatorRequest,
    OutboxMessage,
    Outcome,
    Result,
    RunRecord,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS: tuple[str | None, ...] = (None, *(kind.value for kind in FailureKind))
FAILURES = {kind.value: Failure(kind, f"got {kind.value}") for kind in FailureKind}
CODES = {kind: code for code, kind in enumerate(KINDS)}
Run = tuple[int, float, float, int]
"""A result: the number of its check, when it was asked in true time, by how much the wall clock was
wrong, and the place of its failure in KINDS."""


class Runs:
    """Millions of committed results, in the order of their commits, in columns."""

    def __init__(self) -> None:
        self.check, self.asked = array("H"), array("d")
        self.shift, self.code = array("d"), array("B")

    def __len__(self) -> int:
        return len(self.check)

    def __iter__(self) -> Iterator[Run]:
        return zip(self.check, self.asked, self.shift, self.code, strict=True)

    def at(self, place: int) -> Run:
        return self.check[place], self.asked[place], self.shift[place], self.code[place]

    def extend(self, runs: list[Run]) -> None:
        for check, asked, shift, code in runs:
            self.check.append(check)
            self.asked.append(asked)
            self.shift.append(shift)
            self.code.append(code)


@dataclass(slots=True)
class Send:
    at: float
    channel: str
    numbers: frozenset[int]
    accepted: bool
    reported: bool
    """Whether the courier heard that it was accepted."""
    wait: float | None
    """What the channel asked for."""
    title: str
    ticked: list[int] = field(default_factory=list)
    safe: bool = False
    """Its tick is committed."""


@dataclass(slots=True)
class Page:
    """One event of the on-call channel, in true time."""

    opened: float
    ended: float | None = None


@dataclass(slots=True)
class Deed:
    """What a person did at Telegram, in true time."""

    at: float
    who: str
    chat: int
    words: str
    """What they wrote, or what their button sends."""
    number: int
    fetched: float | None = None
    """When the bot heard of it first."""
    done: float | None = None
    """When the bot confirmed it."""
    sure: bool = False
    """It was fresh, by the documentation, when the bot heard of it last."""

    @property
    def is_text(self) -> bool:
        return self.words.startswith("/")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the bot wrote to a chat."""

    at: float
    chat: int
    text: str
    taken: bool


@dataclass(slots=True)
class Told:
    """One row of the outbox, when it was decided in true time, and what became of it."""

    row: OutboxMessage
    decided: float
    accepted: float | None = None


@dataclass(slots=True)
class History:
    """All that can be seen from outside."""

    runs: Runs = field(default_factory=Runs)
    sends: list[Send] = field(default_factory=list)
    told: dict[int, Told] = field(default_factory=dict)
    """By the outbox's number."""
    pages: dict[str, Page] = field(default_factory=dict)
    """By key: what the on-call channel holds, whatever becomes of our process."""
    reminds: list[tuple[int, datetime, float, OperatorRequest | None]] = field(default_factory=list)
    """How many runs were committed when a look for reminders changed something, its time, by how much
    the wall clock was wrong, and what a person asked for, if that was it."""
    deeds: list[Deed] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    carried: list[tuple[float, OperatorRequest]] = field(default_factory=list)
    """What was carried out of that which people asked for; twice where a crash came in between."""
    decided: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    """By incident: when it was believed, and when its end was."""
    opened_moves: list[tuple[float, int, Incident]] = field(default_factory=list)
    deaths: list[tuple[float, float, str]] = field(default_factory=list)
    """From, until, where."""
    complaints: list[str] = field(default_factory=list)
    raged: bool = False
    """It was given up: the courier would not stop."""
    lost_runs: int = 0
    probes: int = 0
    dead: int = 0


def result_of(checks: tuple[Check, ...], run: Run) -> Result:
    number, asked, shift, code = run
    kind = KINDS[code]
    failure = FAILURES[kind] if kind else None
    return Result(
        check=checks[number].key,
        vantage="local",
        at=START + timedelta(seconds=asked + shift),
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
    )


def entry_of(result: Result, changes: AlertChanges) -> RunRecord:
    return RunRecord(
        result=result,
        kind="http",
        states=changes.states,
        incidents=changes.incidents,
        outgoing=changes.outgoing,
    )
