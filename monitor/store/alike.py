"""Results that are like an earlier one of their check, as nearly all are: the same figures and facts.

Then it need not be found out which they are: all that makes its shape is looked up at once, and the
figures go through C from the result into the bytes of its row, at a third of what `encoding` costs.
"""

import struct
from collections.abc import Callable
from operator import attrgetter, mul
from typing import Any

from monitor.model import TIMING_NAMES, Result, RunRecord
from monitor.store import shape as bits
from monitor.store.encoding import Coded
from monitor.store.numbers import filled, fixed, head

_FIELDS = (
    *(f"timings.{name}" for name in TIMING_NAMES),
    "stream.tokens_per_s", "stream.stall_max_ms", "stream.icl_p50_ms", "stream.icl_p95_ms",
    "usage.cost_usd", "late_ms",
    "stream.events", "stream.content_chunks", "stream.tokens_out", "stream.heartbeats",
    "usage.tokens_in", "usage.tokens_out",
)  # fmt: skip
"""Of the slots; those behind them are rare."""
_STREAM = {place for place, name in enumerate(_FIELDS) if name.startswith("stream.")}
_USAGE = {place for place, name in enumerate(_FIELDS) if name.startswith("usage.")}
_RARE = bits.MAINTENANCE | sum(1 << slot for slot in range(len(_FIELDS), bits.SLOTS))
_MOST_HEADS = 1000
_round = float.__round__
"""What `round` does with a float, without asking each of them how."""

_Fields = Callable[[Result], tuple[Any, ...]]


class Alike:
    """Forgets from day to day, because a shape's text is marked with the last day that needed it."""

    def __init__(self) -> None:
        self._patterns: dict[int, _Pattern] = {}
        self._of: dict[str, _Pattern] = {}
        self._day = 0

    def body(self, entry: RunRecord, day: int) -> bytes | None:
        """Of its row; None where it is like none that is known. `day` is that of the result."""
        pattern = self._of.get(entry.result.check)
        if pattern is None or day != self._day or entry.missed or entry.in_maintenance:
            return None
        return pattern.body(entry.result)

    def learn(self, entry: RunRecord, day: int, coded: Coded, body: bytes) -> None:
        flags, result = coded.shape.flags, entry.result
        if day < self._day or flags & _RARE or not flags & bits.FIXED or result.failure:
            return
        if day > self._day:
            self.forget()
            self._day = day
        pattern = self._patterns.get(flags) or self._patterns.setdefault(flags, _Pattern(flags))
        pattern.learn(result, head(body))
        self._of[result.check] = pattern

    def forget(self) -> None:
        self._patterns.clear()
        self._of.clear()


class _Pattern:
    """Of the results with these flags."""

    __slots__ = ("_counted", "_heads", "_measured", "_others", "_pack", "_rest", "_scales", "_twins")  # fmt: skip

    def __init__(self, flags: int) -> None:
        slots = filled(flags)
        measured = [slot for slot in slots if slot < bits.MEASURED]
        twins = [(twin, other) for twin, other, fact in bits.TWINS if flags & fact]
        self._rest = _fields(*_rest(flags))
        self._twins = _fields(*(_FIELDS[twin] for twin, _ in twins))
        self._others = _fields(*(_FIELDS[other] for _, other in twins))
        self._measured = _fields(*(_FIELDS[slot] for slot in measured))
        self._scales = tuple(float(bits.SCALES[slot]) for slot in measured)
        self._counted = _fields(*(_FIELDS[slot] for slot in slots[len(measured) :]))
        self._pack = fixed(flags & ~bits.FIXED).pack
        self._heads: dict[tuple[Any, ...], bytes] = {}

    def learn(self, result: Result, head: bytes) -> None:
        if len(self._heads) == _MOST_HEADS:  # strangers choose some of the names
            self._heads.clear()
        self._heads[self._rest(result)] = head

    def body(self, result: Result) -> bytes | None:
        try:
            head = self._heads.get(self._rest(result))
            if head is None or self._twins(result) != self._others(result):
                return None
            measured = map(_round, map(mul, self._measured(result), self._scales))
            return head + self._pack(*measured, *self._counted(result))
        except (AttributeError, TypeError, ValueError, OverflowError, struct.error):
            return None  # something is not there, or larger than usual, or no number


def _rest(flags: int) -> list[str]:
    """All that is not in the row: what its shape says, and figures that are not there."""
    rest = ["outcome", "failure", "retry_after", "trusted_timings"]
    rest += ["http_status", "model", "remote_ip", "cert_expires"]
    gone = {twin for twin, _, fact in bits.TWINS if flags & fact} | set(filled(flags))
    if flags >> bits.EVENTS & 1:
        rest += ["stream.complete", "stream.tokens_estimated", "stream.finish_reason"]
    else:
        rest.append("stream")
        gone |= _STREAM
    if not flags & bits.USAGE:
        rest.append("usage")
        gone |= _USAGE
    return rest + [name for slot, name in enumerate(_FIELDS) if slot not in gone]


def _fields(*names: str) -> _Fields:
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda _: ()
    one = attrgetter(*names)
    return lambda result: (one(result),)
