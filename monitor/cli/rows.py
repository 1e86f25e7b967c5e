"""Runs and periods as flat rows for CSV, and as documents for JSON."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.model import TIMING_NAMES, Evidence, Outcome, Period, Result, Rollup
from monitor.model.result_json import run_document

Document = dict[str, Any]

_FIGURES = (*TIMING_NAMES, "tokens_per_s")
_HOUR = timedelta(hours=1)
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_FORMULA = re.compile(r"[=+\-@\t\r]")


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run(result: Result, evidence: Evidence | None = None) -> Document:
    found = {"check": result.check, "vantage": result.vantage, **run_document(result)}
    return found | {"evidence": evidence_document(evidence)} if evidence else found


def evidence_document(evidence: Evidence) -> Document:
    return {
        "headers": [list(pair) for pair in evidence.headers],
        "body": evidence.body,
        "events": [list(event) for event in evidence.events],
        "note": evidence.note,
    }


def period(found: Period) -> Document:
    return {
        "check": found.check,
        "vantage": found.vantage,
        "at": utc(found.at),
        "hours": (found.resolution.end(found.at) - found.at) // _HOUR,
        **rollup(found.rollup),
    }


def rollup(found: Rollup) -> Document:
    return {
        "availability": found.availability,
        "excluded": found.excluded,
        "outcomes": {each.value: found.outcomes.get(each.value, 0) for each in Outcome},
        "maintenance": found.maintenance,
        "late": found.late,
        "missed": found.missed,
        "failures": by_count(found.kinds),
        "figures": {name: _quantiles(found, name) for name in _FIGURES if found.figures.get(name)},
        "tokens_in": found.tokens_in,
        "tokens_out": found.tokens_out,
        "cost": found.cost,
    }


def by_count(kinds: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])))


def _quantiles(found: Rollup, figure: str) -> Document:
    values = {name: found.quantile(figure, q) for name, q in _QUANTILES.items()}
    return {name: None if value is None else round(value, 1) for name, value in values.items()}


def flat_run(result: Result) -> Document:
    failure, stream, usage = result.failure, result.stream, result.usage
    return {
        "check": result.check,
        "vantage": result.vantage,
        "at": utc(result.at),
        "outcome": result.outcome.value,
        "kind": failure.kind.value if failure else None,
        "fault": failure.fault.value if failure else None,
        "message": failure.message if failure else None,
        **{f"{name}_ms": getattr(result.timings, name) for name in TIMING_NAMES},
        "http_status": result.http_status,
        "remote_ip": result.remote_ip,
        "model": result.model,
        "tokens_per_s": stream.tokens_per_s if stream else None,
        "stall_max_ms": stream.stall_max_ms if stream else None,
        "tokens_in": usage.tokens_in if usage else None,
        "tokens_out": usage.tokens_out if usage else None,
        "cost": usage.cost_usd if usage else None,
    }


def flat_period(found: Period) -> Document:
    whole = period(found)
    figures = whole.pop("figures")
    return {
        **{name: whole[name] for name in ("check", "vantage", "at", "hours", "availability", "excluded")},
        **whole["outcomes"],
        **{name: whole[name] for name in ("maintenance", "late", "missed")},
        "failures": " ".join(f"{kind}:{count}" for kind, count in whole["failures"].items()),
        **{
            f"{name}{'' if name == 'tokens_per_s' else '_ms'}_{q}": figures.get(name, {}).get(q)
            for name in _FIGURES for q in _QUANTILES
        },
        **{name: whole[name] for name in ("tokens_in", "tokens_out", "cost")},
    }  # fmt: skip


def cell(value: object) -> object:
    """For CSV: numbers short, and no text that a spreadsheet would take for a formula."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value
