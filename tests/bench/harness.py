"""What the benchmarks share: a table with its targets, made-up results, and the cost of a process.

With `WRITE_DOCS=1`, as `make bench` sets it, what a program prints also takes its place in `docs/performance.md`.
"""

import gc
import math
import os
import platform
import random
import re
import sqlite3
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from monitor.clock import SystemClock
from monitor.model import Failure, FailureKind, Outcome, Result, RunRecord, Stream, Timings, Usage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
HEAD = "|  | measured | of all rounds | target |  |\n|---|---|---|---|---|\n"


@dataclass
class Table:
    """One line for each figure, printed as Markdown: measured, its target, whether it is met."""

    title: str
    versions: str = ""
    """Of other programs that were measured."""
    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(
        self,
        what: str,
        measured: float | Sequence[float],
        unit: str = "",
        *,
        at_most: float | None = None,
        of_rounds: Sequence[float] = (),
    ) -> None:
        """Of several rounds the median counts, and the least and most stand beside it.

        `of_rounds` is what each round gave where `measured` is of all of them together, as a quantile must be.
        """
        rounds = [measured] if isinstance(measured, float | int) else measured
        middle = statistics.median(rounds)
        rounds = of_rounds or rounds
        spread = f"{number(min(rounds))} to {number(max(rounds))}" if len(rounds) > 1 else ""
        target = "" if at_most is None else f"<= {number(at_most)} {unit}".rstrip()
        met = "" if at_most is None else "met" if middle <= at_most else "MISSED"
        self.rows.append((what, f"{number(middle)} {unit}".rstrip(), spread, target, met))

    @property
    def text(self) -> str:
        rows = "".join(f"| {' | '.join(row)} |\n" for row in self.rows)
        return f"### {self.title}\n\n{conditions(self.versions)}\n\n{HEAD}{rows}"

    def print(self) -> int:
        """The number of targets that were missed."""
        print(f"\n{self.text}", flush=True)
        _printed.append(self.text)
        if os.environ.get("WRITE_DOCS"):
            program, text = Path(sys.argv[0]).name, "\n".join(_printed)
            DOCS.write_text(with_block(DOCS.read_text("utf-8"), program, text), "utf-8")
        return sum(row[-1] == "MISSED" for row in self.rows)


_printed: list[str] = []
"""The tables of this process."""


def with_block(page: str, program: str, text: str) -> str:
    """The page with what a program printed between its two marks."""
    begin, end = f"<!-- {program} -->\n", f"<!-- end of {program} -->\n"
    before, found, rest = page.partition(begin)
    if not found:
        return page
    return before + begin + text + end + rest.partition(end)[2]


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def conditions(others: str = "") -> str:
    openssl = re.sub(r" +\d+ \w+ \d+$", "", ssl.OPENSSL_VERSION)
    realtime = os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}
    return (
        f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}, {openssl}, SQLite "
        f"{sqlite3.sqlite_version}{others and ', '}{others}; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}{', at real-time priority' * realtime}; "
        f"{SystemClock().now():%Y-%m-%d %H:%M} UTC."
    )


@dataclass
class Cost:
    """Seconds."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def cost() -> Iterator[Cost]:
    """Of this process, all threads."""
    gc.collect()
    found = Cost()
    wall, cpu = time.perf_counter(), time.process_time()
    yield found
    found.cpu, found.wall = time.process_time() - cpu, time.perf_counter() - wall


def median_of(times: int, work: Callable[[], float]) -> float:
    return statistics.median(work() for _ in range(times))


def quantile(values: Iterable[float], q: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and its threads have used, also those that have ended, to the nanosecond."""
    return time.clock_gettime(
        ~pid << 3 | 2
    )  # as clock_getcpuclockid(3) names the clock of a process


def rss_mb(pid: int | str = "self") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def plausible(rng: random.Random, at: datetime, check: str) -> Result:
    """A streaming chat with every figure there is; one in fifty fails, with one of forty messages."""
    if rng.random() < 0.02:
        failure = Failure(
            FailureKind.BAD_GATEWAY, f"got 502, want 200 (upstream {rng.randint(1, 40)})"
        )
        return Result(
            check=check,
            vantage="local",
            at=at,
            outcome=Outcome.DOWN,
            failure=failure,
            http_status=502,
            remote_ip="192.0.2.7",
            timings=Timings(ttfb=412.7, total=413.0),
        )
    dns, connect, tls = (rng.lognormvariate(mean, 0.4) for mean in (1.5, 3.0, 3.5))
    ttfb = dns + connect + tls + rng.lognormvariate(5.3, 0.5)
    ttft = ttfb + rng.lognormvariate(3, 0.8)
    tokens = rng.randint(32, 64)
    return Result(
        check=check,
        vantage="local",
        at=at,
        outcome=Outcome.UP,
        timings=Timings(
            dns=dns,
            connect=connect,
            tls=tls,
            ttfb=ttfb,
            ttft=ttft,
            ttft_visible=ttft,
            total=ttft + rng.lognormvariate(6.3, 0.4),
        ),
        http_status=200,
        remote_ip=f"192.0.2.{rng.randint(1, 8)}",
        model="gpt-4o-mini",
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


def entries(seed: int, count: int, checks: int, start: datetime = NOON) -> list[RunRecord]:
    """One a minute of each check, evenly spread."""
    rng = random.Random(seed)
    return [
        RunRecord(
            result=plausible(rng, start + MINUTE / checks * place, f"a/e{place % checks}/chat"),
            kind="chat",
        )
        for place in range(count)
    ]
