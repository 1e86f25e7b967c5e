"""The documents of the wire, version 1: a batch of whole results, as JSON, both ways.

What comes in is a stranger's: every value is checked for its type and range before it becomes a noun, texts
are cut and cleaned, unknown keys are ignored. Times are unix milliseconds, durations milliseconds.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from monitor.model import (
    TIMING_NAMES,
    Evidence,
    Failure,
    FailureKind,
    Outcome,
    Result,
    RunRecord,
    Spend,
    Stream,
    Timings,
    Usage,
    clean_text,
)
from monitor.model.dealing import deal_text, read_deal

VERSION = 1
MOST_RESULTS = 5_000
"""Results of one batch."""
MOST_VALUES = 250_000
"""Values of one batch, also in keys that nobody knows: decoded, a value of few bytes takes up to a hundred."""
MOST_EVIDENCE = 4096
"""Bytes of a result's evidence as JSON."""
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_MS = 1e9
"""Eleven days: no run takes longer."""
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, at which certificates without an end end."""
_MOST = 1 << 53
_KINDS = frozenset(kind.value for kind in FailureKind)
Document = dict[str, Any]


class WireError(ValueError):
    """Says what of a document cannot be taken."""


class TooManyValuesError(WireError):
    """Says that a document would take far more memory than its bytes."""


class NewerWireError(WireError):
    """Says that a batch is of a version of the wire that only a newer hub speaks."""


class UnknownKindError(WireError):
    """Says that a result names a failure kind that only a newer monitor knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRun:
    """One result as it travels: what a check's run found, without what the hub knows better."""

    result: Result
    evidence: Evidence | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One request of an agent. `runs` are numbered in rising order."""

    runs: tuple[tuple[int, SentRun], ...] = ()
    config: str = ""
    """The tag of the configuration by which the agent probes."""
    deal: str | None = None
    """Which checks of its place it runs, as `dealing.deal_text` writes it; None: all."""
    version: str = ""
    blind: bool = False
    """Its own network failed, so that it cannot tell."""
    offset_ms: int | None = None
    """How far the hub's clock is ahead of the agent's."""
    buffered: int = 0
    dropped: int = 0
    """Results that the agent gave up because its buffer was full, in all."""
    refused: int = 0
    """Results that the agent gave up because the hub refused them, in all."""
    spend: Mapping[tuple[date, str], Spend] = field(default_factory=dict)
    """What the agent spent on a UTC day, by day and service, in all."""
    unknown: int = 0
    """Results of this batch that were left out: of a failure kind that this monitor does not know."""


# --- out ------------------------------------------------------------------------------------------


def run_document(run: SentRun) -> Document:
    """Return the whole result; what is not there is left out."""
    result = run.result
    document = {
        "check": result.check,
        "at": _millis(result.at),
        "outcome": result.outcome.value,
        "kind": result.failure and result.failure.kind.value,
        "why": result.failure and result.failure.message,
        "timings": _present(result.timings) or None,
        "status": result.http_status,
        "ip": result.remote_ip,
        "model": result.model,
        "stream": result.stream and _present(result.stream),
        "usage": result.usage and _present(result.usage),
        "cert_expires": None if result.cert_expires is None else _millis(result.cert_expires),
        "cert_lifetime": None if result.cert_lifetime is None else result.cert_lifetime // _MS,
        "retry_after": None if result.retry_after is None else result.retry_after // _MS,
        "late": min(result.late_ms, _LONGEST_MS) or None,
        "untrusted": not result.trusted_timings or None,
        "promise_kept": result.promise_kept,
        "missed": run.missed or None,
        "evidence": run.evidence and _evidence_document(run.evidence),
    }
    return {name: value for name, value in document.items() if value is not None}


def encode_run(run: SentRun) -> bytes:
    """Return a run as it waits in the agent's buffer and travels."""
    return _dumps(run_document(run))


