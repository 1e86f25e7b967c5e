"""A night of results for the alerts, and an incident as a value: what several tests here start from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from timelines import MINUTE

from monitor.alerts import AlertChanges, AlertEngine, incidents
from monitor.alerts.incidents import Book
from monitor.model import (
    AlertSettings,
    AlertState,
    Channel,
    EntryKind,
    Failure,
    FailureKind,
    Fired,
    Incident,
    OutboxMessage,
    Outcome,
    Phase,
    RestartState,
    Result,
    Rollup,
    Rule,
    Secret,
    Severity,
    Silence,
    StateKey,
    TimelineEntry,
)
from monitor.model.rollup import NOTHING

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
PHONE = Channel(id="phone", url=Secret("json://127.0.0.1"))


def memory(
    states: Iterable[AlertState] = (), incidents: tuple[Incident, ...] = (), next_incident: int = 1
) -> RestartState:
    return RestartState(
        states={state.key: state for state in states},
        incidents=incidents,
        next_incident=next_incident,
        habits={},
        spent_today={},
        last_seen=None,
        stopped_cleanly=True,
    )


def state(check: str, phase: Phase = Phase.BAD, rule: str = "down", ago: float = 0) -> AlertState:
    """Return what is believed of a check since `ago` minutes before the start."""
    return AlertState(
        check=check, vantage="local", rule=rule, phase=phase, since=START - ago * MINUTE
    )


@dataclass(frozen=True)
class Given:
    """A history whose windows are all the same."""

    latest: Result
    window: Rollup = NOTHING

    def over(self, length: timedelta) -> Rollup:
        assert length > timedelta(0)
        return self.window


class Night:
    """Feeds results in order, a second apart, and keeps what came of them."""

    def __init__(
        self,
        channels: tuple[Channel, ...] = (PHONE,),
        after: int = 3,
        settings: AlertSettings | None = None,
    ) -> None:
        self.settings = settings or AlertSettings(after=after)
        self.channels = channels
        self.alerts = AlertEngine(self.settings, channels, memory())
        self.now = START
        self.states: dict[StateKey, AlertState] = {}
        self.incidents: dict[int, Incident] = {}
        self.messages: list[str] = []

    def see(self, check: str, kind: FailureKind | None = None, times: int = 1) -> None:
        for _ in range(times):
            failure = Failure(kind, f"got {kind.value}") if kind else None
            outcome = failure.outcome if failure else Outcome.UP
            result = Result(
                check=check, vantage="local", at=self.now, outcome=outcome, failure=failure
            )
            self.keep(self.alerts.judge(result))
            self.now += timedelta(seconds=1)

    def keep(self, changes: AlertChanges) -> None:
        self.states |= {state.key: state for state in changes.states}
        self.incidents |= {incident.id: incident for incident in changes.incidents}
        self.messages += [
            f"{row.what.value} #{row.incident} {row.severity.value} to {row.channel}"
            for row in changes.outgoing
        ]

    def memory(self) -> RestartState:
        """What a store would give back after a restart."""
        opened = tuple(incident for incident in self.incidents.values() if not incident.closed)
        return replace(
            memory(self.states.values(), opened, max(self.incidents, default=0) + 1),
            recent=tuple(each for each in self.incidents.values() if each.closed),
        )

    def restart(self) -> None:
        self.alerts = AlertEngine(self.settings, self.channels, self.memory())

    def later(self, **time: float) -> None:
        """Time passes, and the daemon looks at it."""
        self.now += timedelta(**time)
        self.keep(self.alerts.remind(self.now))


class Watch(Night):
    """Keeps every row, and looks at the clock each half minute as the daemon does."""

    def __init__(self, *channels: Channel, settings: AlertSettings | None = None) -> None:
        super().__init__((PHONE, *channels), settings=settings or AlertSettings(after=1))
        self.rows: list[OutboxMessage] = []
        self.acked: dict[int, datetime] = {}

    def keep(self, changes: AlertChanges) -> None:
        super().keep(changes)
        self.rows += changes.outgoing

    @property
    def told(self) -> list[str]:
        return [f"{row.what.value} to {row.channel}" for row in self.rows]

    def to(self, channel: str) -> list[OutboxMessage]:
        return [row for row in self.rows if row.channel == channel]

    def bad(self, endpoint: str) -> None:
        self.see(f"s/{endpoint}/chat", FailureKind.BAD_GATEWAY, times=2)

    def good(self, endpoint: str) -> None:
        self.see(f"s/{endpoint}/chat", times=2)

    def wait(self, minutes: float) -> None:
        for _ in range(round(minutes * 2)):
            self.later(seconds=30)

    def ack(self, number: int) -> None:
        if changes := self.alerts.ack(number, self.now):
            self.acked[number] = self.now
            self.keep(changes)

    def live(self, history: Iterable[tuple[str, object]]) -> None:
        """Do each step, which is the name of a method and its argument."""
        for name, value in history:
            getattr(self, name)(*(() if value is None else (value,)))

    def silence(self, minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        self.keep(self.alerts.silence(Silence(target="s/a", since=self.now, until=until), self.now))


def step(name: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[str, object]]:
    return st.tuples(st.just(name), values)


histories = st.lists(
    st.one_of(
        step("bad", st.sampled_from("aab")),
        step("good", st.sampled_from("ab")),
        step("wait", st.sampled_from((4, 16, 50))),
        step("ack", st.integers(1, 2)),
        step("silence", st.integers(1, 60)),
        step("restart", st.none()),
    ),
    max_size=30,
)

BAD = Failure(FailureKind.BAD_GATEWAY, "got HTTP 502, want 200")
LATE = Failure(FailureKind.CONNECT_TIMEOUT, "got no connection within 10 s, want one")
DOWN = Rule(name="down", severity=Severity.DOWN)
OPENED = TimelineEntry(
    at=START,
    what=EntryKind.OPENED,
    check="s/a/chat",
    kind=FailureKind.BAD_GATEWAY,
    text=BAD.message,
)
BEGUN = Incident(
    id=1,
    service="s",
    severity=Severity.DOWN,
    opened=START,
    failure=BAD,
    checks=("s/a/chat",),
    active=frozenset({"s/a/chat"}),
    timeline=(OPENED,),
)


def fired(check: str = "s/a/chat", minutes: float = 0, rule: Rule = DOWN) -> Fired:
    return Fired(check, rule.name, START + minutes * MINUTE)


def begun(
    check: str = "s/a/chat", severity: Severity = Severity.DOWN, cause: str = "", number: int = 1
) -> Incident:
    rule = Rule(name="r", severity=severity, cause=cause)
    return incidents.begin(Book(next_id=number), fired(check), rule, BAD)


def entry(what: EntryKind, minutes: float, **more: object) -> TimelineEntry:
    return TimelineEntry(at=START + minutes * MINUTE, what=what, **more)  # type: ignore[arg-type]
