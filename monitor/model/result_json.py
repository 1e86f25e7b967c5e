"""A result as the JSON of `monitor once --json`: the contract's shape, key by key."""

from typing import Any

from monitor.model.check import Check
from monitor.model.failure import Failure
from monitor.model.result import TIMING_NAMES, Result, Stream, Usage

Document = dict[str, Any]


def result_document(check: Check, result: Result) -> Document:
    return {
        "check": check.key,
        "service": check.service,
        "endpoint": check.endpoint.id,
        "probe": check.probe.id,
        "kind": check.probe.kind,
        **run_document(result),
    }


def run_document(result: Result) -> Document:
    """Return what does not depend on the configuration of today."""
    return {
        "at": result.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": result.outcome.value,
        "failure": result.failure and failure_document(result.failure),
        "timings_ms": {name: _short(getattr(result.timings, name)) for name in TIMING_NAMES},
        "http_status": result.http_status,
        "remote_ip": result.remote_ip,
        "model": result.model,
        "stream": result.stream and _stream(result.stream),
        "usage": result.usage and _usage(result.usage),
    }


def failure_document(failure: Failure) -> Document:
    return {
        "kind": failure.kind.value,
        "fault": failure.fault.value,
        "message": failure.message,
    }


def _stream(stream: Stream) -> Document:
    return {
        "events": stream.events,
        "content_chunks": stream.content_chunks,
        "tokens_out": stream.tokens_out,
        "tokens_per_s": _short(stream.tokens_per_s),
        "stall_max_ms": _short(stream.stall_max_ms),
        "icl_p50_ms": _short(stream.icl_p50_ms),
        "icl_p95_ms": _short(stream.icl_p95_ms),
        "finish_reason": stream.finish_reason,
        "complete": stream.complete,
    }


def _usage(usage: Usage) -> Document:
    return {
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "cost_usd": usage.cost_usd,
    }


def _short(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)
