"""A result as a shape and a few small numbers, and back.

What repeats from run to run (which figures there are, outcome, status, model, address) is the
shape, stored once and referred to by id. What differs is packed: times in 0.1 ms, speeds in
0.1 tokens/s, costs in 1e-8, lateness and `retry_after` in ms, `at` in ms, `cert_expires` in s.
Times since the start are kept as steps from one to the next, which are small, where none goes back.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from monitor.model import Failure, Kind, Outcome, Result, Stream, Timings, Usage
from monitor.store.times import EPOCH
from monitor.store.varint import pack, unpack

_LARGEST = 1 << 53  # beyond it a float is no longer exact, and nobody meant it
_COST = 100_000_000
_SHORT = 120
_USUAL = 90_000_000
"""Within it no scale leads beyond `_LARGEST`."""


class Shape(NamedTuple):
    """`flags` has a bit for each figure that is present, then the yes-or-no facts."""

    flags: int
    outcome: str
    kind: str | None
    status: int | None
    model: str | None
    ip: str | None
    finish: str | None
    cert_expires: int | None


(
    STREAM, TOKENS_OUT, SPEED, STALL, P50, P95, HEARTBEATS, ESTIMATED, COMPLETE,
    USAGE, USED_IN, USED_OUT, SAME_OUT, COST, RETRY, LATE, MISSED, MESSAGE,
    STEPS, FEWER, UNTRUSTED, MAINTENANCE,
) = (1 << bit for bit in range(7, 29))  # fmt: skip
CHUNKS = 1 << 29
"""Only a name: the second number of a stream, which is always there."""


@dataclass(frozen=True, slots=True)
class Coded:
    shape: Shape
    numbers: list[int]


@dataclass(frozen=True, slots=True)
class Run:
    """A result as read back, with what its rollup needs besides."""

    result: Result
    in_maintenance: bool
    missed: int


def encode(result: Result, *, message: int | None, in_maintenance: bool, missed: int) -> Coded:
    """`message` is the id of the failure's text."""
    numbers: list[int] = []
    flags = _timings(result.timings, numbers)
    if result.stream is not None:
        flags |= _stream(result.stream, numbers)
    if result.usage is not None:
        flags |= _usage(result.usage, result.stream, numbers)
    flags |= _rest(result, message, missed, numbers)
    flags |= 0 if result.trusted_timings else UNTRUSTED
    flags |= MAINTENANCE if in_maintenance else 0
    return Coded(_shape(result, flags), numbers)


def to_blob(shape_id: int, coded: Coded) -> bytes:
    return pack((shape_id, *coded.numbers))


def shape_id(blob: bytes) -> int:
    return unpack(blob[:10])[0]


def shape_text(shape: Shape) -> str:
    return json.dumps(list(shape), ensure_ascii=False, separators=(",", ":"))


def shape_from(text: str) -> Shape:
    return Shape(*json.loads(text))


def plainer(shape: Shape) -> Shape:
    """Without the texts that a stranger chooses: what is left is bounded."""
    return shape._replace(model=None, ip=None, finish=None, cert_expires=None)


def _shape(result: Result, flags: int) -> Shape:
    expires = result.cert_expires
    return Shape(
        flags,
        result.outcome.value,
        result.failure.kind.value if result.failure else None,
        result.http_status,
        _short(result.model),
        _short(result.remote_ip),
        _short(result.stream.finish_reason) if result.stream else None,
        None if expires is None else (expires - EPOCH) // timedelta(seconds=1),
    )


def _short(text: str | None) -> str | None:
    if text is None or (len(text) <= _SHORT and text.isascii()):
        return text
    return text[:_SHORT].encode("utf-8", "replace").decode()


def _whole(value: float | None, scale: int) -> int | None:
    """None for what is no number; nothing negative, nothing beyond reason."""
    if value is None:
        return None
    if 0 <= value <= _USUAL:
        return round(value * scale)
    if math.isnan(value):
        return None
    return min(max(round(min(value, _LARGEST) * scale), 0), _LARGEST)


def _timings(timings: Timings, numbers: list[int]) -> int:
    """Steps between those that run from the start, if none of them goes back."""
    flags, previous = 0, 0
    plain: list[int] = []
    steps: list[int] = []
    for bit, from_start, value in (
        (1, False, timings.dns), (2, False, timings.connect), (4, False, timings.tls),
        (8, True, timings.ttfb), (16, True, timings.ttft), (32, True, timings.ttft_visible),
        (64, True, timings.total),
    ):  # fmt: skip
        number = None if value is None else _whole(value, 10)
        if number is None:
            continue
        flags |= bit
        plain.append(number)
        if from_start:
            steps.append(number - previous)
            previous = number
        else:
            steps.append(number)
            previous += number
    if not steps or min(steps) >= 0:
        numbers += steps
        return flags | STEPS
    numbers += plain
    return flags


def _optional(numbers: list[int], pairs: tuple[tuple[int, int | None], ...]) -> int:
    flags = 0
    for flag, value in pairs:
        if value is not None:
            flags |= flag
            numbers.append(value)
    return flags


def _stream(stream: Stream, numbers: list[int]) -> int:
    events, chunks = _whole(stream.events, 1) or 0, _whole(stream.content_chunks, 1) or 0
    flags = STREAM | (FEWER if chunks <= events else 0)
    flags |= (ESTIMATED if stream.tokens_estimated else 0) | (COMPLETE if stream.complete else 0)
    numbers += (events, events - chunks if chunks <= events else chunks)
    return flags | _optional(
        numbers,
        (
            (TOKENS_OUT, _whole(stream.tokens_out, 1)),
            (SPEED, _whole(stream.tokens_per_s, 10)),
            (STALL, _whole(stream.stall_max_ms, 10)),
            (P50, _whole(stream.icl_p50_ms, 10)),
            (P95, _whole(stream.icl_p95_ms, 10)),
            (HEARTBEATS, _whole(stream.heartbeats, 1) or None),
        ),
    )


