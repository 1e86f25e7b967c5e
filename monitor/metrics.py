"""Metrics: the last result and the histograms of every check, and the state of the monitor itself.

Prometheus reads them as a text, and `monitor/otlp.py` sends the same ones. Names are those of blackbox_exporter where it has
one; the histograms of seconds have the bounds that OpenTelemetry's GenAI conventions give for a client. Every label's values are bounded: ids of the configuration, and the closed
lists of outcomes, failure kinds and phases. Results live here only as long as their check is in the configuration.
The lines of a check are kept until its next result: a scrape of a thousand checks must not hold up the event loop.
Each metric has a row in docs/metrics.md.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from math import inf

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from monitor.clock import Clock, SystemClock
from monitor.model import (
    AgentState,
    Check,
    FailureKind,
    Outcome,
    Result,
    RunRecord,
    Spend,
    Timings,
    Vantage,
)
from monitor.model.rollup import figures_of

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""OpenTelemetry's bounds of `gen_ai.client.operation.duration` and `gen_ai.client.operation.time_to_first_chunk`."""
TOKENS_PER_S = (5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0, 160.0, 240.0, 320.0, 640.0)
_LATE_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_LAG_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
Labels = tuple[tuple[str, str], ...]
CHECK_LABELS = ("service", "endpoint", "probe", "vantage")
"""The labels of a check at a vantage; what comes behind them tells its values apart."""


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
    vantages: tuple[Vantage, ...] = ()
    """The other places of the configuration, whose agents push."""
    silent: Collection[str] = ()
    """Those of them that are not heard, of which nothing is known now."""
    agents: Mapping[str, AgentState] = field(default_factory=dict)
    """What is known of the agents that were heard, by vantage."""
    ingested: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Results of agents, by vantage; those that were refused by reason too."""


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """All metrics at one moment, copied so that another thread may look at them."""

    own: tuple[Metric, ...]
    """Those of the monitor itself."""
    began: datetime
    """Since when those are counted."""
    checks: "tuple[tuple[Labels, _CheckSeries, bool], ...]"
    """The labels of each check at each vantage, its counts, and whether what is now there is known."""

    @property
    def since(self) -> Mapping[Labels, datetime]:
        """Return since when each check is counted, by its labels."""
        return {labels: series.since for labels, series, _ in self.checks}

    def families(self) -> Iterator[Metric]:
        yield from self.own
        for family in _FAMILIES:
            metric = Metric(family.name, family.text, family.type)
            for labels, series, is_known in self.checks:
                for suffix, more, value in family.samples_of(series, is_known=is_known):
                    metric.add_sample(family.name + suffix, dict((*labels, *more)), value)
            yield metric


class Metrics:
    """Collects results and lateness. Use it from one event loop."""

    def __init__(self, clock: Clock | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._clock = clock or SystemClock()
        self._since = self._clock.now()
        self._series: dict[tuple[str, str], _CheckSeries] = {}
        """By check and vantage."""
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

    def due(self, check: str, vantage: str, missed: int) -> None:
        """Count the `missed` runs that were due before this one and did not happen."""
        if missed:
            self._of(check, vantage).miss(missed)

    def ran(self, result: Result) -> None:
        """Count a run of this daemon."""
        self._of(result.check, result.vantage).add(result)
        self._late.observe(result.late_ms / 1000)

    def heard(self, run: RunRecord) -> None:
        """Count a run of an agent. One that comes after newer ones is counted, and is not the last."""
        result = run.result
        series = self._of(result.check, result.vantage)
        series.miss(run.missed)
        series.add(result, is_latest=series.latest is None or result.at >= series.latest.at)

    def lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def report(self, state: MonitorState, accepts: str) -> tuple[bytes, str]:
        """Return the text and its content type, and forget checks that left the configuration."""
        encode, content_type = choose_encoder(accepts)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(_monitor(state)))
        registry.register(_Families(self._own.collect()))
        lines = [
            series.lines(labels, is_known=is_known)
            for labels, series, is_known in self._current(state)
        ]
        is_open = content_type.startswith("application/openmetrics-text")
        text = "".join(
            family.head(is_open=is_open) + "".join([own[number] for own in lines])
            for number, family in enumerate(_FAMILIES)
        )
        return text.encode() + encode(registry), content_type

    def snapshot(self, state: MonitorState) -> MetricsSnapshot:
        """Copy what the text would say, and forget checks that left the configuration."""
        return MetricsSnapshot(
            (*_monitor(state), *self._own.collect()),
            self._since,
            tuple(
                (labels, series.copy(), is_known)
                for labels, series, is_known in self._current(state)
            ),
        )

    def _current(self, state: MonitorState) -> "list[tuple[Labels, _CheckSeries, bool]]":
        """Return the labels and counts of each check, and whether its vantage is heard."""
        for check in state.checks:
            self._of(check.key, state.vantage)
        known = {(check.key, vantage): check for check, vantage in _known(state)}
        self._series = {key: self._series[key] for key in known if key in self._series}
        return [
            (_labels(known[check, vantage], vantage), series, vantage not in state.silent)
            for (check, vantage), series in self._series.items()
        ]

    def _of(self, check: str, vantage: str) -> "_CheckSeries":
        key = check, vantage
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _CheckSeries(self._clock.now())
        return series


def _known(state: MonitorState) -> Iterator[tuple[Check, str]]:
    """Yield every check with each vantage that probes it."""
    for check in state.checks:
        yield check, state.vantage
        for vantage in state.vantages:
            if vantage.probes(check.service):
                yield check, vantage.id


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _Buckets:
    """Counts values at or below each bound, and those above the last."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def copy(self) -> "_Buckets":
        copied = _Buckets(self.bounds)
        copied.counts, copied.total = [*self.counts], self.total
        return copied

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class _CheckSeries:
    """All that is counted of one check at one vantage, and its lines."""

    __slots__ = ("_lines", "failures", "histograms", "latest", "missed", "runs", "since")

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.latest: Result | None = None
        self.runs: Counter[Outcome] = Counter()
        self.failures: Counter[FailureKind] = Counter()
        self.missed = 0
        self.histograms: dict[str, _Buckets] = {}
        """By figure."""
        self._lines: dict[bool, tuple[str, ...]] = {}

    def copy(self) -> "_CheckSeries":
        copied = _CheckSeries(self.since)
        copied.latest, copied.missed = self.latest, self.missed
        copied.runs, copied.failures = self.runs.copy(), self.failures.copy()
        copied.histograms = {figure: counts.copy() for figure, counts in self.histograms.items()}
        return copied

    def miss(self, runs: int) -> None:
        self.missed += runs
        self._lines.clear()

    def add(self, result: Result, *, is_latest: bool = True) -> None:
        if is_latest:
            self.latest = result
        self.runs[result.outcome] += 1
        if result.failure:
            self.failures[result.failure.kind] += 1
        for figure, value in figures_of(result).items():
            bounds = _BOUNDS.get(figure)
            if bounds is not None:
                buckets = self.histograms.setdefault(figure, _Buckets(bounds))
                buckets.add(value if figure == "tokens_per_s" else value / 1000)
        self._lines.clear()

    def lines(self, labels: Labels, *, is_known: bool) -> tuple[str, ...]:
        """Return the lines of each of `_FAMILIES`."""
        lines = self._lines.get(is_known)
        if lines is None:
            own = _text(labels)[1:]
            lines = self._lines[is_known] = tuple(
                family.lines(self, own, is_known=is_known) for family in _FAMILIES
            )
        return lines


