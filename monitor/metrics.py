"""What Prometheus reads: the last result of every check, and how the monitor itself does.

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

from monitor.model import Check, FailureKind, Outcome, Result, Spend, Timings

CHECK = ("service", "endpoint", "probe")
_LATE_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_LAG_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What only the rest of the daemon knows, at the moment of the question."""

    version: str
    vantage: str
    checks: tuple[Check, ...]
    trouble: str | None
    waiting: Mapping[str, int]
    """Undelivered messages by channel, every channel included."""
    spent: Mapping[str, Spend]
    """By service, today (UTC)."""
    used: Mapping[str, float]
    """Share of the day's budget, by service that has one."""
    currency: str
    dropped: int
    """Results that the store gave up."""


@dataclass(slots=True)
class _Seen:
    latest: Result
    runs: Counter[Outcome] = field(default_factory=Counter)
    failures: Counter[FailureKind] = field(default_factory=Counter)


class Metrics:
    """Call it from one event loop."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._seen: dict[str, _Seen] = {}
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
        """A run begins; `missed` of this check were due before and did not."""
        self._missed[check] += missed

    def ran(self, result: Result) -> None:
        seen = self._seen.get(result.check)
        if seen is None:
            seen = self._seen[result.check] = _Seen(result)
        seen.latest = result
        seen.runs[result.outcome] += 1
        if result.failure:
            seen.failures[result.failure.kind] += 1
        self._late.observe(result.late_ms / 1000)

    def lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def report(self, reading: Reading, accepts: str) -> tuple[bytes, str]:
        """The text and its content type; what left the configuration is forgotten."""
        known = {check.key for check in reading.checks}
        self._seen = {key: seen for key, seen in self._seen.items() if key in known}
        self._missed = Counter({key: n for key, n in self._missed.items() if key in known})
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _Families((*_checks(reading, self._seen, self._missed), *_monitor(reading)))
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
    reading: Reading, seen: Mapping[str, _Seen], missed: Mapping[str, int]
) -> Iterator[Metric]:
    found = [(_labels(check), seen[check.key]) for check in reading.checks if check.key in seen]
    yield from _last_runs([(labels, each.latest) for labels, each in found])
    yield from _phases([(labels, each.latest) for labels, each in found])
    yield from _counts(found)
    family = CounterMetricFamily(
        "probe_missed_runs", "Runs that were due and did not happen.", labels=CHECK
    )
    for check in reading.checks:
        family.add_metric(_labels(check), missed.get(check.key, 0))
    yield family


def _labels(check: Check) -> tuple[str, str, str]:
    return check.service, check.endpoint.id, check.probe.id


Labelled = list[tuple[tuple[str, str, str], Result]]


def _last_runs(found: Labelled) -> Iterator[Metric]:
    yield _gauge(
        "probe_success",
        "1 where the last run was up or degraded, 0 where it was down; absent where we cannot say.",
        ((labels, _success(each)) for labels, each in found),
    )
    yield _gauge(
        "probe_duration_seconds",
        "How long the last run took, from the request to the end of the answer.",
        ((labels, _seconds(each.timings.total)) for labels, each in found),
    )
    yield _gauge(
        "probe_http_status_code",
        "HTTP status of the last run.",
        ((labels, each.http_status) for labels, each in found),
    )
    yield _gauge(
        "probe_ssl_earliest_cert_expiry",
        "When the certificate ends, in unix time.",
        ((labels, _unix(each.cert_expires)) for labels, each in found),
    )
    yield _gauge(
        "probe_time_to_first_token_seconds",
        "From the request to the first text, reasoning, refusal or tool argument of the last run.",
        ((labels, _seconds(each.timings.ttft)) for labels, each in found),
    )
    yield _gauge(
        "probe_tokens_per_second",
        "How fast the last stream generated.",
        ((labels, each.stream.tokens_per_s if each.stream else None) for labels, each in found),
    )
    yield _gauge(
        "probe_last_run_timestamp_seconds",
        "When the last run asked, in unix time.",
        ((labels, each.at.timestamp()) for labels, each in found),
    )


def _phases(found: Labelled) -> Iterator[Metric]:
    yield _gauge(
        "probe_http_duration_seconds",
        "How long each phase of the last run took.",
        (
            ((*labels, phase), value)
            for labels, each in found
            for phase, value in _phases_of(each.timings).items()
        ),
        (*CHECK, "phase"),
    )


def _phases_of(timings: Timings) -> dict[str, float | None]:
    """Blackbox's five: processing is from the sent request to the answer's headers."""
    before = sum(each or 0.0 for each in (timings.dns, timings.connect, timings.tls))
    ttfb, total = timings.ttfb, timings.total
    return {
        "resolve": _seconds(timings.dns),
        "connect": _seconds(timings.connect),
        "tls": _seconds(timings.tls),
        "processing": None if ttfb is None else _seconds(max(0.0, ttfb - before)),
        "transfer": None if ttfb is None or total is None else _seconds(max(0.0, total - ttfb)),
    }


def _counts(found: list[tuple[tuple[str, str, str], _Seen]]) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "probe_runs", "Runs since the monitor started, by outcome.", labels=(*CHECK, "outcome")
    )
    failures = CounterMetricFamily(
        "probe_failures",
        "Failed runs since the monitor started, by failure kind.",
        labels=(*CHECK, "kind", "fault"),
    )
    for labels, seen in found:
        for outcome in Outcome:
            runs.add_metric((*labels, outcome.value), seen.runs[outcome])
        for kind, count in sorted(seen.failures.items()):
            failures.add_metric((*labels, kind.value, kind.fault.value), count)
    yield from (runs, failures)


def _monitor(reading: Reading) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "monitor_build",
        "Which monitor this is.",
        value={"version": reading.version, "vantage": reading.vantage},
    )
    healthy = 0.0 if reading.trouble else 1.0
    yield _gauge("monitor_healthy", "What /healthz says.", [((), healthy)], ())
    yield _gauge("monitor_checks", "Checks configured.", [((), len(reading.checks))], ())
    yield _gauge(
        "monitor_outbox_messages",
        "Messages not yet delivered.",
        (((channel,), count) for channel, count in sorted(reading.waiting.items())),
        ("channel",),
    )
    yield _gauge(
        "monitor_spent_today_tokens",
        "Tokens that a service's probes have used since midnight UTC, open reserves included.",
        (((service,), spent.tokens) for service, spent in sorted(reading.spent.items())),
        ("service",),
    )
    yield _gauge(
        "monitor_spent_today_money",
        "What they cost, by the price list.",
        (
            ((service, reading.currency), spent.money)
            for service, spent in sorted(reading.spent.items())
        ),
        ("service", "currency"),
    )
    yield _gauge(
        "monitor_budget_used_ratio",
        "Share of the day's budget that is spent.",
        (((service,), share) for service, share in sorted(reading.used.items())),
        ("service",),
    )
    dropped = CounterMetricFamily(
        "monitor_results_dropped", "Results given up because the disk failed for too long."
    )
    dropped.add_metric((), reading.dropped)
    yield dropped


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
