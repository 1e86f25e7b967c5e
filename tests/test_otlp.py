"""What an OpenTelemetry receiver gets, as OpenTelemetry's own protobuf reads it: the same as /metrics says."""

import asyncio
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cast import HandClock, until
from listening import free_port
from metrics_cast import AT, DOWN, FROM_CN, GOOD, READING, WITH_CN, check, exposed, samples
from receiver import Receiver, receiving

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.daemon.metrics_push import NOTE, MetricsPush
from monitor.metrics import Metrics, MonitorState
from monitor.model import Balance, ConfigError, OtlpSettings, RunRecord, Secret
from monitor.store import Store

pytest.importorskip("opentelemetry.sdk", reason="needs the extra monitor[otlp]")
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from monitor.otlp import Exporter

Key = tuple[str, tuple[tuple[str, str], ...]]
STARTED = AT - timedelta(hours=1)


def decoded(body: bytes) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest.FromString(body)


def attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}


def in_prometheus_form(request: ExportMetricsServiceRequest) -> dict[Key, float]:
    """Every value as Prometheus's text has it, where the buckets of a histogram are cumulative."""
    return {
        (name, tuple(sorted(labels.items()))): value
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for name, labels, value in values_of(metric)
    }


def values_of(metric: Any) -> Iterator[tuple[str, dict[str, str], float]]:
    for point in (*metric.gauge.data_points, *metric.sum.data_points):
        yield metric.name, attributes(point.attributes), point.as_double
    for point in metric.histogram.data_points:
        labels = attributes(point.attributes)
        bounds = [*map(str, point.explicit_bounds), "+Inf"]
        for le, count in zip(bounds, accumulate(point.bucket_counts), strict=True):
            yield f"{metric.name}_bucket", {**labels, "le": le}, count
        yield f"{metric.name}_sum", labels, point.sum
        yield f"{metric.name}_count", labels, point.count


@pytest.fixture
def metrics() -> Metrics:
    """What can be counted: every kind of metric has a value."""
    clock = HandClock(STARTED)
    made = Metrics(clock)
    clock.wall = AT
    made.due("s/a/chat", "here", 0)
    made.ran(replace(GOOD, balance=Balance(amount=3.5, currency='a"}\n\\', days_left=2.0)))
    made.due("s/b/chat", "here", 3)
    made.ran(DOWN)
    made.heard(RunRecord(result=FROM_CN, kind="chat", missed=2))
    made.lagged(0.002)
    return made


async def pushed(metrics: Metrics, state: MonitorState) -> ExportMetricsServiceRequest:
    async with receiving() as receiver:
        exporter = Exporter(settings(receiver), "0.1.0", "here")
        trouble = await asyncio.to_thread(exporter.send, metrics.snapshot(state), AT)
        assert trouble is None
        ((path, headers, body),) = receiver.requests
    assert path == "/v1/metrics"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["content-encoding"] == "gzip"  # the server has undone it
    assert headers["authorization"] == "Bearer of-nobody"
    return decoded(body)


def settings(receiver: Receiver) -> OtlpSettings:
    return OtlpSettings(url=receiver.url, headers=(("Authorization", Secret("Bearer of-nobody")),))


@pytest.mark.parametrize(
    "state", [READING, WITH_CN, replace(WITH_CN, silent={"cn"}), replace(READING, trouble="full")]
)
async def test_a_receiver_gets_what_a_scrape_gets_with_the_same_names_labels_and_buckets(
    metrics: Metrics, state: MonitorState
) -> None:
    request = await pushed(metrics, state)
    scraped = samples(exposed(metrics, state))
    assert in_prometheus_form(request) == scraped
    assert len(scraped) > 100


async def test_units_kinds_and_times_are_said_as_opentelemetry_has_them(metrics: Metrics) -> None:
    request = await pushed(metrics, WITH_CN)
    (resource,) = request.resource_metrics
    assert attributes(resource.resource.attributes) == {
        "service.name": "monitor",
        "service.version": "0.1.0",
        "service.instance.id": "here",
    }
    by_name = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    assert {name: metric.unit for name, metric in by_name.items() if metric.unit} == {
        "monitor_agent_oldest_seconds": "s",
        "monitor_budget_used_ratio": "1",
        "monitor_loop_lag_seconds": "s",
        "monitor_schedule_lateness_seconds": "s",
        "monitor_vantage_clock_offset_seconds": "s",
        "monitor_vantage_heard_timestamp_seconds": "s",
        "probe_balance_days": "d",
        "probe_duration_seconds": "s",
        "probe_http_duration_seconds": "s",
        "probe_last_run_timestamp_seconds": "s",
        "probe_run_duration_seconds": "s",
        "probe_run_time_to_first_token_seconds": "s",
        "probe_time_to_first_token_seconds": "s",
    }
    assert all(metric.description for metric in by_name.values())
    runs = by_name["probe_runs_total"].sum
    assert (runs.is_monotonic, runs.aggregation_temporality) == (True, 2)  # cumulative
    (duration, *_) = by_name["probe_run_duration_seconds"].histogram.data_points
    assert not duration.HasField("min")  # nobody knows it, and 0 would be a value
    assert (duration.start_time_unix_nano, duration.time_unix_nano) == (nano(0), nano(0))
    (lag,) = by_name["monitor_loop_lag_seconds"].histogram.data_points
    assert (lag.start_time_unix_nano, lag.time_unix_nano) == (nano(-3600), nano(0))


