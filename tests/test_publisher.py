"""LOOP 3: it publishes what the store knows, on its beat, and a bad round stops nothing."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import virtual_time
import worlds
from cast import HandClock, until
from page_cast import CHECKS, NOW, SERVICE, key, many
from virtual_time import VirtualClock, VirtualLoop

from monitor.model import Check, Evidence, PageSettings, Snapshot, StoreError
from monitor.page.render_cache import EVERY, SHARE
from monitor.probes import ProbeSettings
from monitor.publisher import LONG_S, MOST_REST_S, PIECE_S, Publisher, at_ease


class Shelf:
    """A store whose one snapshot the test holds in its hand."""

    def __init__(self, found: Snapshot) -> None:
        self.found = found
        self.broken = False
        self.asked = 0
        self.clock, self.takes_s = HandClock(NOW), 0.0

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        return Evidence(body=f"what {check} got at {at:%H:%M}")

    async def snapshot(self, now: datetime) -> Snapshot:
        self.asked += 1
        self.clock.tick(self.takes_s)
        if self.broken:
            raise StoreError("the disk is full")
        return replace(self.found, at=now)


def publisher(
    source: Shelf, folder: Path, *, errors: bool = False, checks: tuple[Check, ...] = CHECKS
) -> Publisher:
    return Publisher(
        source,
        (SERVICE,),
        checks,
        PageSettings(dir=folder, title="OhMyGPT status", errors=errors),
        clock=source.clock,
        vantage="Shanghai",
        version="0.1.0",
    )


def status(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "status.json").read_text())
    assert isinstance(found, dict)
    return found


class Knock(ProbeSettings):
    kind = "knock"
    title = "Knock"
    main_rank = 99


async def test_a_kind_of_probe_that_is_new_needs_nothing_of_the_page(tmp_path: Path) -> None:
    new = tuple(
        replace(check, probe=Knock().named("knock"))
        for check in CHECKS
        if check.probe.id == "models"
    )
    found = publisher(Shelf(worlds.mixed()), tmp_path, checks=(*new, *CHECKS))
    await found.publish()
    [service] = status(tmp_path)["services"]
    assert {each["main"] for each in service["endpoints"]} == {"chat"}


async def test_it_publishes_what_the_store_knows(tmp_path: Path) -> None:
    await publisher(Shelf(worlds.mixed()), tmp_path).publish()
    assert status(tmp_path)["headline"] == (
        "The service is up. One base URL is not reachable from Shanghai."
    )
    assert "One base URL is not reachable from Shanghai." in (tmp_path / "index.html").read_text()


async def test_what_failing_calls_got_is_shown_only_where_the_operator_wants_it(
    tmp_path: Path,
) -> None:
    for errors in (False, True):
        await publisher(Shelf(worlds.mixed()), tmp_path, errors=errors).publish()
        page = (tmp_path / "endpoints" / "ohmygpt" / "us-direct" / "index.html").read_text()
        assert ("what ohmygpt/us-direct/chat got at 13:42" in page) is errors
        beside = tmp_path / "endpoints" / "ohmygpt" / "us-direct" / "status.json"
        assert ("what ohmygpt" in beside.read_text()) is errors


async def test_own_pages_without_news_follow_in_turns_by_the_daemons_clock(tmp_path: Path) -> None:
    site, snapshot = many(41)
    clock = HandClock(NOW)
    loop = Publisher(
        Shelf(snapshot),
        site.services,
        site.checks,
        replace(site.settings, dir=tmp_path),
        clock=clock,
        vantage="Shanghai",
        version="0.1.0",
    )

    async def pages() -> list[str]:
        await loop.publish()
        found = sorted((tmp_path / "endpoints").glob("*/*/index.html"))
        return [path.read_text() for path in found]

    first = await pages()
    wait = min(EVERY, site.stale_after * SHARE).total_seconds()
    clock.tick(0.83 * wait)
    new = sum(one != other for one, other in zip(first, await pages(), strict=True))
    assert len(first) == 41
    assert 0 < new < 41


async def test_the_last_page_says_that_monitoring_stopped(tmp_path: Path) -> None:
    await publisher(Shelf(worlds.all_good()), tmp_path).publish(stopped=True)
    found = status(tmp_path)
    assert found["stopped_at"] == found["valid_until"] == "2026-11-23T13:42:05Z"
    badge = json.loads((tmp_path / "badge" / "ohmygpt" / "cf-cdn.json").read_text())
    assert badge["message"] == "no data"


async def test_it_remembers_its_pick_from_round_to_round(tmp_path: Path) -> None:
    """640 ms against 600 is no reason to send everybody elsewhere."""
    shelf = Shelf(worlds.all_good())
    loop = publisher(shelf, tmp_path)
    await loop.publish()
    quicker = shelf.found.checks[key("proxy-1")]
    recent = tuple(
        replace(result, timings=replace(result.timings, ttft=600.0)) for result in quicker.recent
    )
    shelf.found = replace(
        shelf.found,
        checks={**shelf.found.checks, key("proxy-1"): replace(quicker, recent=recent)},
    )
    await loop.publish()
    assert (tmp_path / "best.txt").read_text() == "https://api.ohmygpt.com\n"


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_restart_sends_nobody_elsewhere(tmp_path: Path, stopped: bool) -> None:
    shelf = Shelf(worlds.all_good())
    await publisher(shelf, tmp_path).publish(stopped=stopped)
    quicker = shelf.found.checks[key("proxy-1")]
    recent = tuple(
        replace(result, timings=replace(result.timings, ttft=600.0)) for result in quicker.recent
    )
    shelf.found = replace(
        shelf.found,
        checks={**shelf.found.checks, key("proxy-1"): replace(quicker, recent=recent)},
    )
    await publisher(shelf, tmp_path).publish()
    assert (tmp_path / "best.txt").read_text() == "https://api.ohmygpt.com\n"


@pytest.mark.parametrize("said", ["", "{", "[]", '{"last": 5}', '{"last": {"ohmygpt": ["x"]}}'])
async def test_an_older_choice_that_cannot_be_read_stops_nothing(tmp_path: Path, said: str) -> None:
    (tmp_path / "best.json").write_text(said)
    await publisher(Shelf(worlds.all_good()), tmp_path).publish()
    assert (tmp_path / "best.txt").read_text() == "https://api.ohmygpt.com\n"


async def test_a_bad_round_is_logged_and_the_next_one_publishes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, stop = Shelf(worlds.all_good()), asyncio.Event()
    shelf.broken = True
    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(
            publisher(shelf, tmp_path).run(stop, timedelta(milliseconds=10))
        )
        await until(lambda: shelf.asked >= 2)
        assert list(tmp_path.iterdir()) == []
        shelf.broken = False
        await until((tmp_path / "index.html").is_file)
        stop.set()
        await asyncio.wait_for(running, 10)
    assert 'event=page_not_written why="the disk is full"' in caplog.text
    assert "event=published files_changed=" in caplog.text


def test_a_calm_page_is_made_at_each_third_beat_and_at_the_next_one_where_something_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(_: VirtualLoop, __: VirtualClock) -> list[int]:
        shelf, stop, changes = Shelf(worlds.all_good()), asyncio.Event(), [0]
        loop = publisher(shelf, tmp_path)
        running = asyncio.create_task(loop.run(stop, timedelta(seconds=10), lambda: changes[0]))
        pages = []

        async def beats(count: int) -> None:
            for _ in range(count):
                await asyncio.sleep(10)
                pages.append(shelf.asked)

        await asyncio.sleep(5)
        await beats(6)
        changes[0] += 1  # something is suspected
        await beats(3)
        loop.change((SERVICE,), CHECKS[:1], loop.site.settings)
        await beats(2)
        shelf.found = replace(shelf.found, checks={})  # nothing is known
        await beats(3)
        stop.set()
        await running
        return pages

    pages = virtual_time.run(monkeypatch, story)
    assert pages[:6] == [1, 1, 2, 2, 2, 3]
    assert pages[6:9] == [4, 4, 4]
    assert pages[9:11] == [5, 5]
    assert pages[11:] == [5, 6, 7]


@pytest.mark.parametrize(
    ("takes_s", "pages"),
    [(0.9, [1, 2, 3, 4, 5, 6]), (1.5, [1, 1, 2, 2, 3, 3]), (60.0, [1, 1, 1, 2, 2, 2])],
)
def test_a_page_takes_no_more_than_a_tenth_of_the_time_and_is_made_at_each_third_beat_at_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_s: float, pages: list[int]
) -> None:
    async def story(_: VirtualLoop, __: VirtualClock) -> list[int]:
        shelf, stop, made = Shelf(replace(worlds.all_good(), checks={})), asyncio.Event(), []
        shelf.takes_s = takes_s
        loop = publisher(shelf, tmp_path)
        running = asyncio.create_task(loop.run(stop, timedelta(seconds=10)))
        await asyncio.sleep(5)
        for _ in range(6):
            made.append(shelf.asked)
            await asyncio.sleep(10)
        stop.set()
        await running
        return made

    assert virtual_time.run(monkeypatch, story) == pages


async def test_a_page_that_somebody_deletes_or_overwrites_is_there_again_with_the_next_but_one(
    tmp_path: Path,
) -> None:
    loop = publisher(Shelf(worlds.all_good()), tmp_path)
    await loop.publish()
    deleted = tmp_path / "endpoints" / "ohmygpt" / "cf-cdn" / "index.html"
    overwritten = deleted.with_name("status.json")
    before = deleted.read_text(), overwritten.read_text()
    deleted.unlink()
    overwritten.write_text("somebody else's")
    await loop.publish()
    await loop.publish()
    assert (deleted.read_text(), overwritten.read_text()) == before


async def test_what_could_not_be_written_is_written_whole_when_it_can(tmp_path: Path) -> None:
    shelf = Shelf(worlds.all_good())
    loop = publisher(shelf, tmp_path)
    await loop.publish()
    page = tmp_path / "endpoints" / "ohmygpt" / "us-direct" / "index.html"
    shelf.found = worlds.mixed()
    home = tmp_path / "index.html"
    home.unlink()
    home.mkdir()  # the home page comes last
    with pytest.raises(OSError, match=r"index\.html"):
        await loop.publish()
    home.rmdir()
    page.write_text("lost by the disk")
    await loop.publish()
    assert 'data-state="major_outage"' in page.read_text()


async def test_a_folder_that_cannot_be_written_is_used_as_soon_as_it_can(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.write_text("a file in the way")
    loop = publisher(Shelf(worlds.all_good()), folder)
    with pytest.raises(OSError, match="page"):
        await loop.publish()
    folder.unlink()
    await loop.publish()
    assert (folder / "index.html").is_file()


def test_a_page_that_takes_long_leaves_half_of_the_time_to_the_probes() -> None:
    clock, rests = HandClock(NOW), list[float]()
    began = clock.monotonic()
    for _ in at_ease(range(200), clock.monotonic, rests.append):
        clock.tick(PIECE_S / 4)
    worked = clock.monotonic() - began
    assert sum(rests) == pytest.approx(worked - LONG_S, abs=3 * PIECE_S)
    assert [*at_ease(range(9), clock.monotonic, rests.append)] == [*range(9)]


def test_a_process_that_was_paused_for_hours_rests_for_no_hours() -> None:
    clock, rests = HandClock(NOW), list[float]()
    for _ in at_ease(range(3), clock.monotonic, rests.append):
        clock.tick(20_000)
    assert rests == [MOST_REST_S] * 3
