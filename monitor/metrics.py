"""Metrics for Prometheus: the last result of every check, and the state of the monitor itself.

Names are those of blackbox_exporter where it has one. Every label's values are bounded: ids of the
configuration, and the closed lists of outcomes, failure kinds and phases. Results live here only as
long as their check is in the configuration. Each metric has a row in docs/metrics.md.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.model import AgentState, Check, FailureKind, Outcome, Result, Spend, Timings

CHECK = ("service", "endpoint", "probe", "vantage")
_LATE_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_LAG_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """Holds what only the rest of the daemon knows, at the moment of a scrape."""

    version: str
    vantage: str
    checks: tuple[Check, ...]
    trouble: str | None
    waiting: Mapping[str, int]
    """Undelivered messages by channel, every channel included."""
    spent: Mapping[tuple[str, str], Spend]
    """By service and vantage, today (UTC)."""
    used: Mapping[str, float]
    """Share of the day's budget at this vantage, by service that has one."""
    currency: str
    dropped: int
    """Results that the store gave up."""
    incidents: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Open incidents that people are told of, by service, empty for the monitor's own, and severity."""
    agents: Mapping[str, AgentState] = field(default_factory=dict)
    """What is known of the agents that were heard, by vantage."""
    ingested: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Results of agents, by vantage; those that were refused by reason too."""


@dataclass(slots=True)
class _CheckCounts:
    latest: Result
    runs: Counter[Outcome] = field(default_factory=Counter)
    failures: Counter[FailureKind] = field(default_factory=Counter)


class Metrics:
    """Collects results and lateness. Use it from one event loop."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._counts: dict[str, _CheckCounts] = {}
        self._missed: Counter[str] = Counter()
        self._own = CollectorRegistry(auto_describe=False)
        self._late = Histogram(
            "monitor_schedule_lateness_seconds",
            "How long after its due time a run began.",
            buckets=_LATE_S,
            registry=self._own,
        )
        self._lag = Histogram(
            "monitor_loop_lag_seconds",
            "How late the event loop was, looked at once a second.",
            buckets=_LAG_S,
            registry=self._own,
        )

    def due(self, check: str, missed: int) -> None:
        """Count the `missed` runs that were due before this one and did not happen."""
        self._missed[check] += missed

    def ran(self, result: Result) -> None:
        counts = self._counts.get(result.check)
        if counts is None:
            counts = self._counts[result.check] = _CheckCounts(result)
        counts.latest = result
        counts.runs[result.outcome] += 1
        if result.failure:
            counts.failures[result.failure.kind] += 1
        self._late.observe(result.late_ms / 1000)

    def lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def report(self, state: MonitorState, accepts: str) -> tuple[bytes, str]:
        """Return the text and its content type, and forget checks that left the configuration."""
        known = {check.key for check in state.checks}
        self._counts = {key: counts for key, counts in self._counts.items() if key in known}
        self._missed = Counter({key: count for key, count in self._missed.items() if key in known})
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _Families((*_checks(state, self._counts, self._missed), *_monitor(state)))
        )
        registry.register(_Families(self._own.collect()))
        encode, kind = choose_encoder(accepts)
        return encode(registry), kind


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _checks(
    state: MonitorState, counts: Mapping[str, _CheckCounts], missed: Mapping[str, int]
) -> Iterator[Metric]:
    labelled = [
        (_labels(check, state.vantage), counts[check.key])
        for check in state.checks
        if check.key in counts
    ]
    latest = [(labels, history.latest) for labels, history in labelled]
    yield from _last_runs(latest)
    yield from _phases(latest)
    yield from _counts(labelled)
    family = CounterMetricFamily(
        "probe_missed_runs", "Runs that were due and did not happen.", labels=CHECK
    )
    for check in state.checks:
        family.add_metric(_labels(check, state.vantage), missed.get(check.key, 0))
    yield family


def _labels(check: Check, vantage: str) -> tuple[str, ...]:
    return check.service, check.endpoint.id, check.probe.id, vantage


Labelled = list[tuple[tuple[str, ...], Result]]


def _last_runs(latest: Labelled) -> Iterator[Metric]:
    yield _gauge(
        "probe_success",
        "1 where the last run was up or degraded, 0 where it was down; absent where we cannot say.",
        ((labels, _success(result)) for labels, result in latest),
    )
    yield _gauge(
        "probe_duration_seconds",
        "How long the last run took, from the request to the end of the answer.",
        ((labels, _seconds(result.timings.total)) for labels, result in latest),
    )
    yield _gauge(
        "probe_http_status_code",
        "HTTP status of the last run.",
        ((labels, result.http_status) for labels, result in latest),
    )
    yield _gauge(
        "probe_ssl_earliest_cert_expiry",
        "When the certificate ends, in unix time.",
        ((labels, _unix(result.cert_expires)) for labels, result in latest),
    )
    yield _gauge(
        "probe_time_to_first_token_seconds",
        "From the request to the first text, reasoning, refusal or tool argument of the last run.",
        ((labels, _seconds(result.timings.ttft)) for labels, result in latest),
    )
    yield _gauge(
        "probe_tokens_per_second",
        "How fast the last stream generated.",
        (
            (labels, result.stream.tokens_per_s if result.stream else None)
            for labels, result in latest
        ),
    )
    yield _gauge(
        "probe_balance",
        "The money that the last run read, in `currency`.",
        (
            ((*labels, balance.currency), balance.amount)
            for labels, result in latest
            if (balance := result.balance)
        ),
        (*CHECK, "currency"),
    )
    yield _gauge(
        "probe_balance_days",
        "How many days the money lasts at the rate of the last ones.",
        ((labels, balance.days_left) for labels, result in latest if (balance := result.balance)),
    )
    yield _gauge(
        "probe_last_run_timestamp_seconds",
        "When the last run asked, in unix time.",
        ((labels, result.at.timestamp()) for labels, result in latest),
    )


