"""Runs and periods as flat rows for CSV, and as documents for JSON."""

import csv
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from monitor.cli.console import iso_time
from monitor.cli.time_range import Granularity
from monitor.model import (
    TIMING_NAMES,
    Evidence,
    Outcome,
    Period,
    Resolution,
    Result,
    Rollup,
)
from monitor.model.result_json import run_document
from monitor.model.rollup import QUANTILES
from monitor.model.secret import printable

Document = dict[str, Any]
Row = Result | Period

_FIGURES = (*TIMING_NAMES, "tokens_per_s")
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = re.compile(r"[=+\-@\t\r]")


def result_row(result: Result, evidence: Evidence | None = None) -> Document:
    row = {"check": result.check, "vantage": result.vantage, **run_document(result)}
    return row | {"evidence": evidence_document(evidence)} if evidence else row


def evidence_document(evidence: Evidence) -> Document:
    return {
        "headers": [list(pair) for pair in evidence.headers],
        "body": evidence.body,
        "events": [list(event) for event in evidence.events],
        "note": evidence.note,
    }


def period_row(period: Period) -> Document:
    return {
        "check": period.check,
        "vantage": period.vantage,
        "at": iso_time(period.at, "milliseconds"),
        "hours": (period.resolution.end(period.at) - period.at) // _HOUR,
        **rollup_document(period.rollup),
    }


def rollup_document(rollup: Rollup) -> Document:
    return {
        "availability": rollup.availability,
        "excluded": rollup.excluded,
        "outcomes": {outcome.value: rollup.outcomes.get(outcome.value, 0) for outcome in Outcome},
        "maintenance": rollup.maintenance,
        "late": rollup.late,
        "missed": rollup.missed,
        "failures": by_count(rollup.kinds),
        "figures": {name: rounded(rollup, name) for name in _FIGURES if rollup.figures.get(name)},
        "tokens_in": rollup.tokens_in,
        "tokens_out": rollup.tokens_out,
        "cost": rollup.cost,
    }


def by_count(kinds: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0])))


def rounded(rollup: Rollup, figure: str) -> dict[str, float | None]:
    """Return the quantiles of a figure by their names, as programs read them."""
    values = rollup.quantiles(figure)
    return {name: None if value is None else round(value, 1) for name, value in values.items()}


def write_csv(out: TextIO, rows: Iterable[Row], granularity: Granularity) -> int:
    """Write a heading and the rows, and return how many rows there were."""
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(_flat(_empty_row(granularity)))
    for row in rows:
        writer.writerow(map(csv_cell, _flat(row).values()))
        count += 1
    return count


def _empty_row(granularity: Granularity) -> Row:
    """Return a row whose names head the file, also where no row follows."""
    if granularity.resolution is None:
        return Result(check="", vantage="", at=_EPOCH, outcome=Outcome.UNKNOWN)
    return Period(check="", vantage="", at=_EPOCH, resolution=Resolution.HOUR, rollup=Rollup())


def _flat(row: Row) -> Document:
    return _flat_result(row) if isinstance(row, Result) else _flat_period(row)


def _flat_result(result: Result) -> Document:
    failure, stream, usage = result.failure, result.stream, result.usage
    return {
        "check": result.check,
        "vantage": result.vantage,
        "at": iso_time(result.at, "milliseconds"),
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


def _flat_period(period: Period) -> Document:
    document = period_row(period)
    figures = document.pop("figures")
    outcomes, failures = document.pop("outcomes"), document.pop("failures")
    names = ("check", "vantage", "at", "hours", "availability", "excluded")
    return {
        **{name: document[name] for name in names},
        **outcomes,
        **{name: document[name] for name in ("maintenance", "late", "missed")},
        "failures": " ".join(f"{kind}:{count}" for kind, count in failures.items()),
        **{
            f"{name}{'' if name == 'tokens_per_s' else '_ms'}_{q}": figures.get(name, {}).get(q)
            for name in _FIGURES
            for q in QUANTILES
        },
        **{name: document[name] for name in ("tokens_in", "tokens_out", "cost")},
    }


def csv_cell(value: object) -> object:
    """Shorten numbers, quote text that a spreadsheet would take for a formula, drop control characters."""
    if isinstance(value, float):
        return round(value, 6)
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text
