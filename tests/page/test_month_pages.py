"""The archive: a report of each month beside the page, read and written again only when something changed."""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import HandClock
from page_cast import CHECKS, SERVICE

from monitor.model import (
    Failure,
    FailureKind,
    Incident,
    Month,
    MonthRecord,
    Outcome,
    PageSettings,
    Result,
    RunRecord,
    Severity,
    Snapshot,
    Spend,
    StoreError,
    Timings,
)
from monitor.publisher import Publisher
from monitor.store import Store, read_month

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CHAT = "ohmygpt/us-direct/chat"
PRIVATE = replace(
    SERVICE,
    id="private",
    name="canary-name",
    public=False,
    endpoints=(
        replace(SERVICE.endpoints[0], service="private", id="canary-url", name="canary-endpoint"),
    ),
)


def result(at: datetime, check: str = CHAT, vantage: str = "here") -> Result:
    timings = Timings(ttft=640, total=1200)
    return Result(check=check, vantage=vantage, at=at, outcome=Outcome.UP, timings=timings)


def incident(number: int, opened: datetime) -> Incident:
    return Incident(
        id=number,
        service="ohmygpt",
        severity=Severity.DOWN,
        opened=opened,
        closed=opened + HOUR,
        checks=(CHAT,),
        active=frozenset(),
        failure=Failure(FailureKind.BAD_GATEWAY, 'got HTTP 502: "=<b>secret</b>", want 200'),
    )


def past() -> Sequence[RunRecord]:
    """A run at noon of each day from 20 July until 1 December; incidents in August and in November."""
    first = datetime(2026, 7, 20, 12, tzinfo=UTC)
    runs = [
        RunRecord(result=result(first + day * DAY), kind="chat", spent=Spend(9))
        for day in range(135)
    ]
    secret = replace(
        incident(3, NOW - 5 * DAY), service="private", checks=("private/canary-url/chat",)
    )
    canary = replace(runs[-1], result=result(NOW, "private/canary-url/chat"), spent=Spend(777))
    known = (secret, incident(1, datetime(2026, 8, 3, tzinfo=UTC)), incident(2, NOW - 20 * DAY))
    moved = RunRecord(result=result(NOW, CHAT, "hidden-place"), kind="chat")
    gone = RunRecord(result=result(NOW, "ohmygpt/hidden/chat", "hidden-place"), kind="chat")
    return [*runs, canary, moved, replace(gone, incidents=known)]


class Source:
    """A real store, which counts what it is asked and can be broken."""

    def __init__(self, url: str) -> None:
        self.url, self.read = url, list[str]()
        self.is_broken = False

    async def snapshot(self, now: datetime) -> Snapshot:
        with closing(Store.read_only(self.url, vantage="here")) as reader:
            return reader.snapshot(now)

    async def evidence(self, check: str, at: datetime) -> None:
        return None

    async def month(self, month: Month, now: datetime) -> MonthRecord:
        if self.is_broken:
            raise StoreError("the disk is full")
        self.read.append(str(month))
        with closing(Store.read_only(self.url)) as reader:
            return read_month(reader, month, now)


class Archive:
    """A publisher of the page of a store, and what it has written."""

    def __init__(self, folder: Path, source: Source, clock: HandClock, **settings: Any) -> None:
        self.folder, self.source, self.clock = folder / "page", source, clock
        given = {"reports": True, "languages": ("en", "zh-CN"), "url": None, **settings}
        self.settings = PageSettings(dir=self.folder, title="Ours <1>", **given)
        self.publisher = Publisher(
            source,
            (SERVICE, PRIVATE),
            CHECKS,
            self.settings,
            clock=clock,
            vantage="here",
            version="1.0",
        )

    async def look(self) -> list[str]:
        """Publish, and return the months that were read for it."""
        self.source.read.clear()
        await self.publisher.publish()
        return [*self.source.read]

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def months(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("reports/*/index.html"))


@pytest.fixture
async def source(tmp_path: Path) -> Source:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    store = Store(url, clock=HandClock(NOW), vantage="here")
    store.open()
    await store.backfill(past())
    await store.close()
    return Source(url)


MONTHS = ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]


async def test_each_month_since_the_first_has_a_report_in_each_language_and_a_list_leads_there(
    tmp_path: Path, source: Source
) -> None:
    archive = Archive(tmp_path, source, HandClock(NOW))
    assert await archive.look() == MONTHS[::-1]
    assert archive.months() == MONTHS
    listed = archive.text("reports/index.html")
    assert re.findall(r'<li><a href="([^"]*)">([^<]*)</a> ([^<]*)</li>', listed) == [
        ("2026-12/index.html", "December 2026", "0 incidents · in progress"),
        ("2026-11/index.html", "November 2026", "1 incident"),
        ("2026-10/index.html", "October 2026", "0 incidents"),
        ("2026-09/index.html", "September 2026", "0 incidents"),
        ("2026-08/index.html", "August 2026", "1 incident"),
        ("2026-07/index.html", "July 2026", "0 incidents"),
    ]
    assert "30 of 30" in archive.text("reports/2026-11/index.html")
    assert "2026年11月月度报告" in archive.text("zh-CN/reports/2026-11/index.html")
    assert 'href="reports/index.html"' in archive.text("index.html")
    assert 'href="reports/index.html"' in archive.text("zh-CN/index.html")