def _phases(latest: Labelled) -> Iterator[Metric]:
    yield _gauge(
        "probe_http_duration_seconds",
        "How long each phase of the last run took.",
        (
            ((*labels, phase), value)
            for labels, result in latest
            for phase, value in _phases_of(result.timings).items()
        ),
        (*CHECK, "phase"),
    )


def _phases_of(timings: Timings) -> dict[str, float | None]:
    """Split a run into blackbox_exporter's five phases, in seconds.

    Processing lasts from the sent request to the headers of the response.
    """
    before = sum(phase or 0.0 for phase in (timings.dns, timings.connect, timings.tls))
    ttfb, total = timings.ttfb, timings.total
    return {
        "resolve": _seconds(timings.dns),
        "connect": _seconds(timings.connect),
        "tls": _seconds(timings.tls),
        "processing": None if ttfb is None else _seconds(max(0.0, ttfb - before)),
        "transfer": None if ttfb is None or total is None else _seconds(max(0.0, total - ttfb)),
    }


def _counts(labelled: list[tuple[tuple[str, ...], _CheckCounts]]) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "probe_runs", "Runs since the monitor started, by outcome.", labels=(*CHECK, "outcome")
    )
    failures = CounterMetricFamily(
        "probe_failures",
        "Failed runs since the monitor started, by failure kind.",
        labels=(*CHECK, "kind", "fault"),
    )
    for labels, counts in labelled:
        for outcome in Outcome:
            runs.add_metric((*labels, outcome.value), counts.runs[outcome])
        for kind, count in sorted(counts.failures.items()):
            failures.add_metric((*labels, kind.value, kind.fault.value), count)
    yield from (runs, failures)


def _monitor(state: MonitorState) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "monitor_build",
        "Which monitor this is.",
        value={"version": state.version, "vantage": state.vantage},
    )
    healthy = 0.0 if state.trouble else 1.0
    yield _gauge("monitor_healthy", "What /healthz says.", [((), healthy)], ())
    yield _gauge("monitor_checks", "Checks configured.", [((), len(state.checks))], ())
    yield _gauge(
        "monitor_outbox_messages",
        "Messages not yet delivered.",
        (((channel,), count) for channel, count in sorted(state.waiting.items())),
        ("channel",),
    )
    yield _gauge(
        "monitor_open_incidents",
        "Open incidents that people are told of.",
        sorted(state.incidents.items()),
        ("service", "severity"),
    )
    yield _gauge(
        "monitor_spent_today_tokens",
        "Tokens that a service's probes have used since midnight UTC, open reserves included.",
        ((labels, spent.tokens) for labels, spent in sorted(state.spent.items())),
        ("service", "vantage"),
    )
    yield _gauge(
        "monitor_spent_today_money",
        "What they cost, by the price list.",
        (
            ((service, vantage, state.currency), spent.money)
            for (service, vantage), spent in sorted(state.spent.items())
        ),
        ("service", "vantage", "currency"),
    )
    yield _gauge(
        "monitor_budget_used_ratio",
        "Share of the day's budget that is spent.",
        (((service,), share) for service, share in sorted(state.used.items())),
        ("service",),
    )
    dropped = CounterMetricFamily(
        "monitor_results_dropped", "Results given up because the disk failed for too long."
    )
    dropped.add_metric((), state.dropped)
    yield dropped
    if state.agents:
        yield from _agents(state)


def _agents(state: MonitorState) -> Iterator[Metric]:
    """Yield what is known of agents; a daemon without them has no such metrics."""
    agents = sorted(state.agents.items())
    yield _gauge(
        "monitor_vantage_heard_timestamp_seconds",
        "When the agent of a vantage was heard last, in unix time.",
        (((vantage,), agent.heard.timestamp()) for vantage, agent in agents),
        ("vantage",),
    )
    yield _gauge(
        "monitor_vantage_clock_offset_seconds",
        "How far the hub's clock is ahead of the agent's.",
        (((vantage,), _seconds(agent.offset_ms)) for vantage, agent in agents),
        ("vantage",),
    )
    yield _gauge(
        "monitor_agent_buffered_results",
        "Results that waited at the agent when it was heard last.",
        (((vantage,), agent.buffered) for vantage, agent in agents),
        ("vantage",),
    )
    yield _gauge(
        "monitor_agent_oldest_seconds",
        "How long the oldest result of the agent's last push had waited there.",
        (((vantage,), agent.oldest_ms / 1000) for vantage, agent in agents),
        ("vantage",),
    )
    for name, text, counts in (
        ("monitor_ingest_results", "Results of agents that were stored.", state.ingested),
        ("monitor_ingest_repeated", "Results of agents that were there already.", state.repeated),
    ):
        family = CounterMetricFamily(name, text, labels=("vantage",))
        for vantage, _ in agents:
            family.add_metric((vantage,), counts.get(vantage, 0))
        yield family
    refused = CounterMetricFamily(
        "monitor_ingest_refused",
        "Results of agents that were not taken.",
        labels=("vantage", "why"),
    )
    for labels, count in sorted(state.refused.items()):
        refused.add_metric(labels, count)
    yield refused


def _gauge(
    name: str,
    text: str,
    samples: Iterable[tuple[tuple[str, ...], float | None]],
    labels: tuple[str, ...] = CHECK,
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def _success(result: Result) -> float | None:
    if result.outcome is Outcome.UNKNOWN:
        return None
    return 0.0 if result.outcome is Outcome.DOWN else 1.0


def _unix(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
