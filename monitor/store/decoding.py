"""Stored rows as results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from operator import itemgetter

from monitor.model import Failure, FailureKind, Outcome, Result, Stream, Timings, Usage
from monitor.store import shape as bits
from monitor.store.numbers import filled, numbers_in
from monitor.store.shape import MEASURED, SCALES, SLOTS, TWINS, Shape
from monitor.store.times import EPOCH

_SCALES = SCALES[:MEASURED]


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
    def numbers(self) -> Sequence[int]:
        return numbers_in(self.shape.flags, self.body)

    @property
    def message(self) -> int | None:
        return self.numbers[-1] if self.shape.flags >> bits.MESSAGE & 1 else None


def decode(packed: Packed, check: str, vantage: str, at_ms: int, message: str) -> Run:
    shape, flags = packed.shape, packed.shape.flags
    slots = _slots(flags, packed.numbers)
    values = [
        None if slot is None else slot / scale
        for slot, scale in zip(slots[:MEASURED], _SCALES, strict=True)
    ]
    expires, retry = shape.cert_expires, slots[bits.RETRY]
    result = Result(
        check=check,
        vantage=vantage,
        at=EPOCH + timedelta(milliseconds=at_ms),
        outcome=Outcome(shape.outcome),
        failure=Failure(FailureKind(shape.kind), message) if shape.kind else None,
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


def _slots(flags: int, numbers: Sequence[int]) -> Sequence[int | None]:
    """Each number in its slot, also where it says the same as another."""
    return _in_slots(flags)((*numbers, None))


@lru_cache(4096)
def _in_slots(flags: int) -> Callable[[Sequence[int | None]], Sequence[int | None]]:
    """Of the numbers of filled slots, with None behind them."""
    slots = filled(flags)
    places = {slot: place for place, slot in enumerate(slots)}
    places |= {twin: places[other] for twin, other, fact in TWINS if flags & fact}
    return itemgetter(*(places.get(slot, len(slots)) for slot in range(SLOTS)))


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
