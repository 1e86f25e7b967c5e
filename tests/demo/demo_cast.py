"""The simulated service with a script that a test holds in its hand."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from monitor.clock import SystemClock
from monitor.config import Config
from monitor.demo.api_common import CHAT_MODEL
from monitor.demo.endpoints import Addresses
from monitor.demo.faults import SimulatedFault
from monitor.model import Check, Habit, Redactor, Result
from monitor.probes import PROBES, attempt
from monitor.probes.wire.client import Client


@dataclass
class Forced:
    """A script that does what the test says, at the time that the test says."""

    faults: dict[str, SimulatedFault] = field(default_factory=dict)
    now: float = 0.0

    def seconds(self) -> float:
        return self.now

    def script(self, seconds: float, endpoint: str, place: str) -> SimulatedFault | None:
        return self.faults.get(endpoint)


@dataclass
class Demo:
    addresses: Addresses
    ca_file: Path
    forced: Forced
    config: Config
    client: Client
    rng: Random = field(default_factory=lambda: Random(7))
    habits: dict[str, Habit] = field(default_factory=dict)

    async def probe(self, key: str) -> Result:
        """One real run of one real check of the demo's config."""
        return await self.run(next(check for check in self.config.checks if check.key == key))

    async def ask(self, endpoint: str, kind: str, **settings: Any) -> Result:
        """One real run of any probe kind."""
        service = next(each for each in self.config.services if each.id == "demo")
        found = next(each for each in service.endpoints if each.id == endpoint)
        probe = PROBES[kind](**settings)
        model = getattr(probe, "model", None) or CHAT_MODEL
        return await self.run(Check(service="demo", endpoint=found, probe=probe, model=model))

    async def run(self, check: Check) -> Result:
        key = check.key
        attempted = await attempt(
            check,
            habit=self.habits.get(key, Habit()),
            client=self.client,
            clock=SystemClock(),
            rng=self.rng,
            vantage="test",
            redact=Redactor(self.config.secrets),
        )
        self.habits[key] = attempted.habit
        return attempted.result
