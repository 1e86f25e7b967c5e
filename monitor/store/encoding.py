"""A result as a shape and its numbers, whatever it holds; most are like an earlier one, see `alike`."""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from monitor.model import TIMING_NAMES, Result
from monitor.store import shape as bits
from monitor.store.numbers import head_of, to_bytes
from monitor.store.shape import SCALES, Shape, shape_of

LARGEST = 1 << 53
"""Beyond it a float is no longer exact, and nobody meant it."""
_MILLISECOND = timedelta(milliseconds=1)

_TIMINGS = attrgetter(*TIMING_NAMES)
_PACE = attrgetter("tokens_per_s", "stall_max_ms", "icl_p50_ms", "icl_p95_ms")
_EVENTS = attrgetter("events", "content_chunks", "tokens_out")
_USAGE = attrgetter("cost_usd", "tokens_in", "tokens_out")
_NONES = (None,) * len(SCALES)


class Coded(NamedTuple):
    shape: Shape
    numbers: bytes

    def body(self, shape_id: int) -> bytes:
        return head_of(shape_id) + self.numbers


def encode(result: Result, *, message: int | None, in_maintenance: bool, missed: int) -> Coded:
    """`message` is the id of the failure's text. Nothing negative is kept, nor what is no number."""
    stream, usage, retry = result.stream, result.usage, result.retry_after
    cost, tokens_in, tokens_out = _NONES[:3] if usage is None else _USAGE(usage)
    numbers = _whole(
        (
            *_TIMINGS(result.timings),
            *(_NONES[:4] if stream is None else _PACE(stream)),
            cost,
            result.late_ms,
            *(_NONES[:4] if stream is None else (*_EVENTS(stream), stream.heartbeats or None)),
            tokens_in,
            tokens_out,
            None if retry is None else retry / _MILLISECOND,
            missed or None,
            message,
        )
    )
    facts = _facts(result) | _twins(numbers) | (bits.MAINTENANCE if in_maintenance else 0)
    flags, data = to_bytes(facts | sum(1 << slot for slot in numbers), [*numbers.values()])
    return Coded(shape_of(result, flags), data)


def _whole(values: Sequence[Any]) -> dict[int, int]:
    """By slot."""
    try:
        numbers = {
            slot: round(value * scale)
            for slot, (value, scale) in enumerate(zip(values, SCALES, strict=True))
            if value is not None
        }
    except (ValueError, OverflowError):
        return _sane(values)  # no number, or no end
    every = numbers.values()
    return (
        _sane(values) if min(every, default=0) < 0 or max(every, default=0) > LARGEST else numbers
    )


def _sane(values: Sequence[Any]) -> dict[int, int]:
    return {
        slot: round(min(max(value * scale, 0), LARGEST))
        for slot, (value, scale) in enumerate(zip(values, SCALES, strict=True))
        if value is not None and value == value  # noqa: PLR0124  # only NaN differs from itself
    }


def _facts(result: Result) -> int:
    stream, flags = result.stream, 0
    if stream is not None and stream.tokens_estimated:
        flags |= bits.ESTIMATED
    if stream is not None and stream.complete:
        flags |= bits.COMPLETE
    if result.usage is not None:
        flags |= bits.USAGE
    if not result.trusted_timings:
        flags |= bits.UNTRUSTED
    return flags


def _twins(numbers: dict[int, int]) -> int:
    """What says the same as another goes."""
    flags = 0
    for twin, other, fact in bits.TWINS:
        if twin in numbers and numbers[twin] == numbers.get(other):
            del numbers[twin]
            flags |= fact
    return flags
