"""Somebody sets the clock while a run is under way: its timings are as long as it took."""

import time

import pytest
from servers import saying, serving

from monitor.probes.exchange import HttpRequest
from monitor.probes.wire.client import Client


@pytest.mark.parametrize("hours", [-1, 1])
async def test_no_timing_comes_from_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Seen from the run, the kernel's stamps are then an hour off: they are not believed."""
    true = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true() + hours * 3_600_000_000_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    async with serving(saying(0.2, answer, 0.2, b"ok")) as server, Client() as client:
        began = time.monotonic()
        exchange = await client.send(
            HttpRequest(method="GET", url=f"http://127.0.0.1:{server.port}/")
        )
        took_ms = (time.monotonic() - began) * 1000
    timings = exchange.timings
    assert timings.ttfb is not None
    assert timings.total is not None
    assert 190 <= timings.ttfb <= timings.total <= took_ms + 1
    assert timings.total >= 390