def _dumps(document: Document) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def encode_batch(batch: Batch, runs: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the body of a request: what `batch` says beside its runs, and runs as `encode_run` made them."""
    head: Document = {
        "v": VERSION,
        "config": batch.config,
        "version": batch.version,
        "blind": batch.blind,
        "offset_ms": batch.offset_ms,
        "buffered": batch.buffered,
        "dropped": batch.dropped,
        "refused": batch.refused,
        "spend": [
            [day.isoformat(), service, spend.tokens, spend.money]
            for (day, service), spend in sorted(batch.spend.items())
        ],
    }
    results = b",".join(b"[%d,%b]" % pair for pair in runs)
    if batch.deal is not None:
        head["deal"] = batch.deal
    return _dumps(head)[:-1] + b',"results":[' + results + b"]}"


def with_deal(document: bytes, agent: str, deal: str) -> bytes:
    """Return the configuration of an agent that shares the checks of its place: all of them, and which are its own."""
    return document[:-1] + b',"deal":' + _dumps({"agent": agent, "among": deal}) + b"}"


def moved(body: bytes, by_ms: int) -> bytes:
    """Return an encoded run that began `by_ms` later."""
    document = json.loads(body)
    return _dumps({**document, "at": max(0, document["at"] + by_ms)})


def _present(value: Any) -> Document:
    """Return the fields of a dataclass that differ from their defaults."""
    present = {one_field.name: getattr(value, one_field.name) for one_field in fields(value)}
    return {
        one_field.name: present[one_field.name]
        for one_field in fields(value)
        if present[one_field.name] != one_field.default
        and not _is_no_number(present[one_field.name])
    }


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _evidence_document(evidence: Evidence) -> Document:
    """Cut to `MOST_EVIDENCE`: the events go first, then headers from the last one, then the body's end."""
    events, headers, body, note = evidence.events, evidence.headers, evidence.body, evidence.note
    while True:
        document = {"note": note, "headers": headers, "body": body, "events": events}
        document = {name: value for name, value in document.items() if value}
        over = len(json.dumps(document).encode()) - MOST_EVIDENCE
        if over <= 0:
            return document
        if events:
            events = events[: len(events) // 2]
        elif headers:
            headers = headers[: len(headers) // 2]
        elif body:
            body = body[: max(0, len(body) - max(over // 6, 1))]
        else:
            note = note[: len(note) // 2]


def _millis(at: datetime) -> int:
    return (at - _EPOCH) // _MS


# --- in -------------------------------------------------------------------------------------------


def decode_batch(body: bytes, *, vantage: str, first: int, last: int) -> Batch:
    """Return what an agent sent. Raises WireError, whose text quotes nothing of it."""
    document = _object(_loads(body), "the body")
    version = _integer(document, "v", 1, _MOST)
    if version is None:
        raise WireError("want `v`, the version of the wire")
    if version > VERSION:
        raise NewerWireError(f"this hub speaks version {VERSION} of the wire; update the hub")
    pairs = document.get("results", [])
    if not isinstance(pairs, list):
        raise WireError("want `results` as a list")
    if len(pairs) > MOST_RESULTS:
        raise WireError(f"want at most {MOST_RESULTS} results")
    runs, unknown, before = [], 0, first - 1
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and _is_integer(pair[0])):
            raise WireError("want each result as [number, {...}]")
        if not before < pair[0] <= last:
            raise WireError(
                "want results numbered in rising order, within the numbers of the headers"
            )
        before = pair[0]
        try:
            runs.append((before, decode_run(pair[1], vantage)))
        except UnknownKindError:
            unknown += 1
    return Batch(
        runs=tuple(runs),
        config=_text(document, "config", 80) or "",
        deal=_deal(document),
        version=_text(document, "version", 40) or "",
        blind=_flag(document, "blind"),
        offset_ms=_integer(document, "offset_ms", -_MOST, _MOST),
        buffered=_integer(document, "buffered", 0, _MOST) or 0,
        dropped=_integer(document, "dropped", 0, _MOST) or 0,
        refused=_integer(document, "refused", 0, _MOST) or 0,
        spend=_spend(document.get("spend")),
        unknown=unknown,
    )


def decode_run(value: Any, vantage: str) -> SentRun:
    """Return the run of a document, as seen from `vantage`. Raises WireError."""
    document = _object(value, "a result")
    check, at = _text(document, "check", 200), _integer(document, "at", 0, _LAST_MS)
    if not check or at is None:
        raise WireError("a result lacks `check` or `at`")
    failure = _failure(document)
    outcome = failure.outcome if failure else Outcome.UP
    if document.get("outcome") != outcome.value:
        raise WireError("a result's outcome is not that of its failure")
    expires = _integer(document, "cert_expires", -_LAST_MS // 8, _LAST_MS)
    result = Result(
        check=check,
        vantage=vantage,
        at=_EPOCH + at * _MS,
        outcome=outcome,
        failure=failure,
        timings=_timings(document.get("timings", {})),
        http_status=_integer(document, "status", 0, 999),
        remote_ip=_text(document, "ip", 120),
        model=_text(document, "model", 120),
        stream=_stream(document["stream"]) if document.get("stream") is not None else None,
        usage=_usage(document["usage"]) if document.get("usage") is not None else None,
        cert_expires=None if expires is None else _EPOCH + expires * _MS,
        cert_lifetime=_duration(document, "cert_lifetime"),
        retry_after=_duration(document, "retry_after"),
        late_ms=_number(document, "late", _LONGEST_MS) or 0.0,
        trusted_timings=not _flag(document, "untrusted"),
        promise_kept=_promise_kept(document, failure),
    )
    evidence = document.get("evidence")
    return SentRun(
        result=result,
        evidence=None if evidence is None else _evidence(evidence),
        missed=_integer(document, "missed", 0, _MOST) or 0,
    )


def _promise_kept(document: Document, failure: Failure | None) -> bool | None:
    if "promise_kept" not in document:
        return None
    is_kept = _flag(document, "promise_kept")
    if is_kept is (failure is not None):
        raise WireError("`promise_kept` of a result is not what its failure says")
    return is_kept


def shifted(run: SentRun, at: datetime, *, trusted: bool) -> SentRun:
    """Return the run as if it had begun at `at`."""
    result = replace(run.result, at=at, trusted_timings=run.result.trusted_timings and trusted)
    return replace(run, result=result)


def record(run: SentRun, kind: str, *, in_maintenance: bool) -> RunRecord:
    """Return what the store keeps of a run: the hub says its probe kind, and whether work was announced."""
    return RunRecord(
        result=run.result,
        kind=kind,
        in_maintenance=in_maintenance,
        evidence=run.evidence,
        missed=run.missed,
    )


def _loads(body: bytes) -> Any:
    def refuse(_: str) -> None:
        raise WireError("want no NaN and no infinity")

    # Each value but the first follows a comma, or a bracket; those within texts count too.
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise TooManyValuesError(f"want at most {MOST_VALUES} values")
    try:
        return json.loads(body, parse_constant=refuse)
    except WireError:
        raise
    except (ValueError, RecursionError):
        raise WireError("want JSON") from None


def _object(value: Any, what: str) -> Document:
    if not isinstance(value, dict):
        raise WireError(f"want {what} as an object")
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(document: Document, name: str, least: int, most: int) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if not (_is_integer(value) and least <= value <= most):
        raise WireError(f"want `{name}` as a whole number in its range")
    return int(value)


def _number(document: Document, name: str, most: float) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= most):  # NaN is in no range
        raise WireError(f"want `{name}` as a number in its range")
    return float(value)


def _flag(document: Document, name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise WireError(f"want `{name}` as true or false")
    return value


def _text(document: Document, name: str, longest: int) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise WireError(f"want `{name}` as text")
    return clean_text(value, longest)


def _duration(document: Document, name: str) -> timedelta | None:
    value = _integer(document, name, 0, _LAST_MS)
    return None if value is None else value * _MS


def _failure(document: Document) -> Failure | None:
    kind = _text(document, "kind", 60)
    if kind is None:
        return None
    if kind not in _KINDS:
        raise UnknownKindError("a failure kind that this hub does not know")
    return Failure(FailureKind(kind), _text(document, "why", 500) or "")


def _timings(value: Any) -> Timings:
    document = _object(value, "`timings`")
    return Timings(**{name: _number(document, name, _LONGEST_MS) for name in TIMING_NAMES})


def _stream(value: Any) -> Stream:
    document = _object(value, "`stream`")
    return Stream(
        events=_integer(document, "events", 0, _MOST) or 0,
        content_chunks=_integer(document, "content_chunks", 0, _MOST) or 0,
        tokens_out=_integer(document, "tokens_out", 0, _MOST),
        tokens_estimated=_flag(document, "tokens_estimated"),
        tokens_per_s=_number(document, "tokens_per_s", _LONGEST_MS),
        stall_max_ms=_number(document, "stall_max_ms", _LONGEST_MS),
        icl_p50_ms=_number(document, "icl_p50_ms", _LONGEST_MS),
        icl_p95_ms=_number(document, "icl_p95_ms", _LONGEST_MS),
        finish_reason=_text(document, "finish_reason", 120),
        complete=_flag(document, "complete"),
        heartbeats=_integer(document, "heartbeats", 0, _MOST) or 0,
    )


def _usage(value: Any) -> Usage:
    document = _object(value, "`usage`")
    return Usage(
        tokens_in=_integer(document, "tokens_in", 0, _MOST),
        tokens_out=_integer(document, "tokens_out", 0, _MOST),
        cost_usd=_number(document, "cost_usd", 1e6),
    )


def _evidence(value: Any) -> Evidence:
    document = _object(value, "`evidence`")
    if len(json.dumps(document)) > 2 * MOST_EVIDENCE:
        raise WireError("want less evidence")
    headers, events = document.get("headers", []), document.get("events", [])
    if not (isinstance(headers, list) and all(_is_list_of(header, str, 2) for header in headers)):
        raise WireError("want `headers` as pairs of texts")
    if not (isinstance(events, list) and all(_is_event(event) for event in events)):
        raise WireError("want `events` as triples of numbers")
    return Evidence(
        headers=tuple((clean_text(name, 120), clean_text(text, 500)) for name, text in headers),
        body=_block(document),
        events=tuple((float(at), int(size), int(length)) for at, size, length in events),
        note=_text(document, "note", 1000) or "",
    )


def _block(document: Document) -> str:
    """Return a body of several lines, each cleaned."""
    body = document.get("body", "")
    if not isinstance(body, str):
        raise WireError("want `body` as text")
    return "\n".join(clean_text(line, MOST_EVIDENCE) for line in body[:MOST_EVIDENCE].split("\n"))


def _is_list_of(value: Any, kind: type, length: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(isinstance(item, kind) for item in value)
    )


def _is_event(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(time, int | float) and 0 <= time <= _LONGEST_MS for time in value)
        and all(map(_is_integer, value[1:]))
    )


def _deal(document: Document) -> str | None:
    text = document.get("deal")
    if text is None:
        return None
    try:
        return deal_text(read_deal(text))
    except (AttributeError, ValueError):
        raise WireError("want `deal` as ids of agents") from None


def _spend(value: Any) -> dict[tuple[date, str], Spend]:
    """Read `[[day, service, tokens, money]]`."""
    rows = [] if value is None else value
    if not (isinstance(rows, list) and len(rows) <= 1000):
        raise WireError("want `spend` as a list")
    return dict(map(_spend_row, rows))


def _spend_row(row: Any) -> tuple[tuple[date, str], Spend]:
    if not (isinstance(row, list) and len(row) == 4 and isinstance(row[0], str)):
        raise WireError("want `spend` as rows of day, service, tokens and money")
    document = {"service": row[1], "tokens": row[2], "money": row[3]}
    try:
        day = date.fromisoformat(row[0])
    except ValueError:
        raise WireError("want a day of `spend` such as 2026-11-24") from None
    tokens, money = _integer(document, "tokens", 0, _MOST), _number(document, "money", 1e9)
    return (day, _text(document, "service", 80) or ""), Spend(tokens or 0, money or 0.0)
