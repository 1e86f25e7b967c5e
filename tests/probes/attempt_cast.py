"""Probes that find what they were told to find, and runs of them."""

from typing import Any, ClassVar

from cast import HandClock
from run_check import run_check

from monitor.model import (
    Check,
    Endpoint,
    FailureKind,
    Habit,
    Redactor,
    Secret,
    Timings,
)
from monitor.probes import Attempted, ProbeSettings
from monitor.probes.exchange import Exchange
from monitor.probes.probe import Finding, Run, Sender
from monitor.probes.wire.client import Client

KEY = "canary" + "0123456789"


class Told(ProbeSettings):
    """Finds what it was told to find."""

    kind: ClassVar[str] = "http"
    needs_key: ClassVar[bool] = False
    finds: Any

    async def run(self, run: Run) -> Finding:
        if isinstance(self.finds, Exception):
            raise self.finds
        assert isinstance(self.finds, Finding)
        return self.finds


FINE = Finding(
    exchange=Exchange(timings=Timings(total=100.0), status=200), failure=None, habit=Habit()
)


async def run(probe: ProbeSettings, clock: HandClock, sender: Sender | None = None) -> Attempted:
    endpoint = Endpoint(id="direct", service="relay", url="http://127.0.0.1:9", name="direct")
    check = Check(service="relay", endpoint=endpoint, probe=probe)
    async with Client() as client:
        return await run_check(
            check, sender or client, clock=clock, redact=Redactor([Secret(KEY)]), late_ms=3.0
        )


def kind(attempted: Attempted) -> FailureKind | None:
    return attempted.result.failure and attempted.result.failure.kind
