"""What repeats from run to run: which figures there are, outcome, status, model, address.

It is stored once and referred to by id. What differs is a list of whole numbers, one for each slot
that the shape says is filled: times in 0.1 ms, speeds in 0.1 tokens/s, costs in 1e-8, lateness and
`retry_after` in ms.
"""

import json
from datetime import timedelta
from typing import NamedTuple

from monitor.model import Result
from monitor.store.times import EPOCH

_SHORT = 120
_SECOND = timedelta(seconds=1)

SCALES = (
    10, 10, 10, 10, 10, 10, 10,  # the timings of a result, in their order
    10, 10, 10, 10,  # of a stream: speed, longest stall, gaps
    100_000_000, 1,  # cost, late
    1, 1, 1, 1,  # of a stream: events to heartbeats
    1, 1,  # tokens in and out, as they were billed
    1, 1, 1,  # retry after, missed, and the id of the failure's text
)  # fmt: skip
"""What the number in each slot was multiplied with. Bit n of `flags`: slot n is filled."""
SLOTS = len(SCALES)
MEASURED = 13
"""Slots of what is no whole number by itself; they come first."""
TTFB, TTFT, VISIBLE = 3, 4, 5
SPEED, STALL, P50, P95, COST, LATE = range(7, MEASURED)
EVENTS, CHUNKS, TOKENS_OUT, HEARTBEATS, USED_IN, USED_OUT, RETRY, MISSED, MESSAGE = range(
    MEASURED, SLOTS
)

ESTIMATED, COMPLETE, USAGE, SAME_OUT, SAME_TEXT, FIXED, UNTRUSTED, MAINTENANCE = (
    1 << bit for bit in range(SLOTS, SLOTS + 8)
)
"""Facts. SAME_OUT: as many tokens were billed as came. SAME_TEXT: the first token was visible.
FIXED: each number has the width that is usual for its slot, see `numbers`."""
TWINS = (VISIBLE, TTFT, SAME_TEXT), (USED_OUT, TOKENS_OUT, SAME_OUT)
"""A slot that is not filled where it would say the same as another one, and the fact which tells so."""


class Shape(NamedTuple):
    """`flags` has a bit for each slot that is filled, then the facts."""

    flags: int
    outcome: str
    kind: str | None
    status: int | None
    model: str | None
    ip: str | None
    finish: str | None
    cert_expires: int | None
    """In unix seconds."""


def shape_of(result: Result, flags: int) -> Shape:
    failure, stream, expires = result.failure, result.stream, result.cert_expires
    return Shape(
        flags,
        result.outcome.value,
        None if failure is None else failure.kind.value,
        result.http_status,
        _short(result.model),
        _short(result.remote_ip),
        None if stream is None else _short(stream.finish_reason),
        None if expires is None else (expires - EPOCH) // _SECOND,
    )


def plainer(shape: Shape) -> Shape:
    """Without the texts that a stranger chooses: what is left is bounded."""
    return shape._replace(model=None, ip=None, finish=None, cert_expires=None)


def shape_text(shape: Shape) -> str:
    return json.dumps(list(shape), ensure_ascii=False, separators=(",", ":"))


def shape_from(text: str) -> Shape:
    return Shape(*json.loads(text))


def _short(text: str | None) -> str | None:
    if text is None or (len(text) <= _SHORT and text.isascii()):
        return text
    return text[:_SHORT].encode("utf-8", "replace").decode()
