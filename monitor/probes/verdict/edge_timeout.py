"""Did the edge end this call because it took too long? The operator may have said when it does."""

from datetime import timedelta

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Exchange

_CUTS = frozenset(
    {
        FailureKind.HTTP_DISCONNECT, FailureKind.BAD_GATEWAY, FailureKind.UPSTREAM_TIMEOUT, FailureKind.SERVER_ERROR,
        FailureKind.EDGE_ERROR, FailureKind.NO_FIRST_TOKEN,
    }
)  # fmt: skip
"""What an edge's limit looks like where the edge does not say that it was one."""
_EARLY = 0.98
"""Edges keep their limit to the second, and start counting after the handshake."""


def judge_cut(
    failure: Failure | None, exchange: Exchange, cut_after: timedelta | None
) -> Failure | None:
    """The same failure, by its name where the call ended when this edge is known to end calls."""
    took = exchange.timings.total
    if failure is None or failure.kind not in _CUTS or cut_after is None or took is None:
        return failure
    limit_s = cut_after.total_seconds()
    if took < limit_s * 1000 * _EARLY:
        return failure
    why = f"got no answer before the edge ended the call after {took / 1000:.0f} s"
    return Failure(
        FailureKind.EDGE_TIMEOUT, f"{why} (it is known to after {limit_s:g} s), want one"
    )
