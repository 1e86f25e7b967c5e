"""A notation for what was seen and what came of it; `timelines.txt` explains it and holds the cases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.alerts import AlertChanges, AlertEngine
from monitor.model import (
    AlertSettings,
    AlertState,
    Channel,
    Failure,
    FailureKind,
    Incident,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    RestartState,
    Result,
    Secret,
    StateKey,
)

CASES = Path(__file__).with_name("timelines.txt")
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PHONE = Channel(id="phone", url=Secret("json://127.0.0.1"))
RULES = ("down", "degraded", "account", "monitor")
SEEN: Mapping[str, FailureKind | None] = {
    "U": None,
    "D": FailureKind.BAD_GATEWAY,
    "G": FailureKind.SLOW,
    "A": FailureKind.AUTH_INVALID,
    "M": FailureKind.OFFLINE,
    "n": FailureKind.NO_KEY,
}
RESTART, NO_RUN = "|", "-"
_BELIEVED = {Phase.BAD, Phase.RECOVERING}
_TOLD = {
    NotificationType.OPENED: "O",
    NotificationType.RESOLVED: "R",
    NotificationType.REMINDER: "m",
    NotificationType.UPDATE: "u",
    NotificationType.FLAPPING: "f",
    NotificationType.CALM: "c",
}


@dataclass(frozen=True)
class Case:
    """Rows by their heading: `seen`, `seen b`, `down`, `told` and so on."""

    title: str
    rows: Mapping[str, str]
    settings: AlertSettings

    @property
    def seen(self) -> dict[str, str]:
        """By check."""
        return {_check(name): row for name, row in self.rows.items() if name.startswith("seen")}


def cases() -> list[Case]:
    text = CASES.read_text().split("\n\n\n")[1]
    return [_case(paragraph.splitlines()) for paragraph in text.strip().split("\n\n")]


def _case(lines: list[str]) -> Case:
    rows = {line[:10].strip(): line[10:].rstrip() for line in lines[1:]}
    assert len(rows) == len(lines) - 1, f"a heading stands twice under {lines[0]!r}"
    words = rows.pop("with", "after 3, recover 2").replace(",", "").split()
    settings = AlertSettings(after=int(words[1]), recover=int(words[3]))
    return Case(lines[0], rows, settings)


def _check(heading: str) -> str:
    endpoint, _, probe = heading.removeprefix("seen").strip().partition("/")
    return f"s/{endpoint or 'a'}/{probe or 'chat'}"


def result(check: str, letter: str, at: datetime) -> Result:
    kind = SEEN[letter]
    failure = Failure(kind, f"got {kind.value}") if kind else None
    outcome = failure.outcome if failure else Outcome.UP
    return Result(check=check, vantage="local", at=at, outcome=outcome, failure=failure)


@dataclass
class Line:
    """Results go in, and all that comes out is kept, as a store would keep it."""

    settings: AlertSettings = field(default_factory=AlertSettings)
    channels: tuple[Channel, ...] = (PHONE,)
    now: datetime = START
    states: dict[StateKey, AlertState] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)
    messages: list[OutboxMessage] = field(default_factory=list)
    believed: dict[tuple[str, str], str] = field(default_factory=dict)
    """By check and rule, one letter a minute: F, R or `.`."""
    told: str = ""

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        opened = tuple(incident for incident in self.incidents.values() if not incident.closed)
        memory = RestartState(
            states=dict(self.states),
            incidents=opened,
            next_incident=max(self.incidents, default=0) + 1,
            habits={},
            spent_today={},
            last_seen=None,
            stopped_cleanly=True,
            recent=tuple(incident for incident in self.incidents.values() if incident.closed),
        )
        self.alerts = AlertEngine(self.settings, self.channels, memory)

    def minute(self, letters: Mapping[str, str]) -> None:
        """One letter a check, in the order of the rows."""
        rows: list[OutboxMessage] = []
        for check, letter in letters.items():
            moves = dict.fromkeys(RULES, ".")
            if letter in SEEN:
                changes = self.alerts.judge(result(check, letter, self.now))
                moves |= self._keep(changes)
                rows += changes.outgoing
            for name, move in moves.items():
                self.believed[check, name] = self.believed.get((check, name), "") + move
        if RESTART in letters.values():
            self.restart()
        changes = self.alerts.remind(self.now)
        self._keep(changes)
        self._tell([*rows, *changes.outgoing])
        self.now += MINUTE

    def _keep(self, changes: AlertChanges) -> dict[str, str]:
        """What each rule newly believes."""
        moves = {}
        for state in changes.states:
            key = state.key
            before = self.states.get(key)
            was, now = bool(before and before.phase in _BELIEVED), state.phase in _BELIEVED
            moves[state.rule] = "F" if now and not was else "R" if was and not now else "."
            self.states[key] = state
        self.incidents |= {incident.id: incident for incident in changes.incidents}
        return moves

    def _tell(self, rows: Iterable[OutboxMessage]) -> None:
        rows = list(rows)
        self.messages += rows
        self.told += "+" if len(rows) > 1 else _TOLD.get(rows[0].what, "?") if rows else "."


def play(seen: Mapping[str, str], settings: AlertSettings | None = None) -> Line:
    """All rows side by side; a row that is shorter than the longest simply ends."""
    line = Line(settings or AlertSettings())
    for index in range(max(map(len, seen.values()), default=0)):
        line.minute({check: row[index : index + 1] or NO_RUN for check, row in seen.items()})
    return line


def belief(seen: str, rule: str = "down", settings: AlertSettings | None = None) -> str:
    """`UDDDUU` gives `...F.R`."""
    return play({"s/a/chat": seen}, settings).believed.get(("s/a/chat", rule), "")
