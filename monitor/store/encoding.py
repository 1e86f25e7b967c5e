"""A result as a shape and a few small numbers: some twenty figures, each touched as rarely as can be."""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from itertools import compress
from operator import attrgetter, is_, mul, sub
from typing import Any, NamedTuple

from monitor.model import TIMING_NAMES, Result, Stream
from monitor.store import shape as bits
from monitor.store.shape import SCALES, Shape, shape_of
from monitor.store.varint import pack

_LARGEST = 1 << 53  # beyond it a float is no longer exact, and nobody meant it
_MILLISECOND = timedelta(milliseconds=1)

_TIMINGS = attrgetter(*TIMING_NAMES)
_STREAM = attrgetter(
    "events", "content_chunks", "tokens_out", "tokens_per_s", "stall_max_ms", "icl_p50_ms", "icl_p95_ms",
)  # fmt: skip
_USAGE = attrgetter("tokens_in", "tokens_out", "cost_usd")
_NO_STREAM, _NO_USAGE, _NONES = (None,) * 8, (None,) * 3, (None,) * len(SCALES)


class Coded(NamedTuple):
    shape: Shape
    numbers: list[int]


class _Plan(NamedTuple):
    """What to do with values of which these are there."""

    flags: int
    present: tuple[bool, ...]
    scales: tuple[int, ...]
    durations: int
    """How many of the numbers are durations of a phase, which come first."""
    timings: int
    """How many are timings, of which the others run from the start."""
    outs: tuple[int, int] | None
    """Where the tokens stand that came, and those that were billed."""


def encode(result: Result, *, message: int | None, in_maintenance: bool, missed: int) -> Coded:
    """`message` is the id of the failure's text. Nothing negative is kept, nor what is no number."""
    stream, usage, retry = result.stream, result.usage, result.retry_after
    plan, numbers = _numbers(
        (
            *_TIMINGS(result.timings),
            *(_NO_STREAM if stream is None else (*_STREAM(stream), stream.heartbeats or None)),
            *(_NO_USAGE if usage is None else _USAGE(usage)),
            None if retry is None else retry / _MILLISECOND,
            result.late_ms if result.late_ms > 0.5 else None,
            missed or None,
            message,
        )
    )
    flags = plan.flags | _steps(plan, numbers)
    if stream is not None:
        flags |= _stream(stream, plan, numbers)
    if usage is not None:
        flags |= bits.USAGE
        if plan.outs and numbers[plan.outs[0]] == numbers[plan.outs[1]]:
            del numbers[plan.outs[1]]
            flags += bits.SAME_OUT - (1 << bits.USED_OUT)
    if not result.trusted_timings:
        flags |= bits.UNTRUSTED
    if in_maintenance:
        flags |= bits.MAINTENANCE
    return Coded(shape_of(result, flags), numbers)


def to_blob(shape_id: int, coded: Coded) -> bytes:
    return pack([shape_id, *coded.numbers])


def _numbers(values: Sequence[Any]) -> tuple[_Plan, list[int]]:
    plan = _plan(tuple(map(is_, values, _NONES)))
    try:
        numbers = _scaled(plan, values)
    except (ValueError, OverflowError):
        pass  # no number, or no end
    else:
        if not numbers or (min(numbers) >= 0 and max(numbers) <= _LARGEST):
            return plan, numbers
    sane = [*map(_sane, values, SCALES)]
    plan = _plan(tuple(map(is_, sane, _NONES)))
    return plan, _scaled(plan, sane)


def _scaled(plan: _Plan, values: Sequence[Any]) -> list[int]:
    return [*map(round, map(mul, compress(values, plan.present), plan.scales))]


def _sane(value: float | None, scale: int) -> float | None:
    """None for what is no number; nothing negative, nothing beyond reason."""
    if value is None or value != value:  # noqa: PLR0124  # only NaN differs from itself
        return None
    return min(max(value, 0), _LARGEST // scale)


@lru_cache(4096)
def _plan(absent: tuple[bool, ...]) -> _Plan:
    present = tuple(not each for each in absent)
    places = {slot: at for at, slot in enumerate(compress(range(len(present)), present))}
    came, billed = places.get(bits.TOKENS_OUT), places.get(bits.USED_OUT)
    return _Plan(
        flags=sum(1 << slot for slot in places),
        present=present,
        scales=tuple(compress(SCALES, present)),
        durations=sum(present[:3]),
        timings=sum(present[:7]),
        outs=None if came is None or billed is None else (came, billed),
    )


def _steps(plan: _Plan, numbers: list[int]) -> int:
    """Where no timing goes back, each is told from the one before."""
    first, end = plan.durations, plan.timings
    before = [sum(numbers[:first]), *numbers[first : end - 1]]
    steps = [*map(sub, numbers[first:end], before)]
    if steps and min(steps) < 0:
        return 0
    numbers[first:end] = steps
    return bits.STEPS


def _stream(stream: Stream, plan: _Plan, numbers: list[int]) -> int:
    flags = (bits.ESTIMATED if stream.tokens_estimated else 0) | (
        bits.COMPLETE if stream.complete else 0
    )
    events, chunks = numbers[plan.timings : plan.timings + 2]
    if chunks > events:
        return flags
    numbers[plan.timings + 1] = events - chunks
    return flags | bits.FEWER
