"""Lighthouse on a page that is served: what it thinks of it, and whether it had a processor to think with."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from browser import CHROMIUM

TOOL = Path(__file__).parents[2] / "node_modules/.bin/lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
FIGURES = {
    "first-contentful-paint": "fcp_ms",
    "largest-contentful-paint": "lcp_ms",
    "total-blocking-time": "tbt_ms",
    "cumulative-layout-shift": "shift",
    "total-byte-weight": "bytes",
}
_PROC = Path("/proc")
_SLOW_MACHINE = 1000
"""Of Lighthouse's own benchmark: below it, it warns that its figures are not to be relied on."""
_STARVED = 0.25
"""With a machine to itself, the browser's own threads make each other wait for up to a fifth of the time."""


@dataclass(frozen=True, slots=True)
class Opinion:
    scores: Mapping[str, float]
    """Out of 100."""
    figures: Mapping[str, float]
    wrong: tuple[str, ...]
    """What weighs and was not found perfect, speed apart."""
    benchmark: float
    waited: float
    """Share of its time that the page's main thread stood in the queue for a processor."""

    @property
    def calm(self) -> bool:
        """Whether its speed is the page's, and not that of a machine that has other things to do."""
        return self.benchmark >= _SLOW_MACHINE and self.waited < _STARVED

    @property
    def performance(self) -> float:
        return self.scores["performance"]


class TooBusyError(Exception):
    """The machine had so little time for it that there is no opinion."""


async def opinion(url: str) -> Opinion:
    """As on a mid-range phone with a poor link, both simulated."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        to = Path(folder) / "report.json"
        async with _running(url, to) as process:
            waited = await _waited(process)
        report = json.loads(to.read_text()) if to.is_file() else {}
    trouble = report.get("runtimeError") if report else "no report"
    if trouble and waited >= _STARVED:
        raise TooBusyError(f"{waited:.0%} of the time without a processor: {trouble}")
    assert not trouble, trouble
    return _read(report, waited)


def _read(report: Mapping[str, dict[str, dict[str, object]]], waited: float) -> Opinion:
    audits: dict[str, dict[str, float]] = report["audits"]  # type: ignore[assignment]
    categories: dict[str, dict[str, list[dict[str, str]]]] = report["categories"]  # type: ignore[assignment]
    weighs = [
        category["id"]
        for name in CATEGORIES[1:]
        for category in categories[name]["auditRefs"]
        if category["weight"]
    ]
    return Opinion(
        scores={name: 100 * float(str(categories[name]["score"])) for name in CATEGORIES},
        figures={short: audits[name]["numericValue"] for name, short in FIGURES.items()},
        wrong=tuple(audit for audit in weighs if audits[audit]["score"] not in {None, 1}),
        benchmark=float(str(report["environment"]["benchmarkIndex"])),
        waited=waited,
    )


@contextlib.asynccontextmanager
async def _running(url: str, to: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    flags = "--headless=new --no-sandbox --disable-background-networking --disable-component-update"
    process = await asyncio.create_subprocess_exec(
        TOOL,
        url,
        "--quiet",
        "--output=json",
        f"--output-path={to}",
        f"--chrome-flags={flags}",
        f"--only-categories={','.join(CATEGORIES)}",
        env={**os.environ, "CHROME_PATH": str(CHROMIUM)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        for running_pid in (
            [*_below(process.pid), process.pid] if process.returncode is None else ()
        ):
            with contextlib.suppress(ProcessLookupError):
                os.kill(running_pid, 15)
        await process.wait()


async def _waited(process: asyncio.subprocess.Process) -> float:
    """Looked up while they live: the kernel forgets with them."""
    times: dict[int, tuple[int, int]] = {}
    ended = asyncio.create_task(process.wait())
    end = asyncio.get_running_loop().time() + 150
    while not ended.done() and asyncio.get_running_loop().time() < end:
        for pid in _below(process.pid):
            with contextlib.suppress(OSError, ValueError):
                if b"--type=renderer" in (_PROC / str(pid) / "cmdline").read_bytes():
                    ran, waited, _ = (_PROC / str(pid) / "schedstat").read_text().split()
                    times[pid] = int(ran), int(waited)
        await asyncio.wait({ended}, timeout=0.2)
    ran, waited = (sum(each[n] for each in times.values()) for n in (0, 1))
    return waited / (ran + waited) if ran else 0.0


def _below(root: int) -> Iterator[int]:
    """All that descend from it."""
    parents: dict[int, int] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    for pid, parent in parents.items():
        above = parent
        while above not in {0, root}:
            above = parents.get(above, 0)
        if above == root:
            yield pid
