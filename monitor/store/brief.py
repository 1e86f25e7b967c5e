"""Results in short, without the failure's words, stream, usage and address: many are kept in memory at once."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from monitor.model import TIMING_NAMES, Failure, FailureKind, Outcome, Result, Timings
from monitor.store.layout import Kin, columns
from monitor.store.shape import UNTRUSTED
from monitor.store.times import EPOCH


def briefs(
    kin: Kin,
    status: int | None,
    names: tuple[str, str],
    at_ms: Sequence[int],
    bodies: Sequence[bytes],
) -> Iterator[Result]:
    """Of rows that are kin, by columns; `names` are those of the check and its vantage."""
    found = columns(kin, bodies)
    tenths = [found.get(slot) for slot in range(len(TIMING_NAMES))]
    nothing = (None,) * len(bodies)
    timings = [nothing if each is None else [number / 10 for number in each] for each in tenths]
    outcome, failure = (
        Outcome(kin.outcome),
        Failure(FailureKind(kin.kind), "") if kin.kind else None,
    )
    trusted = not kin.flags & UNTRUSTED
    for at, (dns, connect, tls, ttfb, ttft, visible, total) in zip(
        at_ms, zip(*timings, strict=True), strict=True
    ):
        yield Result(
            check=names[0],
            vantage=names[1],
            at=EPOCH + timedelta(milliseconds=at),
            outcome=outcome,
            failure=failure,
            timings=Timings(
                dns=dns, connect=connect, tls=tls, ttfb=ttfb, ttft=ttft, ttft_visible=visible,
                total=total,
            ),
            http_status=status,
            trusted_timings=trusted,
        )  # fmt: skip


def briefly(result: Result) -> Result:
    """As `briefs` has it."""
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
