"""What a page costs: base URLs x 90 days, each with a history of its own.

python tests/bench/render.py [ENDPOINTS...]
"""

import gzip
import random
import re
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import NOON, Table, cost

from monitor.model import (
    WINDOWS,
    Check,
    CheckHistory,
    Endpoint,
    EntryKind,
    Failure,
    FailureKind,
    Incident,
    Outcome,
    PageSettings,
    Point,
    Result,
    Rollup,
    Service,
    Severity,
    Snapshot,
    TimelineEntry,
    Timings,
)
from monitor.model.rollup import bucket
from monitor.page import PageView, Pick, RenderCache, Renderer, Site, view
from monitor.page.html_files import HtmlFiles
from monitor.page.machine_files import status_json
from monitor.page.render import _Templates
from monitor.probes import PROBES

ROUNDS = 5
CHANGED = 20
"""One in so many has news."""
FULL_MS, SOME_MS, WEIGHT_KB = 60.0, 15.0, 250.0


def main() -> int:
    return sum(measure(int(each)) for each in sys.argv[1:] or ["100", "1000"])


@dataclass
class World:
    """`snapshot` is the newest; `age` makes the next one, ten seconds later."""

    site: Site
    snapshot: Snapshot
    picks: dict[str, Pick] = field(default_factory=dict)
    last: RenderCache = field(default_factory=RenderCache)

    def age(self, one_in: int) -> None:
        """One in so many checks has run again; of the others the store gives the same objects."""
        at = self.snapshot.at + timedelta(seconds=10)
        rng = random.Random(at.timestamp())
        changed = {
            key: history_of(check, at, rng)
            for number, (key, check) in enumerate((each.key, each) for each in self.site.checks)
            if number % one_in == at.second // 10 % one_in
        }
        self.snapshot = replace(self.snapshot, at=at, checks={**self.snapshot.checks, **changed})

    def view(self) -> PageView:
        page, picks = view(self.site, self.snapshot, self.picks, self.last)
        self.picks = dict(picks)
        return page


def measure(endpoints: int) -> int:
    world = made(endpoints)
    renderer = Renderer(world.last)
    found = renderer.files(world.view())  # templates are compiled, nothing else
    table = Table(f"Page: {endpoints:,} base URLs x 90 days, all different")
    for what, one_in, target in (
        ("all changed", 1, FULL_MS),
        (f"1 in {CHANGED} changed", CHANGED, SOME_MS),
    ):
        many = endpoints >= 1000
        view_ms, home_ms, files_ms = rounds(world, renderer, one_in)
        table.add(f"{what}: what it says", view_ms, "ms of CPU")
        table.add(f"{what}: index.html", home_ms, "ms of CPU", at_most=target if many else None)
        table.add(f"{what}: all other files", files_ms, "ms of CPU")
    weigh(table, "index.html", found["index.html"], WEIGHT_KB)
    table.add("index.html, elements", len(re.findall(rb"<[a-z]", found["index.html"])))
    page = world.view()
    table.add("status.json", timed(lambda: status_json(page)), "ms of CPU")
    weigh(table, "status.json", found["status.json"], None)
    table.add(
        "everything anew, as after a start", timed(lambda: Renderer().files(page)), "ms of CPU"
    )
    table.add("files", len(found))
    return table.print()