def _usage(usage: Usage, stream: Stream | None, numbers: list[int]) -> int:
    out = usage.tokens_out
    same = out is not None and stream is not None and stream.tokens_out == out
    return (
        USAGE
        | (SAME_OUT if same else 0)
        | _optional(
            numbers,
            (
                (USED_IN, _whole(usage.tokens_in, 1)),
                (USED_OUT, None if same else _whole(out, 1)),
                (COST, _whole(usage.cost_usd, _COST)),
            ),
        )
    )


def _rest(result: Result, message: int | None, missed: int, numbers: list[int]) -> int:
    retry = result.retry_after
    return _optional(
        numbers,
        (
            (RETRY, None if retry is None else _whole(retry / timedelta(milliseconds=1), 1)),
            (LATE, _whole(result.late_ms, 1) or None),
            (MISSED, missed or None),
            (MESSAGE, message),
        ),
    )


@dataclass(frozen=True, slots=True)
class Packed:
    """A stored row, with its shape found."""

    shape: Shape
    body: bytes

    @property
    def message(self) -> int | None:
        return unpack(self.body)[-1] if self.shape.flags & MESSAGE else None


def decode(packed: Packed, check: str, vantage: str, at_ms: int, message: str) -> Run:
    shape, flags = packed.shape, packed.shape.flags
    numbers = iter(unpack(packed.body)[1:])
    timings = _read_timings(flags, numbers)
    stream = _read_stream(shape, numbers) if flags & STREAM else None
    usage = _read_usage(flags, stream, numbers) if flags & USAGE else None
    retry = next(numbers) if flags & RETRY else None
    late = next(numbers) if flags & LATE else 0
    missed = next(numbers) if flags & MISSED else 0
    result = Result(
        check=check,
        vantage=vantage,
        at=EPOCH + timedelta(milliseconds=at_ms),
        outcome=Outcome(shape.outcome),
        failure=Failure(Kind(shape.kind), message) if shape.kind else None,
        timings=timings,
        http_status=shape.status,
        remote_ip=shape.ip,
        model=shape.model,
        stream=stream,
        usage=usage,
        cert_expires=None
        if shape.cert_expires is None
        else EPOCH + timedelta(seconds=shape.cert_expires),
        retry_after=None if retry is None else timedelta(milliseconds=retry),
        late_ms=float(late),
        trusted_timings=not flags & UNTRUSTED,
    )
    return Run(result, bool(flags & MAINTENANCE), missed)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a chart draws of one run; None also where the run says nothing about speed."""

    ttfb: float | None
    ttft: float | None
    tokens_per_s: float | None


_SILENT = Figures(None, None, None)


def figures(packed: Packed) -> Figures:
    """A fraction of the cost of `decode`, for a day of rows at once."""
    flags = packed.shape.flags
    if flags & UNTRUSTED or packed.shape.outcome not in {"up", "degraded"}:
        return _SILENT
    numbers = iter(unpack(packed.body)[1:])
    timings = _read_timings(flags, numbers)
    speed = None
    if flags & SPEED:
        before_speed = 3 if flags & TOKENS_OUT else 2
        speed = [next(numbers) for _ in range(before_speed + 1)][-1] / 10
    return Figures(timings.ttfb, timings.ttft, speed)


def _read_timings(flags: int, numbers: Iterator[int]) -> Timings:
    values: list[float | None] = [None] * 7
    steps, previous = flags & STEPS, 0
    for place in range(7):
        if flags >> place & 1:
            number = next(numbers)
            if steps and place >= 3:
                number += previous
                previous = number
            elif steps:
                previous += number
            values[place] = number / 10
    dns, connect, tls, ttfb, ttft, visible, total = values
    return Timings(
        dns=dns, connect=connect, tls=tls, ttfb=ttfb, ttft=ttft, ttft_visible=visible, total=total
    )


def _tenths(present: int, numbers: Iterator[int]) -> float | None:
    return next(numbers) / 10 if present else None


def _read_stream(shape: Shape, numbers: Iterator[int]) -> Stream:
    flags = shape.flags
    events, chunks = next(numbers), next(numbers)
    return Stream(
        events=events,
        content_chunks=events - chunks if flags & FEWER else chunks,
        tokens_out=next(numbers) if flags & TOKENS_OUT else None,
        tokens_estimated=bool(flags & ESTIMATED),
        tokens_per_s=_tenths(flags & SPEED, numbers),
        stall_max_ms=_tenths(flags & STALL, numbers),
        icl_p50_ms=_tenths(flags & P50, numbers),
        icl_p95_ms=_tenths(flags & P95, numbers),
        finish_reason=shape.finish,
        complete=bool(flags & COMPLETE),
        heartbeats=next(numbers) if flags & HEARTBEATS else 0,
    )


def _read_usage(flags: int, stream: Stream | None, numbers: Iterator[int]) -> Usage:
    tokens_in = next(numbers) if flags & USED_IN else None
    tokens_out = next(numbers) if flags & USED_OUT else None
    if flags & SAME_OUT and stream is not None:
        tokens_out = stream.tokens_out
    cost = next(numbers) / _COST if flags & COST else None
    return Usage(tokens_in=tokens_in, tokens_out=tokens_out, cost_usd=cost)