_BOUNDS = {"total": SECONDS, "ttft": SECONDS, "tokens_per_s": TOKENS_PER_S}
Sample = tuple[str, Labels, float | None]
"""What follows the name, the labels after the check's, and the value."""


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric of checks. Its lines are the same in both formats; `head` tells them apart."""

    type: str
    name: str
    text: str
    samples: Callable[[_CheckSeries], Iterable[Sample]]

    def head(self, *, is_open: bool) -> str:
        name = f"{self.name}_total" if self.type == "counter" and not is_open else self.name
        return f"# HELP {name} {self.text}\n# TYPE {name} {self.type}\n"

    def samples_of(
        self, series: _CheckSeries, *, is_known: bool
    ) -> Iterator[tuple[str, Labels, float]]:
        """Yield the values that there are; those of the last run only where what is now there `is_known`."""
        if is_known or self.type != "gauge":
            for suffix, more, value in self.samples(series):
                if value is not None:
                    yield suffix, more, value

    def lines(self, series: _CheckSeries, labels: str, *, is_known: bool) -> str:
        return "".join(
            [
                f"{self.name}{suffix}{{{labels}{_text(more)}}} {_number(value)}\n"
                for suffix, more, value in self.samples_of(series, is_known=is_known)
            ]
        )


def _labels(check: Check, vantage: str) -> Labels:
    values = check.service, check.endpoint.id, check.probe.id, vantage
    return tuple(zip(CHECK_LABELS, values, strict=True))


@lru_cache(200)
def _text(labels: Labels) -> str:
    """Write labels, each behind a comma."""
    return "".join([f",{name}={_quoted(value)}" for name, value in labels])


def _quoted(value: str) -> str:
    value = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{value}"'


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _last(name: str, text: str, value: Callable[[Result], float | None]) -> _Family:
    """Make a metric of the last run."""

    def samples(series: _CheckSeries) -> Iterator[Sample]:
        if series.latest is not None:
            yield "", (), value(series.latest)

    return _Family("gauge", name, text, samples)


def _histogram(name: str, text: str, figure: str) -> _Family:
    """Make a metric of every run of a figure, whose bounds are cumulative on the wire."""
    bounds = [(("le", _number(bound)),) for bound in (*_BOUNDS[figure], inf)]

    def samples(series: _CheckSeries) -> Iterator[Sample]:
        buckets = series.histograms.get(figure)
        if buckets is not None:
            upto = [*accumulate(buckets.counts)]
            yield from (("_bucket", le, count) for le, count in zip(bounds, upto, strict=True))
            yield "_sum", (), buckets.total
            yield "_count", (), upto[-1]

    return _Family("histogram", name, text, samples)


def _phases(series: _CheckSeries) -> Iterator[Sample]:
    if series.latest is not None:
        for phase, seconds in _phases_of(series.latest.timings).items():
            yield "", (("phase", phase),), seconds


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


def _balance(series: _CheckSeries) -> Iterator[Sample]:
    if series.latest is not None and (balance := series.latest.balance):
        yield "", (("currency", balance.currency),), balance.amount


def _runs(series: _CheckSeries) -> Iterator[Sample]:
    for outcome in Outcome:
        yield "_total", (("outcome", outcome.value),), series.runs[outcome]


def _failures(series: _CheckSeries) -> Iterator[Sample]:
    for kind, count in sorted(series.failures.items()):
        yield "_total", (("kind", kind.value), ("fault", kind.fault.value)), count


def _missed(series: _CheckSeries) -> Iterator[Sample]:
    yield "_total", (), series.missed


def _success(result: Result) -> float | None:
    if result.outcome is Outcome.UNKNOWN:
        return None
    return 0.0 if result.outcome is Outcome.DOWN else 1.0


def _unix(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


_FAMILIES = (
    _last(
        "probe_success",
        "1 where the last run was up or degraded, 0 where it was down; absent where we cannot say.",
        _success,
    ),
    _last(
        "probe_duration_seconds",
        "How long the last run took, from the request to the end of the answer.",
        lambda result: _seconds(result.timings.total),
    ),
    _last(
        "probe_http_status_code", "HTTP status of the last run.", lambda result: result.http_status
    ),
    _last(
        "probe_ssl_earliest_cert_expiry",
        "When the certificate ends, in unix time.",
        lambda result: _unix(result.cert_expires),
    ),
    _last(
        "probe_time_to_first_token_seconds",
        "From the request to the first text, reasoning, refusal or tool argument of the last run.",
        lambda result: _seconds(result.timings.ttft),
    ),
    _last(
        "probe_tokens_per_second",
        "How fast the last stream generated.",
        lambda result: result.stream.tokens_per_s if result.stream else None,
    ),
    _Family("gauge", "probe_balance", "The money that the last run read, in `currency`.", _balance),
    _last(
        "probe_balance_days",
        "How many days the money lasts at the rate of the last ones.",
        lambda result: result.balance.days_left if result.balance else None,
    ),
    _last(
        "probe_last_run_timestamp_seconds",
        "When the last run asked, in unix time.",
        lambda result: result.at.timestamp(),
    ),
    _Family(
        "gauge",
        "probe_http_duration_seconds",
        "How long each phase of the last run took.",
        _phases,
    ),
    _histogram(
        "probe_run_duration_seconds",
        "How long runs took that were answered, from the request to the end of the answer.",
        "total",
    ),
    _histogram(
        "probe_run_time_to_first_token_seconds",
        "From the request to the first text, reasoning, refusal or tool argument, of runs that were answered.",
        "ttft",
    ),
    _histogram(
        "probe_run_tokens_per_second",
        "How fast streams generated.",
        "tokens_per_s",
    ),
    _Family("counter", "probe_runs", "Runs since the monitor started, by outcome.", _runs),
    _Family(
        "counter",
        "probe_failures",
        "Failed runs since the monitor started, by failure kind.",
        _failures,
    ),
    _Family("counter", "probe_missed_runs", "Runs that were due and did not happen.", _missed),
)


def _monitor(state: MonitorState) -> Iterator[Metric]:
    yield _build(state.version, state.vantage)
    yield _role(is_leader=True)
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
        "monitor_results_dropped",
        "Results given up because the store could not be written for too long.",
    )
    dropped.add_metric((), state.dropped)
    yield dropped
    if state.agents:
        yield from _agents(state)


def standby_report(version: str, vantage: str, accepts: str) -> tuple[bytes, str]:
    """Return what a daemon that waits to take over has to say, and its content type."""
    encode, content_type = choose_encoder(accepts)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([_build(version, vantage), _role(is_leader=False)]))
    return encode(registry), content_type


def _build(version: str, vantage: str) -> Metric:
    which = {"version": version, "vantage": vantage}
    return InfoMetricFamily("monitor_build", "Which monitor this is.", value=which)


def _role(*, is_leader: bool) -> Metric:
    text = "Whether this daemon probes and tells; 0: it is the standby."
    return _gauge("monitor_leader", text, [((), float(is_leader))], ())


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
    labels: tuple[str, ...],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family
