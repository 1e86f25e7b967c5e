"""What a simulated process is given: a clock, a configuration, a store; and what ends it."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from records import START
from truth import Sizes

from monitor.alerts import AlertEngine
from monitor.config import Config, parse
from monitor.courier import Courier
from monitor.cycle import Cycle
from monitor.model import (
    Incident,
    OutboxMessage,
    RestartState,
    RunRecord,
)

CONFIG = """
[page]
url = "https://status.example"
[alerts]
after = {after}
recover = {recover}
remind = "{remind}"
[channel.phone]
url = "json://127.0.0.1:9"
[channel.pager]
url = "json://127.0.0.1:9"
only = ["down"]
[channel.duty]
url = "pagerduty://key@key"
{services}
"""
CHANNELS = ("phone", "pager", "duty")
ON_CALL = "duty"
"""It holds events, as an on-call service does, and hears of everything."""
CHAT, SUBSCRIBERS, BOSS = "chat", "chat+subscribers", "boss"
"""Only where there are people: a group with a bot, its subscribers, and who hears late."""
GROUP = -100200
ESCALATES_AFTER = 600.0
PEOPLE = f"""
[channel.{CHAT}]
url = "tgram://123456789:{"AbCdEfGhIj" * 3}AbCdE/{GROUP}"
commands = true
subscribers = true
[channel.{BOSS}]
url = "json://127.0.0.1:9"
escalate_after = "{ESCALATES_AFTER:.0f}s"
"""


class Died(BaseException):
    """The process is gone; nothing of it may catch this."""


class Store(Protocol):
    """What the simulation needs beyond the verbs of the product."""

    def recall(self) -> RestartState: ...
    def record(self, entry: RunRecord) -> None: ...
    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: Any = (),
    ) -> None: ...
    async def flush(self) -> None: ...
    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]: ...
    async def incident(self, incident_id: int) -> Incident | None: ...
    def sent(self, outgoing_id: int, at: datetime) -> None: ...
    def postpone(self, outgoing: OutboxMessage) -> None: ...
    def dead(self, outgoing_id: int, error: str) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.true = 0.0
        self.shift = 0.0
        """By how much the wall clock is wrong."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.true + self.shift)

    def monotonic(self) -> float:
        return self.true

    def elapsed(self) -> float:
        return self.true

    def true_of(self, wall: datetime) -> float:
        return (wall - START).total_seconds() - self.shift


def configure(sizes: Sizes, *, after: int = 3, recover: int = 2, remind: str = "4h") -> Config:
    services = ""
    for service in range(sizes.services):
        names = (
            f'e{number} = "https://s{service}-e{number}.example"'
            for number in range(sizes.endpoints)
        )
        hidden = sizes.people and service == sizes.services - 1
        services += f"[service.s{service}]\n{'public = false' if hidden else ''}\nprobes = {{ http = '1m' }}\nendpoints = {{ {', '.join(names)} }}\n"
    text = CONFIG.format(after=after, recover=recover, remind=remind, services=services)
    text += PEOPLE if sizes.people else ""
    return parse(text, path=Path("/nowhere/monitor.toml"), env={})


class Answer:
    """Awaited by a run that takes its time; the simulation resumes it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


@dataclass(frozen=True, slots=True)
class Life:
    """One process, from its start to its death."""

    memory: RestartState
    alerts: AlertEngine
    cycle: Cycle
    courier: Courier
