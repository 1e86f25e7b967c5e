"""What the laws look at: the history, what the store holds in the end, and what an oracle believes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from asking import EVERY
from records import KINDS, START, History, Run, Told
from simulate import Simulation
from truth import ACCOUNT, DEGRADED, DOWN, HOUR, LATE_ANSWERS, OFFLINE, Spell, Truth

from monitor.daemon.telegram_bots import audience
from monitor.model import Incident, OutboxMessage, RequestKind, Severity, Silence

CLASSES: Mapping[Severity, tuple[str, ...]] = {
    Severity.DOWN: DOWN,
    Severity.DEGRADED: DEGRADED,
    Severity.ACCOUNT: ACCOUNT,
    Severity.MONITOR: (OFFLINE,),
}
AFTER = {Severity.DOWN: 3, Severity.DEGRADED: 5, Severity.ACCOUNT: 2, Severity.MONITOR: 3}
RECOVER = 2


@dataclass(frozen=True, slots=True)
class Belief:
    """A check is bad from its first bad run to its first good one, in wall time."""

    check: str
    severity: Severity
    start: datetime
    end: datetime | None
    believed: float
    """When the run that made it certain was asked."""
    asked: float
    """When its first bad run was asked, in true time."""
    ended: float | None
    """When its first good run was asked, in true time."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A silence that was asked for and stored, in true time."""

    silence: Silence
    start: float
    end: float

    def covers(self, check: str) -> bool:
        return self.silence.covers(check)


@dataclass
class Seen:
    sim: Simulation
    incidents: tuple[Incident, ...]
    """All that the store holds in the end."""
    rows: Mapping[int, tuple[OutboxMessage, str]]
    """The outbox in the end, with the state of each row: pending, sent, dead."""
    counts: Mapping[str, Mapping[str, int]]
    """Outcomes by check, as the store counts them."""

    @property
    def truth(self) -> Truth:
        return self.sim.truth

    @property
    def history(self) -> History:
        return self.sim.history

    @property
    def end(self) -> float:
        return self.sim.sizes.end

    @cached_property
    def dark(self) -> list[Spell]:
        """While no process lived; runs that were under way are lost too."""
        lost = max(LATE_ANSWERS.values()) + 1.0
        return [Spell(at - lost, until + EVERY, "dark") for at, until, _ in self.history.deaths]

    @cached_property
    def stepped(self) -> list[tuple[float, float]]:
        """Only what somebody did to a living process: the next one starts with the new time."""
        return self.truth.steps

    def step_between(self, start: float, end: float, each: float = 0.0) -> float:
        """By how much the clock was set in all, and `each` for every time."""
        return sum(abs(by) + each for at, by in self.stepped if start - 2 <= at <= end + 2)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        return tuple(channel.id for channel in audience(self.sim.config))

    @cached_property
    def acked(self) -> dict[int, float]:
        """When each incident was acknowledged first, by number."""
        asked = [(at, each) for at, each in self.history.carried if each.what is RequestKind.ACK]
        return {each.incident: at for at, each in reversed(asked)}

    @cached_property
    def holds(self) -> list[Hold]:
        """Silences, up to the next one of the same target; but for those while the clock was set."""
        found: dict[int, Hold] = {}
        for at, each in self.history.carried:
            if each.what is RequestKind.SILENCE and each.id not in found:
                for number, old in found.items():
                    if old.silence.target == each.target and old.end > at:
                        found[number] = replace(old, end=at)
                until = at + (each.silence.until - each.at).total_seconds()
                found[each.id] = Hold(each.silence, at, until)
        holds = [hold for hold in found.values() if hold.end > hold.start]
        return [hold for hold in holds if not self.step_between(hold.start, hold.end)]

    def is_silenced(self, incident: Incident) -> bool:
        """Whether something about it or what came shortly before was silenced."""
        since, until = self.history.decided[incident.id]
        return any(
            since - 24 * HOUR < hold.end
            and hold.start < (until or self.end)
            and service == incident.service
            for hold in self.holds
            for service in (hold.silence.target.split("/")[0].replace("*", incident.service or ""),)
        )

    def incident(self, number: int) -> Incident:
        return next(incident for incident in self.incidents if incident.id == number)

    def told_of(self, incident: Incident, channel: str) -> list[Told]:
        """What was decided to tell a channel of it, in order."""
        told = (each for _, each in sorted(self.history.told.items()))
        return [e for e in told if e.row.incident == incident.id and e.row.channel == channel]

    @cached_property
    def runs(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {check.key: [] for check in self.sim.checks}
        keys = list(found)
        for run in self.history.runs:
            found[keys[run[0]]].append(run)
        return found

    @cached_property
    def beliefs(self) -> list[Belief]:
        """By an oracle that knows no machine: each rule's verdicts as letters, searched as text."""
        return [
            belief
            for check, runs in self.runs.items()
            for severity in CLASSES
            for belief in believe(check, runs, severity)
        ]


def believe(check: str, runs: list[Run], severity: Severity) -> Iterator[Belief]:
    letters = _letters(severity)
    said = bytes(run[3] for run in runs).translate(letters)
    if b"b" not in said:
        return
    kept = [place for place, letter in enumerate(said) if letter != ord("-")]
    said = said.replace(b"-", b"")
    after = AFTER[severity]
    for match in re.finditer(rb"(b{%d}.*?)(?:(g){%d}|$)" % (after, RECOVER), said):
        first, sure = runs[kept[match.start()]], runs[kept[match.start() + after - 1]]
        last = runs[kept[match.end(1)]] if match[2] else None
        yield Belief(
            check, severity, _wall(first), last and _wall(last), sure[1], first[1], last and last[1]
        )


def _letters(severity: Severity) -> bytes:
    """b for bad, g for good, - for ignorance, by the place in KINDS."""
    bad = CLASSES[severity]
    served: tuple[str | None, ...] = (None, *DEGRADED)
    good: Mapping[Severity, tuple[str | None, ...]] = {
        Severity.DOWN: served,
        Severity.DEGRADED: (None,),
        Severity.ACCOUNT: served,
        Severity.MONITOR: (None, *DOWN, *DEGRADED, *ACCOUNT),
    }
    table = ["b" if kind in bad else "g" if kind in good[severity] else "-" for kind in KINDS]
    return "".join(table).encode().ljust(256, b"-")


def _wall(run: Run) -> datetime:
    return START + timedelta(seconds=run[1] + run[2])


def look(sim: Simulation) -> Seen:
    """At the end, through the store."""
    incidents, rows, counts = sim.store.finals()
    return Seen(sim, incidents, rows, counts)


Law = Callable[[Seen], Iterator[str]]