def rounds(
    world: World, renderer: Renderer, one_in: int
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """The view, the home page alone, all files, by round. Milliseconds of CPU."""
    views, homes, files = zip(*(once(world, renderer, one_in) for _ in range(ROUNDS)), strict=True)
    return views, homes, files


def once(world: World, renderer: Renderer, one_in: int) -> tuple[float, float, float]:
    world.age(one_in)
    pages: list[PageView] = []
    view_ms = timed(lambda: pages.append(world.view()))
    page = pages[0]
    template = _Templates(renderer._environment(page.language))
    home = HtmlFiles(template, page, renderer._assets(page)[0], (page,), renderer._cache)
    home_ms = timed(lambda: dict(home.home()))
    return view_ms, home_ms, timed(lambda: renderer.files(page))


def weigh(table: Table, name: str, content: bytes, target: float | None) -> None:
    table.add(f"{name}, plain", len(content) / 1000, "KB")
    table.add(f"{name}, gzipped", len(gzip.compress(content)) / 1000, "KB", at_most=target)


def timed(work: Callable[[], object]) -> float:
    with cost() as found:
        work()
    return found.cpu * 1000


# --- the world ------------------------------------------------------------------------------------


def made(count: int) -> World:
    probe = PROBES["chat"]().named("chat")
    endpoints = tuple(
        Endpoint(id=f"e{n}", service="many", url=f"https://api{n}.example", name=f"Mirror {n}")
        for n in range(count)
    )
    checks = tuple(
        Check(service="many", endpoint=endpoint, probe=probe, model="m") for endpoint in endpoints
    )
    site = Site(
        services=(Service(id="many", name="Many", endpoints=endpoints, model="m"),),
        checks=checks,
        settings=PageSettings(
            dir=Path("page"), url="https://status.example", title="Many", languages=("en",)
        ),
        vantage="local",
        version="0",
    )
    histories = {check.key: history_of(check, NOON, random.Random(check.key)) for check in checks}
    return World(site, Snapshot(at=NOON, checks=histories, incidents=troubles(checks)))


def troubles(checks: tuple[Check, ...]) -> tuple[Incident, ...]:
    """In 90 days one for every two base URLs, some of many of them, all over."""
    rng = random.Random(5)
    found = []
    for number in range(len(checks) // 2):
        opened = NOON - timedelta(days=rng.uniform(0.1, 89))
        covered = tuple(each.key for each in rng.sample(checks, rng.choice((1, 1, 1, 5))))
        found.append(
            Incident(
                id=number + 1,
                service="many",
                severity=rng.choice((Severity.DOWN, Severity.DEGRADED)),
                opened=opened,
                closed=opened + timedelta(minutes=rng.uniform(5, 100)),
                failure=Failure(FailureKind.SERVER_ERROR, "got 500, want 200"),
                checks=covered,
                active=frozenset(),
                failed_runs={FailureKind.SERVER_ERROR.value: 12},
                timeline=(TimelineEntry(at=opened, what=EntryKind.OPENED, check=covered[0]),),
            )
        )
    return tuple(sorted(found, key=lambda each: each.opened, reverse=True))


def history_of(check: Check, at: datetime, rng: random.Random) -> CheckHistory:
    """Days that failed, were half blind or not measured at all, each check's own; one in ten fails now."""
    median = rng.uniform(200, 3000)
    days = {
        at.date() - timedelta(days=back): day(rng, 288) for back in range(90) if rng.random() > 0.03
    }
    recent = tuple(
        result(check, at - timedelta(minutes=5 * back), median, rng) for back in range(5, -1, -1)
    )
    return CheckHistory(
        check=check.key,
        latest=recent[-1],
        states=(),
        days=days,
        last_24h=day(rng, 288, median),
        windows={length: day(rng, 288 * length, median) for length in WINDOWS},
        recent=recent,
        series=tuple(
            Point(
                at - timedelta(minutes=30 * (48 - n)),
                p50 := median * rng.lognormvariate(0, 0.1),
                p50 * rng.uniform(1.5, 2),
                rng.uniform(40, 90),
            )
            for n in range(48)
        ),
    )


def day(rng: random.Random, runs: int, median: float | None = None) -> Rollup:
    down = rng.randint(1, 40) if rng.random() < 0.1 else 0
    unknown = rng.randint(1, 20) if rng.random() < 0.05 else 0
    outcomes = {"up": runs - down - unknown, "down": down, "unknown": unknown}
    return Rollup(
        outcomes={name: count for name, count in outcomes.items() if count},
        kinds={FailureKind.SERVER_ERROR.value: down} if down else {},
        maintenance=rng.randint(1, 9) if rng.random() < 0.02 else 0,
        figures=figures(rng, median) if median else {},
    )


def figures(rng: random.Random, median: float) -> dict[str, dict[int, int]]:
    shares = {
        "dns": 0.02,
        "connect": 0.05,
        "tls": 0.06,
        "ttfb": 0.6,
        "ttft": 1,
        "ttft_visible": 1,
        "total": 2,
    }
    found = {name: humps(rng, median * share) for name, share in shares.items()}
    return found | {"tokens_per_s": humps(rng, 75)}


def humps(rng: random.Random, middle: float) -> dict[int, int]:
    """Sixty buckets around a value."""
    first = bucket(middle) - 20
    return {first + place: 1 + count for place, count in enumerate(rng.randbytes(60))}


def result(check: Check, at: datetime, median: float, rng: random.Random) -> Result:
    down = rng.random() < 0.1
    return Result(
        check=check.key,
        vantage="local",
        at=at,
        outcome=Outcome.DOWN if down else Outcome.UP,
        failure=Failure(FailureKind.SERVER_ERROR, "got 500, want 200") if down else None,
        timings=Timings(ttfb=median * 0.6, ttft=median, total=median * 2),
        cert_expires=datetime(2027, 3, 1, tzinfo=UTC),
    )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
    sys.exit(bool(main()))
