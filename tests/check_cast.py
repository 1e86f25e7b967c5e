"""One check with runs, beliefs and a history, made by hand: what rules and rankings are asked about."""

from datetime import UTC, datetime, timedelta

from monitor.model import (
    AlertState,
    Check,
    CheckHistory,
    Endpoint,
    Outcome,
    Phase,
    Result,
    Rollup,
    Timings,
)
from monitor.model.rollup import NOTHING
from monitor.probes import PROBES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.date()
MINUTE = timedelta(minutes=1)
UP, DEGRADED, DOWN, UNKNOWN = Outcome


def check(endpoint: str = "a", probe: str = "chat", every: str = "5m") -> Check:
    home = Endpoint(id=endpoint, service="s", url=f"https://{endpoint}.example", name=endpoint)
    return Check(service="s", endpoint=home, probe=PROBES[probe](every=every).named(probe))


def run(
    outcome: Outcome = UP, ago: float = 1, ttft: float | None = 100, ttfb: float | None = 10
) -> Result:
    return Result(
        check="s/a/chat",
        vantage="v",
        at=NOW - ago * MINUTE,
        outcome=outcome,
        timings=Timings(ttft=ttft, ttfb=ttfb),
    )


def history(
    *recent: Result,
    latest: Result | None = None,
    phases: dict[str, Phase] | None = None,
    last_24h: Rollup = NOTHING,
) -> CheckHistory:
    states = tuple(
        AlertState(check="s/a/chat", vantage="local", rule=rule, phase=phase)
        for rule, phase in (phases or {}).items()
    )
    return CheckHistory(
        check="s/a/chat", latest=latest, states=states, days={}, last_24h=last_24h, recent=recent
    )