async def test_every_link_of_a_report_leads_to_a_file(tmp_path: Path, source: Source) -> None:
    archive = Archive(tmp_path, source, HandClock(NOW))
    await archive.look()
    for path in archive.folder.glob("**/reports/**/index.html"):
        for href in re.findall(r'href="([^"]*)"', path.read_text()):
            target = (path.parent / href).resolve()
            assert (target / "index.html" if target.is_dir() else target).is_file(), (path, href)
    november, august = (archive.text(f"reports/2026-{month}/index.html") for month in ("11", "08"))
    assert '<a href="../../incidents/2/">#2</a>' in november
    assert '<th scope="row">#1</th>' in august  # it has no page any more


async def test_nothing_is_read_or_written_again_until_something_changed(
    tmp_path: Path, source: Source
) -> None:
    clock = HandClock(NOW)
    archive = Archive(tmp_path, source, clock)
    await archive.look()
    before = {path: path.stat().st_mtime_ns for path in archive.folder.glob("**/reports/**/*.html")}
    clock.tick(600)
    assert await archive.look() == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    clock.tick(3600)
    assert await archive.look() == ["2026-12", "2026-11"]  # late results may have come
    clock.wall = datetime(2026, 12, 20, 12, tzinfo=UTC)
    await archive.look()
    clock.tick(3600)
    assert await archive.look() == ["2026-12"]


async def test_an_incident_that_changes_is_news_of_its_month_alone(
    tmp_path: Path, source: Source
) -> None:
    clock = HandClock(NOW + 10 * DAY)
    archive = Archive(tmp_path, source, clock)
    await archive.look()
    store = Store(source.url, clock=clock, vantage="here")
    store.open()
    longer = replace(incident(2, NOW - 20 * DAY), closed=NOW - 20 * DAY + 3 * HOUR)
    await store.backfill([RunRecord(result=result(NOW + DAY), kind="chat", incidents=(longer,))])
    await store.close()
    assert await archive.look() == ["2026-11"]
    assert "3\u00a0h" in archive.text("reports/2026-11/index.html")
    clock.tick(100 * 86400)  # the page of the incident is gone, so nothing leads there
    assert "2026-11" in await archive.look()
    assert '<th scope="row">#2</th>' in archive.text("reports/2026-11/index.html")


async def test_what_somebody_removed_is_written_again_and_another_site_makes_all_anew(
    tmp_path: Path, source: Source
) -> None:
    archive = Archive(tmp_path, source, HandClock(NOW))
    await archive.look()
    (archive.folder / "reports" / "2026-09" / "index.html").unlink()
    await archive.look()
    await archive.look()
    assert archive.months() == MONTHS
    settings = replace(archive.settings, reports=False)
    archive.publisher.change((SERVICE,), CHECKS, settings)
    assert await archive.look() == []
    assert archive.months() == []
    assert "reports/" not in archive.text("index.html")
    archive.publisher.change((SERVICE,), CHECKS, archive.settings)
    assert await archive.look() == MONTHS[::-1]


async def test_while_the_store_cannot_be_read_the_page_goes_on_and_reports_stay(
    tmp_path: Path, source: Source
) -> None:
    clock = HandClock(NOW)
    archive = Archive(tmp_path, source, clock)
    await archive.look()
    source.is_broken = True
    clock.tick(7200)
    assert await archive.look() == []
    assert archive.months() == MONTHS
    source.is_broken = False
    assert await archive.look() == ["2026-12", "2026-11"]


async def test_a_report_on_the_page_shows_no_more_than_the_page(
    tmp_path: Path, source: Source
) -> None:
    archive = Archive(tmp_path, source, HandClock(NOW), hosts=False)
    await archive.look()
    texts = [path.read_text() for path in archive.folder.glob("**/reports/**/*.html")]
    assert len(texts) == 2 * (len(MONTHS) + 1)
    for secret in (
        "https://api.ohmygpt.com",
        "tokens",
        "secret",
        "hidden",
        "canary",
        "#3",
        "<script",
        "Ours <1>",
    ):
        assert not [text for text in texts if secret in text], secret
    open_one = Archive(tmp_path, source, HandClock(NOW), spend=True)
    await open_one.look()
    november = open_one.text("reports/2026-11/index.html")
    assert "https://api.ohmygpt.com" in november
    assert "The probes spent 270\u00a0tokens." in november
    assert "canary" not in november


async def test_months_are_those_of_utc_and_say_so(tmp_path: Path, source: Source) -> None:
    late = HandClock(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    archive = Archive(tmp_path, source, late)
    assert (await archive.look())[0] == "2026-12"
    assert "time zone UTC" in archive.text("reports/2026-11/index.html")


async def test_before_anything_was_measured_the_list_says_so(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=HandClock(NOW), vantage="here")
    store.open()
    await store.close()
    archive = Archive(tmp_path, Source(f"sqlite:///{tmp_path / 'm.db'}"), HandClock(NOW))
    assert await archive.look() == ["2026-12"]
    assert "nothing measured · in progress" in archive.text("reports/index.html")
