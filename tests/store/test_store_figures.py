"""What a result costs on disk and in time, and how long a look at ninety days takes."""

import random
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from store_cast import NOON, entry, failed, in_a_file, opened, streamed

from monitor.clock import Clock
from monitor.model import Result, RunRecord, Stream, Timings, Usage

ROWS = 100_000


def plausible(rng: random.Random, at: datetime, check: str) -> Result:
    """A streaming chat with every figure there is; one in fifty fails."""
    if rng.random() < 0.02:
        return failed(at, check=check, message=f"got 502, want 200 (after {rng.random():.2f} s)")
    dns, connect, tls = (rng.lognormvariate(mean, 0.4) for mean in (1.5, 3.0, 3.5))
    ttfb = dns + connect + tls + rng.lognormvariate(5.3, 0.5)
    ttft = ttfb + rng.lognormvariate(3, 0.8)
    tokens = rng.randint(32, 64)
    return streamed(
        at,
        check=check,
        remote_ip=f"192.0.2.{rng.randint(1, 8)}",
        timings=Timings(
            dns=dns,
            connect=connect,
            tls=tls,
            ttfb=ttfb,
            ttft=ttft,
            ttft_visible=ttft,
            total=ttft + rng.lognormvariate(6.3, 0.4),
        ),
        stream=Stream(
            events=tokens + 3,
            content_chunks=tokens,
            tokens_out=tokens,
            tokens_per_s=rng.lognormvariate(4.2, 0.3),
            stall_max_ms=rng.lognormvariate(4, 0.5),
            icl_p50_ms=rng.lognormvariate(2.5, 0.3),
            icl_p95_ms=rng.lognormvariate(3.3, 0.3),
            finish_reason="stop",
            complete=True,
        ),
        usage=Usage(tokens_in=31, tokens_out=tokens, cost_usd=31 * 1.5e-7 + tokens * 6e-7),
        late_ms=rng.random() * 3,
    )


def entries(rng: random.Random, count: int, checks: int, start: datetime) -> list[RunRecord]:
    step = timedelta(minutes=1) / checks
    return [
        entry(plausible(rng, start + step * number, f"a/e{number % checks}/chat"))
        for number in range(count)
    ]


@in_a_file
@pytest.mark.slow
async def test_a_result_with_every_figure_takes_at_most_110_bytes(
    tmp_path: Path, url: str, clock: Clock
) -> None:
    given = entries(random.Random(1), ROWS, 200, NOON)
    clock.wall = NOON + timedelta(minutes=5)
    async with opened(url, clock) as store:
        started, cpu = time.perf_counter(), time.process_time()
        for place, one in enumerate(given):
            store.record(one)
            if place % 1000 == 999:
                await store.flush()
        wall_s, cpu = time.perf_counter() - started, time.process_time() - cpu
        assert store.trouble is None
    stored = (tmp_path / "monitor.db").stat().st_size
    print(
        f"\n{stored / ROWS:.1f} bytes, {wall_s / ROWS * 1e6:.1f} us, "
        f"{cpu / ROWS * 1e6:.1f} us of CPU per result"
    )
    assert 5 < stored / ROWS <= 110
