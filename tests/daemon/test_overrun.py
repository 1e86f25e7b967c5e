"""While our own loop hangs, nobody else is to blame, and no figure of that time counts."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest
from cast import HandClock

from monitor.alerts import AlertEngine
from monitor.budget import BudgetLedger
from monitor.config import parse
from monitor.cycle import Cycle
from monitor.model import CheckHistory, FailureKind, Outcome, Redactor
from monitor.probes import attempt
from monitor.probes.wire.client import Client
from monitor.schedule import Due
from monitor.store import Store

CONFIG = """
[service.s]
endpoints = {{ e = "http://127.0.0.1:{port}" }}
[service.s.probes]
http = {{ every = "1m", timeout = "3s", slow = "total > 1s" }}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def server(after_s: float) -> Iterator[int]:
    """In a thread of its own: our loop may hang, it does not. Never answers when `after_s` is long."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            if not ended.wait(after_s):
                connection.sendall(ANSWER)

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


async def lived(folder: Path, clock: HandClock, port: int, hang_s: float) -> CheckHistory:
    """One run through the whole cycle, with the loop stuck for so long after the request was sent."""
    config = parse(CONFIG.format(port=port), path=folder / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage="here")
    store.open()
    async with Client() as client:
        cycle = Cycle(
            ask=partial(
                attempt,
                client=client,
                clock=clock,
                rng=Random(1),
                vantage="here",
                redact=Redactor(),
            ),
            store=store,
            alerts=AlertEngine(config.alerts, config.channels, store.recall()),
            ledger=BudgetLedger(config.services, config.budgets, config.prices, {}),
            clock=clock,
            vantage="here",
        )
        check = config.checks[0]
        run = asyncio.create_task(cycle.tick(check, Due(clock.now(), 0.0, 0)))
        await asyncio.sleep(0.15)
        time.sleep(hang_s)
        await run
    await store.flush()
    history = (await store.snapshot(clock.now())).checks[check.key]
    await store.close()
    return history


def kind_of(history: CheckHistory) -> FailureKind | None:
    assert history.latest is not None
    return history.latest.failure and history.latest.failure.kind


async def test_a_run_that_was_slow_only_because_we_hung_is_an_overrun(
    tmp_path: Path, clock: HandClock
) -> None:
    with server(after_s=0.4) as port:
        # The kernel's stamps may tell the truth in spite of it: then it is a good run.
        history = await lived(tmp_path, clock, port, hang_s=1.5)
    assert history.latest is not None
    assert kind_of(history) in {FailureKind.OVERRUN, None}
    assert not history.latest.trusted_timings
    assert history.last_24h.quantile("total", 0.5) is None
    assert history.last_24h.quantile("ttfb", 0.5) is None


async def test_a_run_that_was_slow_by_itself_is_slow_also_when_we_hung_a_little(
    tmp_path: Path, clock: HandClock
) -> None:
    with server(after_s=2.0) as port:
        history = await lived(tmp_path, clock, port, hang_s=0.3)
    assert kind_of(history) is FailureKind.SLOW
    assert history.last_24h.quantile("total", 0.5) is None, "true, and yet no figure to be proud of"
    assert history.last_24h.availability == 1.0


async def test_a_timeout_that_we_slept_through_is_an_overrun_and_no_outage(
    tmp_path: Path, clock: HandClock
) -> None:
    with server(after_s=60.0) as port:
        history = await lived(tmp_path, clock, port, hang_s=2.0)
    assert history.latest is not None
    assert (kind_of(history), history.latest.outcome) == (FailureKind.OVERRUN, Outcome.UNKNOWN)
    assert (history.last_24h.availability, history.last_24h.unknown) == (None, 1)


@pytest.mark.parametrize("hang_s", [0.0, 0.3])
async def test_a_timeout_of_theirs_stays_theirs(
    tmp_path: Path, clock: HandClock, hang_s: float
) -> None:
    with server(after_s=60.0) as port:
        history = await lived(tmp_path, clock, port, hang_s=hang_s)
    assert kind_of(history) is FailureKind.HEADERS_TIMEOUT
