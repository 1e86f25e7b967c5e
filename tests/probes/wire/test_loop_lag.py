"""The lag of our own event loop, as those who wait feel it."""

import asyncio
import time

import pytest

from monitor.probes.wire.loop_lag import LagMeter, LoopLag

TICK_S = 0.025
HUNG_S = 0.4


async def watched(meter: LagMeter, until: asyncio.Event) -> LoopLag:
    with meter.watch() as span:
        await until.wait()
    return span


async def test_one_lag_counts_once_however_many_end_while_it_lasts() -> None:
    meter, over = LagMeter(), asyncio.Event()
    tasks = [asyncio.create_task(watched(meter, over)) for _ in range(20)]
    await asyncio.sleep(0)
    over.set()
    time.sleep(HUNG_S)  # that is what is measured
    spans = await asyncio.gather(*tasks)
    meter.close()

    hung_ms = (HUNG_S - TICK_S) * 1000
    assert all(hung_ms <= span.total_ms < 2 * hung_ms for span in spans), (
        "each felt all of it, once"
    )
    assert all(span.worst_ms == span.total_ms for span in spans)


@pytest.mark.parametrize("before_s", [0.0, 0.01, 0.02, 0.03, 0.06])
async def test_a_hang_of_80_ms_is_seen_whenever_it_begins(before_s: float) -> None:
    """Timings are left out of statistics from 50 ms on."""
    meter = LagMeter()
    with meter.watch() as span:
        await asyncio.sleep(before_s)
        time.sleep(0.08)
    meter.close()
    assert span.worst_ms > 50


async def test_who_comes_later_felt_nothing_of_it() -> None:
    meter, over = LagMeter(), asyncio.Event()
    early = asyncio.create_task(watched(meter, over))
    await asyncio.sleep(0)
    time.sleep(HUNG_S)
    with meter.watch() as late:
        over.set()
        await early
    meter.close()
    assert late.total_ms < 100 < early.result().total_ms


async def test_the_worst_is_that_of_the_own_time() -> None:
    meter, over = LagMeter(), asyncio.Event()
    early = asyncio.create_task(watched(meter, over))
    await asyncio.sleep(0)
    time.sleep(HUNG_S)
    await asyncio.sleep(TICK_S)  # a tick that is on time
    later = asyncio.create_task(watched(meter, over))
    await asyncio.sleep(0)
    time.sleep(HUNG_S / 2)
    over.set()
    first, second = await asyncio.gather(early, later)
    meter.close()
    assert second.worst_ms == second.total_ms < first.worst_ms < first.total_ms


async def test_many_at_once_do_not_make_a_late_loop_later() -> None:
    """Each run once looked at all others twice: of ten thousand, a lag of a second became one of minutes."""
    meter, over, count = LagMeter(), asyncio.Event(), 10_000
    tasks = [asyncio.create_task(watched(meter, over)) for _ in range(count)]
    await asyncio.sleep(0)
    over.set()
    time.sleep(HUNG_S)
    began = time.process_time()
    spans = await asyncio.gather(*tasks)
    took_s = time.process_time() - began
    meter.close()
    assert {span.total_ms > HUNG_S * 500 for span in spans} == {True}
    assert took_s < 1
