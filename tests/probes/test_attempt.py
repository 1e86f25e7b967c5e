"""A run becomes a result that is safe to keep, whatever the probe found or did."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from attempt_cast import FINE, KEY, Told, kind, run
from cast import HandClock

from monitor.model import (
    Failure,
    FailureKind,
    Outcome,
    Timings,
)
from monitor.probes.exchange import Chunk, ConnectRequest, Exchange, HttpRequest, StreamWatcher
from monitor.probes.probe import Finding, Run


class Keyed(Told):
    needs_key: ClassVar[bool] = True


async def test_a_good_run_is_up_and_leaves_no_evidence(clock: HandClock) -> None:
    attempted = await run(Told(finds=FINE), clock)
    result = attempted.result
    assert (result.outcome, result.check, result.late_ms) == (Outcome.UP, "relay/direct/http", 3.0)
    assert attempted.evidence is None


async def test_a_probe_that_needs_a_key_is_not_run_without_one(clock: HandClock) -> None:
    result = (await run(Keyed(finds=RuntimeError()), clock)).result
    assert result.failure == Failure(
        FailureKind.NO_KEY, "got no key for relay/direct, want one to run `http`"
    )
    assert result.outcome is Outcome.UNKNOWN


async def test_a_crash_in_a_probe_is_our_fault(clock: HandClock) -> None:
    attempted = await run(Told(finds=RuntimeError("x")), clock)
    assert (kind(attempted), attempted.result.outcome) == (FailureKind.INTERNAL, Outcome.UNKNOWN)


class Crashing(Told):
    """Asks, and crashes on what comes back."""

    async def run(self, run: Run) -> Finding:
        await run.client.send(HttpRequest(method="GET", url=run.check.endpoint.url))
        raise TypeError("unhashable type: 'list'")


class Answering:
    """A client to which every endpoint gives the same answer."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def send(self, request: HttpRequest, watch: StreamWatcher | None = None) -> Exchange:
        return self.exchange

    async def connect(self, request: ConnectRequest) -> Exchange:
        return self.exchange


async def test_an_answer_that_crashes_its_judge_is_unusable_and_logged_once(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(timings=Timings(), status=200, chunks=(Chunk(1.0, b'{"type": []}'),))
    with caplog.at_level(logging.INFO):
        runs = [await run(Crashing(finds=FINE), clock, Answering(exchange)) for _ in range(3)]
    assert {kind(attempted) for attempted in runs} == {FailureKind.UNEXPECTED_BODY}
    assert runs[0].evidence is not None
    assert "[]" in runs[0].evidence.body
    assert caplog.text.count("event=answer_unjudged") == 1
    silent = replace(exchange, chunks=())
    assert kind(await run(Crashing(finds=FINE), clock, Answering(silent))) is FailureKind.INTERNAL


async def test_a_good_run_beyond_its_limit_is_slow(clock: HandClock) -> None:
    slow = replace(FINE, ttft=7200.0)
    attempted = await run(Told(finds=slow, slow="ttft > 5s"), clock)
    assert attempted.result.failure == Failure(FailureKind.SLOW, "ttft 7.2 s, want at most 5 s")


async def test_a_certificate_about_to_end_is_told(clock: HandClock) -> None:
    soon = replace(FINE.exchange, cert_expires=clock.now() + timedelta(days=13))
    attempted = await run(Told(finds=replace(FINE, exchange=soon)), clock)
    assert kind(attempted) is FailureKind.CERT_EXPIRING
    short = replace(soon, cert_lifetime=timedelta(days=20))
    attempted = await run(Told(finds=replace(FINE, exchange=short)), clock)
    assert kind(attempted) is None


@pytest.mark.parametrize(
    ("found", "lag_s", "is_ours"),
    [
        (FailureKind.HEADERS_TIMEOUT, 16.0, True),
        (FailureKind.HEADERS_TIMEOUT, 14.0, False),
        (FailureKind.BODY_TIMEOUT, 16.0, True),
        (FailureKind.CONNECT_TIMEOUT, 6.0, True),
        (FailureKind.CONNECT_TIMEOUT, 4.0, False),
        (FailureKind.TLS_TIMEOUT, 6.0, True),
        (FailureKind.DNS_SERVFAIL, 6.0, True),
        (FailureKind.STALLED, 6.0, True),
        (FailureKind.STALLED, 4.0, False),
        (FailureKind.NO_FIRST_TOKEN, 16.0, True),
        (FailureKind.SERVER_ERROR, 29.0, False),
        (FailureKind.TLS_RESET, 29.0, False),
    ],
)
async def test_a_timeout_is_ours_where_our_own_loop_hung_for_half_of_it(
    clock: HandClock, found: FailureKind, lag_s: float, *, is_ours: bool
) -> None:
    hung = replace(FINE.exchange, lag_ms=lag_s * 1000, lag_total_ms=lag_s * 1000)
    failure = Failure(found, "got nothing, want something")
    attempted = await run(Told(finds=replace(FINE, exchange=hung, failure=failure)), clock)
    assert kind(attempted) is (FailureKind.OVERRUN if is_ours else found)
    assert not attempted.result.trusted_timings


@pytest.mark.parametrize(("lag_s", "want"), [(2.1, FailureKind.SLOW), (2.3, FailureKind.OVERRUN)])
async def test_what_is_slow_only_by_our_own_lag_is_not_slow(
    clock: HandClock, lag_s: float, want: FailureKind
) -> None:
    """7.2 s where 5 s are allowed."""
    lagged = replace(FINE.exchange, lag_ms=1000.0, lag_total_ms=lag_s * 1000)
    slow = replace(FINE, exchange=lagged, ttft=7200.0)
    assert kind(await run(Told(finds=slow, slow="ttft > 5s"), clock)) is want


async def test_no_secret_and_no_control_character_stays_in_message_or_evidence(
    clock: HandClock,
) -> None:
    headers = {"x-echo": KEY, "set-cookie": "a=b", "authorization": KEY, "x-api-key": KEY}
    said = replace(FINE.exchange, headers=headers)
    failure = Failure(FailureKind.SERVER_ERROR, f"got {KEY}\x1b[31m, want none")
    attempted = await run(Told(finds=replace(FINE, exchange=said, failure=failure)), clock)
    assert KEY not in repr(attempted)
    assert "\x1b" not in (attempted.result.failure or failure).message
    assert attempted.evidence is not None
    assert attempted.evidence.headers == (("x-echo", "***"),)
