"""What people ask from another process reaches the alerts within seconds, or when the daemon starts."""

import asyncio
import logging
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from cast import HandClock, until
from daemon_cast import MONITOR, House, living
from listening import free_port
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import AlertEngine
from monitor.cli.ack import ack
from monitor.cli.announce import announce, announcements, end_announcement
from monitor.cli.asked import say_asked
from monitor.cli.incident_note import add_note
from monitor.cli.silence import silence
from monitor.cli.status import document, tables
from monitor.cli.time_range import parse_time
from monitor.clock import SystemClock
from monitor.config import Config, parse
from monitor.daemon.app import Daemon
from monitor.daemon.operator_requests import OperatorRequests
from monitor.model import (
    AlertSettings,
    EntryKind,
    Failure,
    FailureKind,
    Incident,
    MonitorError,
    Mute,
    NotificationType,
    OperatorRequest,
    OutboxMessage,
    Outcome,
    RequestKind,
    Result,
    RunRecord,
    Severity,
    Silence,
    StoreError,
)
from monitor.model.errors import REACH
from monitor.store import Store

TEXT = """
[monitor]
listen = ""
[service.s]
key = "${KEY}"
endpoints = { a = "http://127.0.0.1:9", b = "http://127.0.0.1:9" }
probes = { http = "1h" }
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return parse(TEXT, path=tmp_path / "monitor.toml", env={"KEY": "key-of-the-house-1"})


@pytest.fixture
async def store(config: Config, clock: HandClock) -> AsyncIterator[Store]:
    opened = Store(config.store, clock=clock)
    opened.open()
    yield opened
    await opened.close()


def down(clock: HandClock, check: str = "s/a/http") -> Result:
    failure = Failure(FailureKind.BAD_GATEWAY, "got 502")
    return Result(
        check=check, vantage="local", at=clock.now(), outcome=failure.outcome, failure=failure
    )


async def judged(store: Store, alerts: AlertEngine, *results: Result) -> None:
    for result in results:
        changes = alerts.judge(result)
        store.record(
            RunRecord(
                result=result,
                kind="http",
                states=changes.states,
                incidents=changes.incidents,
                outgoing=changes.outgoing,
            )
        )
    await store.flush()


async def stored(store: Store, number: int = 1) -> Incident:
    await store.flush()
    incident = await store.incident(number)
    assert incident
    return incident


async def test_a_silence_asked_for_beside_the_daemon_holds_and_survives_a_restart(
    config: Config, store: Store, clock: HandClock
) -> None:
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    said = silence(config, "s/a", 2 * HOUR, "new disk", clock.now())
    assert said == "s/a: silenced until 2026-11-24 14:00 UTC"
    await OperatorRequests(store, alerts, clock).handle_waiting()
    await judged(store, alerts, *[down(clock)] * 3)
    assert (await stored(store)).muted is Mute.SILENCE
    assert await store.requests() == ()

    again = store.recall()
    assert again.silences == (
        Silence(target="s/a", since=clock.now(), until=clock.now() + 2 * HOUR, why="new disk"),
    )
    assert (await store.snapshot(clock.now())).silences == again.silences
    clock.tick(7200)
    assert store.recall().silences == ()


async def test_a_silence_ends_early_when_somebody_says_so(
    config: Config, store: Store, clock: HandClock
) -> None:
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    silence(config, "all", 2 * HOUR, "", clock.now())
    box = OperatorRequests(store, alerts, clock)
    await box.handle_waiting()
    await judged(store, alerts, *[down(clock)] * 3)
    clock.tick(1)
    assert (
        silence(config, "all", timedelta(0), "", clock.now()) == "everything: the silence is ended"
    )
    await box.handle_waiting()
    assert (await stored(store)).announced
    assert store.recall().silences == ()


@pytest.mark.parametrize("longest", [(300, "the reason"), (1000, "the announcement")])
def test_a_text_that_the_page_would_cut_is_refused(
    config: Config, store: Store, clock: HandClock, longest: tuple[int, str]
) -> None:
    limit, what = longest
    told = f"{what} has {limit + 1:,} characters; it may have at most {limit:,}"
    text = "x" * (limit + 1)
    ask = {
        "the reason": lambda: silence(config, "all", HOUR, text, clock.now()),
        "the announcement": lambda: announce(config, text, None, "", clock.now()),
    }
    with pytest.raises(MonitorError, match=told):
        ask[what]()
    assert store.recall().silences == ()
    assert announcements(config, clock.now()) == ()
    announce(config, "x" * 1000, None, "", clock.now())
    [standing] = announcements(config, clock.now())
    assert standing.text == "x" * 1000


def test_only_a_silence_that_is_there_is_ended(
    config: Config, store: Store, clock: HandClock
) -> None:
    with pytest.raises(MonitorError, match=r"^there is no silence of s; nor of anything else$"):
        silence(config, "s", timedelta(0), "", clock.now())
    silence(config, "all", HOUR, "", clock.now())
    with pytest.raises(MonitorError, match=r"^there is no silence of s; there is one of: all$"):
        silence(config, "s", timedelta(0), "", clock.now())
    assert len(store.recall().silences) == 1


async def test_where_no_daemon_runs_it_is_said_that_a_request_waits(
    config: Config, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(config.store, clock=clock)
    store.open()
    say_asked(config, "asked")
    assert capsys.readouterr().out == "asked\n"
    await store.close()
    say_asked(config, "asked")
    assert capsys.readouterr().out == (
        "asked\nNo daemon runs: it is done when one starts (`monitor run`).\n"
    )


async def test_an_announcement_stands_until_its_time_or_until_somebody_ends_it(
    config: Config, store: Store, clock: HandClock
) -> None:
    """Through restarts and long after other requests are forgotten; nothing that is measured follows from it."""
    requests = OperatorRequests(store, AlertEngine(AlertSettings(), (), store.recall()), clock)
    until = parse_time("2d")
    assert announce(config, "A new\x07 model.", None, "", clock.now()).startswith(
        "announced until you end it"
    )
    said = announce(config, "Slow key-of-the-house-1.", until, "s", clock.now())
    assert said == "announced until 2026-11-26 12:00 UTC"
    standing = announcements(config, clock.now())
    assert [(each.service, each.text) for each in standing] == [
        ("s", "Slow ***."),
        ("", "A new model."),
    ]
    await requests.handle_waiting()
    snapshot = await store.snapshot(clock.now())
    assert snapshot.announcements == standing
    assert snapshot.incidents == ()

    clock.tick(timedelta(days=40) / timedelta(seconds=1))
    silence(config, "all", HOUR, "", clock.now())
    await requests.handle_waiting()
    (stands,) = (await store.snapshot(clock.now())).announcements
    assert stands == standing[1]
    with pytest.raises(MonitorError, match="there is no announcement 9; `monitor announce --list`"):
        end_announcement(config, 9, clock.now())
    assert end_announcement(config, stands.id, clock.now()) == (
        f"asked the daemon to end announcement {stands.id}; the page goes without it when it is written next"
    )
    assert announcements(config, clock.now()) == (), "whether or not a daemon runs"
    await requests.handle_waiting()
    for days in (0, 40):
        clock.tick(days * 86_400)
        silence(config, "all", HOUR, "", clock.now())
        await requests.handle_waiting()
        assert (await store.snapshot(clock.now())).announcements == ()
    assert announcements(config, clock.now()) == ()


@pytest.mark.parametrize(
    ("text", "until", "service", "why"),
    [
        (" \x00", None, "", "the announcement is empty"),
        ("x", "2026-11-24T11:59", "", "--until 2026-11-24T11:59 is over already"),
        ("x", None, "sx", r'nothing is called "sx"; .* \(did you mean "s"\?\)'),
    ],
)
async def test_an_announcement_that_nobody_would_see_is_refused(
    config: Config,
    store: Store,
    clock: HandClock,
    text: str,
    until: str | None,
    service: str,
    why: str,
) -> None:
    assert await store.requests() == ()
    with pytest.raises(MonitorError, match=why):
        announce(config, text, until and parse_time(until), service, clock.now())
    hidden = parse(
        TEXT.replace("[service.s]", "[service.s]\npublic = false"),
        path=config.path,
        env={"KEY": "key"},
    )
    with pytest.raises(MonitorError, match=r'does not show service "s" \(public = false\)'):
        announce(hidden, "x", None, "s", clock.now())
    assert await store.requests() == ()


async def test_an_acknowledged_incident_and_a_note_stand_in_the_timeline(
    config: Config, store: Store, clock: HandClock
) -> None:
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    await judged(store, alerts, *[down(clock)] * 3)
    assert ack(config, 1, "on it", clock.now()) == "#1: no more reminders; its end will be told"
    assert add_note(config, 1, "the\x00 disk, not key-of-the-house-1", clock.now()) == "#1: noted"
    await OperatorRequests(store, alerts, clock).handle_waiting()
    await OperatorRequests(store, alerts, clock).handle_waiting()

    entries = (await stored(store)).timeline
    assert [(entry.what, entry.text) for entry in entries[1:]] == [
        (EntryKind.ACKED, "on it"),
        (EntryKind.NOTE, "the disk, not ***"),
    ]


async def test_what_was_asked_while_no_daemon_ran_is_done_when_one_starts(
    config: Config, clock: HandClock
) -> None:
    first = Store(config.store, clock=clock)
    first.open()
    await judged(first, AlertEngine(AlertSettings(), (), first.recall()), *[down(clock)] * 3)
    await first.close()
    add_note(config, 1, "the power went", clock.now())
    ack(config, 1, "", clock.now())

    second = Store(config.store, clock=clock)
    second.open()
    await OperatorRequests(
        second, AlertEngine(AlertSettings(), (), second.recall()), clock
    ).handle_waiting()
    assert [entry.what for entry in (await stored(second)).timeline] == [
        EntryKind.OPENED,
        EntryKind.NOTE,
        EntryKind.ACKED,
    ]
    await second.close()


async def test_a_note_on_an_incident_that_is_over_is_kept_too(
    config: Config, store: Store, clock: HandClock
) -> None:
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    await judged(store, alerts, *[down(clock)] * 3)
    good = replace(down(clock), outcome=Outcome.UP, failure=None)
    await judged(store, alerts, good, good)
    add_note(config, 1, "it was a cable", clock.now())
    await OperatorRequests(
        store, AlertEngine(AlertSettings(), (), store.recall()), clock
    ).handle_waiting()
    assert (await stored(store)).timeline[-1].text == "it was a cable"
    with pytest.raises(MonitorError, match="#1 is over since"):
        ack(config, 1, "", clock.now())


async def test_a_request_that_a_fault_of_ours_stops_holds_up_no_other_and_is_tried_at_the_next_start(
    config: Config, store: Store, clock: HandClock
) -> None:
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    await judged(store, alerts, *[down(clock)] * 3)

    def broken(check: str) -> None:
        raise RuntimeError(check)

    box = OperatorRequests(store, alerts, clock, broken)
    check = OperatorRequest(at=clock.now(), what=RequestKind.CHECK, target="s/a/http")
    with pytest.raises(MonitorError, match="check s/a/http has failed"):
        await box.carry_out(check)
    ack(config, 1, "on it", clock.now())
    await box.handle_waiting()
    assert (await stored(store)).acked == clock.now()
    assert [replace(left, id=0) for left in await store.requests()] == [check]

    asked: list[str] = []
    await OperatorRequests(store, alerts, clock, asked.append).handle_waiting()
    assert (asked, await store.requests()) == (["s/a/http"], ())


async def test_what_nobody_knows_is_refused_at_once(
    config: Config, store: Store, clock: HandClock
) -> None:
    with pytest.raises(MonitorError, match='nothing is called "s/z"; want "all", SERVICE'):
        silence(config, "s/z", HOUR, "", clock.now())
    with pytest.raises(MonitorError, match="there is no incident #7"):
        ack(config, 7, "", clock.now())
    with pytest.raises(MonitorError, match="there is no incident #7"):
        add_note(config, 7, "x", clock.now())


def test_without_a_store_there_is_nobody_to_ask(config: Config, clock: HandClock) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        silence(config, "s", HOUR, "", clock.now())


async def test_status_shows_what_was_given_up_and_what_is_silenced(
    config: Config, store: Store, clock: HandClock
) -> None:
    silence(config, "s", HOUR, "moving", clock.now())
    row = OutboxMessage(
        channel="phone",
        what=NotificationType.NOTICE,
        severity=Severity.MONITOR,
        incident=None,
        created=clock.now(),
        not_before=clock.now(),
        text="x",
    )
    await store.save(outgoing=(row,))
    store.dead((await store.due(clock.now()))[0].id, "no such chat")
    await store.flush()
    seen = await store.snapshot(clock.now())
    found = document(config, seen, None)
    assert found["given_up"] == [
        {
            "channel": "phone",
            "what": "notice",
            "incident": None,
            "created": "2026-11-24T12:00:00Z",
            "attempts": 0,
            "last_error": "no such chat",
            "remedy": REACH,
        },
    ]
    assert found["silences"] == [
        {
            "target": "s",
            "since": "2026-11-24T12:00:00Z",
            "until": "2026-11-24T13:00:00Z",
            "why": "moving",
        },
    ]
    assert len(list(tables(config, seen))) == 5


async def test_a_check_that_is_asked_for_is_run_and_its_pause_ends(
    config: Config, store: Store, clock: HandClock
) -> None:
    asked: list[str] = []
    alerts = AlertEngine(AlertSettings(), (), store.recall())
    request = OperatorRequest(at=clock.now(), what=RequestKind.CHECK, target="s/a/http")
    Store.request(config.store, request)
    await OperatorRequests(store, alerts, clock, asked.append).handle_waiting()
    assert asked == ["s/a/http"]
    assert await store.requests() == ()


async def test_the_daemon_takes_requests_up_within_seconds_and_tells_of_a_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with telegram() as phone:
        config = house(tmp_path, phone)
        await lived(config, caplog)
        with closing(sqlite3.connect(tmp_path / "monitor.db")) as connection, connection:
            connection.execute("UPDATE key_value SET value = 'no' WHERE name = 'stopped_cleanly'")
        await lived(config, caplog, lambda: silence(config, "s", HOUR, "", SystemClock().now()))
        assert [text.splitlines()[0] for text in phone.messages] == ["👁 monitor: crashed"]
        assert "It did not stop by itself" in phone.messages[0]


def house(folder: Path, phone: Telegram) -> Config:
    channel = f'[channel.phone]\nurl = "tgram://{TOKEN}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
    return parse(TEXT + channel, path=folder / "monitor.toml", env={})


async def lived(config: Config, caplog: pytest.LogCaptureFixture, ask: object = None) -> None:
    caplog.clear()
    daemon = Daemon(config, env={}, publish_every=timedelta(hours=1))
    task = asyncio.create_task(daemon.run())
    await until(lambda: "event=started" in caplog.text)
    if callable(ask):
        ask()
        for _ in range(100):
            await asyncio.sleep(0.1)
            if not await daemon.store.requests():
                break
        assert await daemon.store.requests() == ()
    daemon.stop.set()
    await asyncio.wait_for(task, 30)


@pytest.mark.slow
async def test_what_the_command_announces_beside_a_daemon_is_read_on_its_page_until_it_ends(
    house: House,
) -> None:
    """In both languages and over HTTP: one announcement that somebody ends, one that ends by its time."""
    more = '[page]\nlanguages = ["en", "zh-CN"]\n'
    port = free_port()
    house.write(house.url("direct"), monitor=f'listen = "127.0.0.1:{port}"', more=more)
    ends = SystemClock().now().replace(microsecond=0) + timedelta(seconds=20)
    async with living(house), aiohttp.ClientSession() as reader:

        async def told(page: str) -> list[str]:
            async with reader.get(f"http://127.0.0.1:{port}/{page}") as answer:
                text = await answer.text()
            return re.findall(r'id="announcement-\d+">.*?<b>(.*?)</b> <span.*?>(.*?)</span>', text)

        async def both_say(english: list[tuple[str, str]], chinese: list[tuple[str, str]]) -> None:
            seen: object = None
            end = time.monotonic() + 60
            while seen != (english, chinese):
                assert time.monotonic() < end, seen
                await asyncio.sleep(0.2)
                seen = (await told(""), await told("zh-CN/"))

        until = f"{ends:%Y-%m-%dT%H:%M:%S}"
        await run(house, "announce", "A <b>new</b> model.")
        await run(house, "announce", "Slow today.", "--service", "s", "--until", until)
        new = "A &lt;b&gt;new&lt;/b&gt; model."
        await both_say(
            [("Announcement, s", "Slow today."), ("Announcement", new)],
            [("s 公告", "Slow today."), ("公告", new)],
        )
        listed = await run(house, "announce", "--list")
        (number,) = re.findall(r"^(\d+) .*new", listed, re.MULTILINE)
        ended = await run(house, "announce", "--end", number)
        assert ended.startswith(f"asked the daemon to end announcement {number}; ")
        await both_say([("Announcement, s", "Slow today.")], [("s 公告", "Slow today.")])
        await both_say([], [])
        assert SystemClock().now() >= ends
        assert house.phone.sent == [], "channels do not hear of it"


async def run(house: House, *words: str) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [MONITOR, *words],
        cwd=house.folder,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
