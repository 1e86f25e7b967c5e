"""Results, a state of the daemon, and what /metrics says of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import Metrics, MonitorState
from monitor.model import (
    AgentState,
    Check,
    Endpoint,
    Failure,
    FailureKind,
    Outcome,
    Result,
    Spend,
    Stream,
    Timings,
    Vantage,
)
from monitor.probes.probe import ProbeSettings

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Ping(ProbeSettings):
    kind = "chat"


def check(endpoint: str) -> Check:
    at = Endpoint(id=endpoint, service="s", url="http://127.0.0.1:9", name=endpoint)
    return Check(service="s", endpoint=at, probe=Ping(every=timedelta(minutes=1)).named("chat"))


GOOD = Result(
    check="s/a/chat",
    vantage="here",
    at=AT,
    outcome=Outcome.UP,
    timings=Timings(dns=1, connect=2, tls=3, ttfb=100, ttft=250, ttft_visible=250, total=1000),
    http_status=200,
    stream=Stream(tokens_per_s=42.5),
    cert_expires=AT + timedelta(days=30),
    late_ms=4,
)
DOWN = Result(
    check="s/b/chat",
    vantage="here",
    at=AT,
    outcome=Outcome.DOWN,
    failure=Failure(FailureKind.TCP_REFUSED, "nobody listens"),
)
READING = MonitorState(
    version="0.1.0",
    vantage="here",
    checks=(check("a"), check("b"), check("never-asked")),
    trouble=None,
    waiting={"phone": 2, "mail": 0},
    spent={("s", "fra"): Spend(1200, 0.25), ("s", "cn"): Spend(7)},
    used={"s": 0.5},
    currency="USD",
    dropped=0,
    incidents={("s", "down"): 1, ("", "monitor"): 1},
    agents={
        "cn": AgentState(
            vantage="cn", stream="x", upto=9, heard=AT, offset_ms=1500, buffered=4, oldest_ms=2500
        )
    },
    ingested={"cn": 9},
    refused={("cn", "unknown_check"): 2},
)

FROM_CN = replace(GOOD, vantage="cn", timings=Timings(ttft=700, total=2000))
WITH_CN = replace(READING, vantages=(Vantage(id="cn", public_keys=("k",)),))


def exposed(metrics: Metrics, reading: MonitorState = READING) -> str:
    return metrics.report(reading, "")[0].decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
