"""Stored rows as results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from monitor.model import Failure, Kind, Outcome, Result, Stream, Timings, Usage
from monitor.store import shape as bits
from monitor.store.shape import SCALES, SLOTS, Shape
from monitor.store.times import EPOCH
from monitor.store.varint import take, unpack


@dataclass(frozen=True, slots=True)
class Run:
    """A result as read back, with what its rollup needs besides."""

    result: Result
    in_maintenance: bool
    missed: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A stored row, with its shape found."""

    shape: Shape
    body: bytes

    @property
    def message(self) -> int | None:
        return unpack(self.body)[-1] if self.shape.flags >> bits.MESSAGE & 1 else None


def shape_id(blob: bytes) -> int:
    return take(blob, 0)[0]


def decode(packed: Packed, check: str, vantage: str, at_ms: int, message: str) -> Run:
    shape, flags = packed.shape, packed.shape.flags
    slots = _slots(flags, unpack(packed.body))
    values = [None if slot is None else slot / scale for slot, scale in zip(slots, SCALES, strict=True)]  # fmt: skip
    expires, retry = shape.cert_expires, slots[bits.RETRY]
    result = Result(
        check=check,
        vantage=vantage,
        at=EPOCH + timedelta(milliseconds=at_ms),
        outcome=Outcome(shape.outcome),
        failure=Failure(Kind(shape.kind), message) if shape.kind else None,
        timings=_timings(values),
        http_status=shape.status,
        remote_ip=shape.ip,
        model=shape.model,
        stream=None if slots[bits.EVENTS] is None else _stream(shape, slots, values),
        usage=_usage(slots, values) if flags & bits.USAGE else None,
        cert_expires=None if expires is None else EPOCH + timedelta(seconds=expires),
        retry_after=None if retry is None else timedelta(milliseconds=retry),
        late_ms=values[bits.LATE] or 0.0,
        trusted_timings=not flags & bits.UNTRUSTED,
    )
    return Run(result, bool(flags & bits.MAINTENANCE), slots[bits.MISSED] or 0)


def _slots(flags: int, numbers: Sequence[int]) -> list[int | None]:
    """Each number in its slot, and no longer told from another one."""
    given = iter(numbers[1:])
    slots = [next(given) if flags >> slot & 1 else None for slot in range(SLOTS)]
    if flags & bits.STEPS:
        before = sum(duration or 0 for duration in slots[:3])
        for place, step in enumerate(slots[3:7], 3):
            if step is not None:
                slots[place] = before = before + step
    if flags & bits.FEWER:
        slots[bits.CHUNKS] = (slots[bits.EVENTS] or 0) - (slots[bits.CHUNKS] or 0)
    if flags & bits.SAME_OUT:
        slots[bits.USED_OUT] = slots[bits.TOKENS_OUT]
    return slots


def _timings(values: Sequence[float | None]) -> Timings:
    dns, connect, tls, ttfb, ttft, visible, total = values[:7]
    return Timings(
        dns=dns, connect=connect, tls=tls, ttfb=ttfb, ttft=ttft, ttft_visible=visible, total=total
    )


def _stream(shape: Shape, slots: Sequence[int | None], values: Sequence[float | None]) -> Stream:
    return Stream(
        events=slots[bits.EVENTS] or 0,
        content_chunks=slots[bits.CHUNKS] or 0,
        tokens_out=slots[bits.TOKENS_OUT],
        tokens_estimated=bool(shape.flags & bits.ESTIMATED),
        tokens_per_s=values[bits.SPEED],
        stall_max_ms=values[bits.STALL],
        icl_p50_ms=values[bits.P50],
        icl_p95_ms=values[bits.P95],
        finish_reason=shape.finish,
        complete=bool(shape.flags & bits.COMPLETE),
        heartbeats=slots[bits.HEARTBEATS] or 0,
    )


def _usage(slots: Sequence[int | None], values: Sequence[float | None]) -> Usage:
    return Usage(
        tokens_in=slots[bits.USED_IN],
        tokens_out=slots[bits.USED_OUT],
        cost_usd=values[bits.COST],
    )


def brief(shape: Shape, numbers: Sequence[int], check: str, vantage: str, at_ms: int) -> Result:
    """Without the failure's words, stream, usage and address: many are kept in memory at once."""
    slots = _slots(shape.flags, numbers)[:7]
    return Result(
        check=check,
        vantage=vantage,
        at=EPOCH + timedelta(milliseconds=at_ms),
        outcome=Outcome(shape.outcome),
        failure=Failure(Kind(shape.kind), "") if shape.kind else None,
        timings=_timings([None if slot is None else slot / 10 for slot in slots]),
        http_status=shape.status,
        trusted_timings=not shape.flags & bits.UNTRUSTED,
    )


def briefly(result: Result) -> Result:
    """As `brief` reads it."""
    failure = result.failure
    return Result(
        check=result.check,
        vantage=result.vantage,
        at=result.at,
        outcome=result.outcome,
        failure=None if failure is None else Failure(failure.kind, ""),
        timings=result.timings,
        http_status=result.http_status,
        trusted_timings=result.trusted_timings,
    )