def nano(seconds: int) -> int:
    return (round(AT.timestamp()) + seconds) * 10**9


def partly() -> bytes:
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 7
    answer.partial_success.error_message = "of-nobody is too old"
    return answer.SerializeToString()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (web.Response(status=401, text="of-nobody is not known"), "HTTP 401"),
        (web.Response(status=404), "HTTP 404"),
        (web.Response(status=307, headers={"Location": "http://127.0.0.1:9"}), "HTTP 307"),
        (web.Response(status=503, headers={"Retry-After": "60"}), "HTTP 503"),
        (web.Response(text="<html>welcome"), "it answered with something else than OTLP"),
        (web.Response(body=partly()), "7 values were refused; its log may say why"),
    ],
)
async def test_what_a_receiver_does_not_take_is_told_in_a_few_words_and_no_others_of_its_own(
    metrics: Metrics, answer: web.Response, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving() as receiver:
        receiver.answers = [answer]
        exporter = Exporter(settings(receiver), "0.1.0", "here")
        snapshot = metrics.snapshot(READING)
        assert await asyncio.to_thread(exporter.send, snapshot, AT) == told
        assert await asyncio.to_thread(exporter.send, snapshot, AT) is None, "the next is taken"
    assert caplog.text == ""


async def test_a_receiver_that_is_not_there_and_one_that_hangs_are_told(metrics: Metrics) -> None:
    snapshot = metrics.snapshot(READING)
    gone = Exporter(OtlpSettings(url="http://127.0.0.1:9"), "0.1.0", "here", timeout_s=0.5)
    assert await asyncio.to_thread(gone.send, snapshot, AT) == "no connection"
    async with hanging() as url:
        slow = Exporter(OtlpSettings(url=url), "0.1.0", "here", timeout_s=0.5)
        assert await asyncio.to_thread(slow.send, snapshot, AT) == "no answer in time"


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """A server that takes connections and says nothing."""
    open_ones = []

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        await asyncio.sleep(60)

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()


@dataclass
class Pushing:
    """The loop's part with a receiver, and what it told the store."""

    receiver: Receiver
    notes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    settings: OtlpSettings | None = None
    clock: HandClock = field(default_factory=lambda: HandClock(AT))

    def start(self, metrics: Metrics, **more: Any) -> MetricsPush:
        self.settings = settings(self.receiver)
        return MetricsPush(
            lambda: self.settings,
            lambda: metrics.snapshot(READING),
            "here",
            clock=self.clock,
            report=self.note,
            **more,
        )

    async def note(self, name: str, text: str) -> None:
        self.notes.append((name, json.loads(text)))


async def test_trouble_is_told_once_until_it_changes_or_is_over(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with receiving() as receiver:
        pushing = Pushing(receiver)
        push = pushing.start(metrics)
        receiver.answers = [web.Response(status=status) for status in (401, 401, 403)]
        for _ in range(5):
            await push.push()
    assert len(receiver.requests) == 5
    assert [record.getMessage() for record in caplog.records] == [
        'event=metrics_not_taken why="HTTP 401"',
        'event=metrics_not_taken why="HTTP 403"',
        "event=metrics_taken",
    ]
    assert [(name, note["trouble"]) for name, note in pushing.notes] == [
        (NOTE, "HTTP 401"),
        (NOTE, "HTTP 403"),
        (NOTE, ""),
    ]


async def test_one_that_hangs_holds_nothing_up_and_has_one_thread(metrics: Metrics) -> None:
    async with receiving() as receiver, hanging() as url:
        pushing = Pushing(receiver)
        push = pushing.start(metrics, patience=timedelta(seconds=0.2))
        pushing.settings = OtlpSettings(url=url)
        began = time.monotonic()
        for _ in range(3):
            await push.push()
        assert time.monotonic() - began < 5
    assert [note["trouble"] for _, note in pushing.notes] == ["no answer in time"]
    assert sum(thread.name == "metrics_push" for thread in _threads()) == 1


def _threads() -> list[Any]:
    import threading

    return threading.enumerate()


async def test_without_settings_nothing_is_sent_and_another_receiver_is_taken_at_once(
    metrics: Metrics,
) -> None:
    async with receiving() as first, receiving() as second:
        pushing = Pushing(first)
        push = pushing.start(metrics)
        await push.push()
        pushing.settings = None
        await push.push()
        pushing.settings = settings(second)
        await push.push()
        assert (len(first.requests), len(second.requests)) == (1, 1)


CONFIG = """
[monitor]
listen = ""
{otlp}
[service.s]
endpoints = {{ x = "http://127.0.0.1:9" }}
probes = {{ http = "1s" }}
"""


async def test_a_daemon_pushes_and_status_says_when_nobody_takes_it(tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    async with receiving() as receiver:
        otlp = f'otlp = {{ url = "{receiver.url}/v1/metrics", headers = {{ X-Key = "${{OTLP_KEY}}" }} }}'
        config.write_text(CONFIG.format(otlp=otlp))
        receiver.answers = [web.Response(status=403)]
        env = {"OTLP_KEY": "of-nobody"}
        daemon = Daemon(load(config, env), env=env)
        running = asyncio.create_task(daemon.run())
        await until(lambda: receiver.requests)
        await until(lambda: '"HTTP 403"' in (daemon_note(daemon) or ""))
        said = await asyncio.to_thread(status, tmp_path)
        document = json.loads(await asyncio.to_thread(status, tmp_path, "--json"))
        daemon.stop.set()
        await asyncio.wait_for(running, 30)
        _, headers, body = receiver.requests[0]
    assert headers["x-key"] == "of-nobody"
    assert ("monitor_checks", ()) in in_prometheus_form(decoded(body))
    assert "The metrics have not been taken since 20" in said
    assert ": HTTP 403" in said
    assert document["otlp"]["trouble"] == "HTTP 403"
    assert document["daemon"]["trouble"] is None
    assert document["checks"][0]["latest"]["outcome"] == "down", "it probes"


def daemon_note(daemon: Daemon) -> str | None:
    reader = Store.read_only(daemon.deps.config.store)
    try:
        return reader.note(NOTE)
    finally:
        reader.close()


def status(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).parent / "monitor", "status", *options],
        cwd=folder,
        env={"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_without_the_extra_the_key_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(CONFIG.format(otlp='otlp = "http://127.0.0.1:4318"'))
    assert load(config, {}).otlp == OtlpSettings(url="http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(ConfigError) as refused:
        load(config, {})
    assert f'run: {sys.executable} -m pip install "monitor[otlp]"' in str(refused.value)


def test_a_daemon_that_pushes_nothing_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text(CONFIG.format(otlp='metrics = "127.0.0.1:0"'))
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from monitor.config import load\n"
        "from monitor.daemon.app import Daemon\n"
        "async def live():\n"
        "    daemon = Daemon(load(Path('monitor.toml'), {}))\n"
        "    asyncio.get_running_loop().call_later(2, daemon.stop.set)\n"
        "    await daemon.run()\n"
        "asyncio.run(live())\n"
        "own = ('opentelemetry', 'google', 'monitor.otlp')\n"
        "print([name for name in sys.modules if name.startswith(own)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_thousand_streams_are_copied_in_less_than_a_lag_that_counts() -> None:
    metrics = Metrics()
    many = replace(READING, checks=tuple(check(f"endpoint-{number}") for number in range(1000)))
    for one in many.checks:
        metrics.ran(replace(GOOD, check=one.key))
    took = []
    for _ in range(3):
        begin = time.thread_time()
        snapshot = metrics.snapshot(many)
        took.append(time.thread_time() - begin)
    assert min(took) < 0.05
    assert sum(len(family.samples) for family in snapshot.families()) > 60_000


def prometheus_takes_otlp() -> bool:
    if shutil.which("prometheus") is None:
        return False
    said = subprocess.run(["prometheus", "--help"], capture_output=True, text=True, check=False)
    return "web.enable-otlp-receiver" in said.stdout + said.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not prometheus_takes_otlp(),
    reason="needs a Prometheus with --web.enable-otlp-receiver, 3.0 or newer; Debian 12 has 2.42",
)
async def test_a_real_prometheus_holds_the_same_series_as_one_that_scrapes(
    metrics: Metrics, tmp_path: Path
) -> None:
    port, at = free_port(), SystemClock().now()
    (tmp_path / "prometheus.yml").write_text("")
    command = [
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
    ]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await until(lambda: "ready to receive" in (tmp_path / "log").read_text(), 60)
        exporter = Exporter(OtlpSettings(url=f"{url}/api/v1/otlp"), "0.1.0", "here")
        snapshot = metrics.snapshot(WITH_CN)
        assert await asyncio.to_thread(exporter.send, snapshot, at) is None
        async with aiohttp.ClientSession() as session:
            query = {"query": '{__name__=~"(probe|monitor)_.+"}'}
            async with session.get(f"{url}/api/v1/query", params=query) as response:
                series = (await response.json())["data"]["result"]
    finally:
        running.terminate()
        running.wait(30)
    assert {(one["metric"].pop("job"), one["metric"].pop("instance")) for one in series} == {
        ("monitor", "here")
    }
    held = {
        (one["metric"].pop("__name__"), tuple(sorted(one["metric"].items()))): float(
            one["value"][1]
        )
        for one in series
    }
    scraped = samples(exposed(metrics, WITH_CN))
    assert {as_held(key) for key in held} == {as_held(key) for key in scraped}
    assert sorted(held.values()) == sorted(scraped.values())


def as_held(key: Key) -> Key:
    """Prometheus writes `le="1"`, the text `le="1.0"`; an empty label is none for it, also where it scrapes."""
    name, labels = key
    return name, tuple(
        (label, str(float(value)) if label == "le" else value) for label, value in labels if value
    )
