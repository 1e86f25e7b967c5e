"""The only file that knows OpenTelemetry, which is an extra: imported where `otlp` in [monitor] asks for it.

The SDK's exporter sends all metrics at once over HTTP, as protobuf. They are those of /metrics, made from the same table, with its
names, labels and buckets: a collector or Prometheus that takes them holds the same series as one that scrapes. The unit of each is
what its name ends with, so that a receiver which writes units into names adds none.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from monitor.metrics import CHECK_LABELS, Labels, MetricsSnapshot
from monitor.model import OtlpSettings

TIMEOUT_S = 10.0
"""For one push and its repetitions, which the SDK makes after 429, 502, 503 and 504; OpenTelemetry's default."""
_UNITS = {"seconds": "s", "ratio": "1", "days": "d"}
_NOT_KNOWN: Any = None
_ANSWER_BYTES = 4096

logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)  # what fails is told by us, once


class Exporter:
    """Sends metrics to one receiver. It blocks: use it from a thread of its own."""

    def __init__(
        self,
        settings: OtlpSettings,
        version: str,
        vantage: str,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._session = _Session()
        self._exporter = OTLPMetricExporter(
            endpoint=f"{settings.url}/v1/metrics",
            headers={name: value.reveal() for name, value in settings.headers},
            timeout=timeout_s,
            compression=Compression.Gzip,
            session=self._session,
        )
        self._resource = Resource(
            {
                "service.name": "monitor",
                "service.version": version,
                "service.instance.id": vantage,
            }
        )
        self._scope = InstrumentationScope("monitor", version)

    def send(self, snapshot: MetricsSnapshot, at: datetime) -> str | None:
        """Send them, and return why they were not taken, or None."""
        metrics = [*_metrics(snapshot, at)]
        scoped = [sdk.ScopeMetrics(self._scope, metrics, "")]
        data = sdk.MetricsData([sdk.ResourceMetrics(self._resource, scoped, "")])
        taken = self._exporter.export(data) is sdk.MetricExportResult.SUCCESS
        return self._session.take_trouble() or (None if taken else "nothing was sent")


class _Session(requests.Session):
    """Remembers how the last request went, in words of ours: the SDK tells only its log, and quotes what it was sent."""

    _trouble: str | None = None

    def take_trouble(self) -> str | None:
        trouble, self._trouble = self._trouble, None
        return trouble

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            response = super().request(*args, **{**kwargs, "stream": True})
            with response:
                answer = next(response.iter_content(_ANSWER_BYTES), b"")
        except requests.RequestException as error:
            self._trouble = _describe(error)
            raise
        self._trouble = _refusal(response, answer)
        return response


def _describe(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate does not verify"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _refusal(response: requests.Response, answer: bytes) -> str | None:
    """Return why an answer is no success, or None. A redirect is none, though the SDK takes it for one."""
    if response.status_code >= 300:
        return f"HTTP {response.status_code}"
    try:
        partial = ExportMetricsServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return "it answered with something else than OTLP"
    if partial.rejected_data_points:
        return f"{partial.rejected_data_points} values were refused; its log may say why"
    return None


def _metrics(snapshot: MetricsSnapshot, at: datetime) -> Iterator[sdk.Metric]:
    now, began = _nanoseconds(at), _nanoseconds(snapshot.began)
    since = {labels: _nanoseconds(begin) for labels, begin in snapshot.since.items()}
    for family in snapshot.families():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        data: sdk.Gauge | sdk.Sum | sdk.Histogram
        if family.type == "histogram":
            points = [*_histograms(family, since, began, now)]
            data = sdk.Histogram(points, sdk.AggregationTemporality.CUMULATIVE)
        else:
            numbers = [*_numbers(family, since, began, now)]
            if family.type == "counter":
                data = sdk.Sum(numbers, sdk.AggregationTemporality.CUMULATIVE, is_monotonic=True)
            else:
                data = sdk.Gauge(numbers)
        if data.data_points:
            yield sdk.Metric(family.name + suffix, family.documentation, _unit(family.name), data)


def _unit(name: str) -> str:
    return _UNITS.get(name.rsplit("_", 1)[-1], "")


def _numbers(
    family: Metric, since: Mapping[Labels, int], began: int, now: int
) -> Iterator[sdk.NumberDataPoint]:
    for sample in family.samples:
        labels = tuple(sample.labels.items())
        begin = since.get(labels[: len(CHECK_LABELS)], began)
        yield sdk.NumberDataPoint(dict(labels), begin, now, float(sample.value))


def _histograms(
    family: Metric, since: Mapping[Labels, int], began: int, now: int
) -> Iterator[sdk.HistogramDataPoint]:
    """Yield each histogram. A bucket here counts its own values alone; those of Prometheus are cumulative."""
    for labels, samples in groupby(family.samples, _without_bound):
        bounds, upto, total = [], [0], 0.0
        for sample in samples:
            if sample.name.endswith("_bucket"):
                bounds.append(float(sample.labels["le"]))
                upto.append(int(sample.value))
            elif sample.name.endswith("_sum"):
                total = float(sample.value)
        yield sdk.HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=since.get(labels, began),
            time_unix_nano=now,
            count=upto[-1],
            sum=total,
            bucket_counts=[after - before for before, after in pairwise(upto)],
            explicit_bounds=bounds[:-1],  # the last one is infinite, and goes without saying
            min=_NOT_KNOWN,
            max=_NOT_KNOWN,
        )


def _without_bound(sample: Sample) -> Labels:
    return tuple((name, value) for name, value in sample.labels.items() if name != "le")


def _nanoseconds(at: datetime) -> int:
    """Return unix time."""
    return round(at.timestamp() * 1e6) * 1000
