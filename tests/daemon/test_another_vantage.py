"""A daemon that starts under another id: what was told is not left without an end, and nothing waits for ever."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from cast import until
from daemon_cast import House, Site, living
from listening import listening
from telegram import TOKEN, telegram

from monitor.cli.status import read_snapshot, vantage_lines
from monitor.clock import SystemClock
from monitor.config import load
from monitor.model import NOT_HEARD, NotificationType, OutboxMessage, Severity

UNDER_FRA = 'listen = ""\nvantage = "fra"'
SOON = '[alerts]\nwait = "1s"\n'


@pytest.fixture(name="house")
async def house_fixture(tmp_path: Path) -> AsyncIterator[House]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{name:.*}", site.answer)
    async with listening(app) as site.url, telegram() as phone:
        yield House(tmp_path, site, phone)


def _status(house: House) -> list[str]:
    """Return what `monitor status` says of ids."""
    return [*vantage_lines(load(house.path, {"TOKEN": TOKEN}), SystemClock().now())]


@pytest.mark.slow
async def test_what_was_open_under_another_id_ends_as_not_known_and_what_waits_is_delivered(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(house.url("a"), more=SOON)
    house.site.status = 502
    async with living(house):
        await until(lambda: len(house.phone.messages) == 1)
        house.phone.down = True
        now = SystemClock().now()
        waits = OutboxMessage(
            channel="phone",
            what=NotificationType.NOTICE,
            severity=Severity.MONITOR,
            incident=None,
            created=now,
            not_before=now,
            text="a message that waits",
        )
        await house.daemon.store.save(outgoing=(waits,))
    assert _status(house) == []

    house.write(house.url("a"), monitor=UNDER_FRA, more=SOON)
    [coming] = _status(house)
    assert 'as vantage "local", and [monitor] says "fra"' in coming
    house.phone.down, house.site.status = False, 200
    caplog.set_level(logging.WARNING)
    async with living(house):
        await until(lambda: len(house.phone.messages) == 3)
        incidents = await house.daemon.store.incidents()
    titles = sorted(text.splitlines()[0] for text in house.phone.messages[1:])
    assert titles == ["a message that waits", "👁 s, a: not known any more"]
    assert "Whether it works again is not known." in "".join(house.phone.messages[1:])
    assert [(each.id, each.timeline[-1].text) for each in incidents] == [(1, NOT_HEARD)]
    assert [each.closed is None for each in incidents] == [False]
    changed = [text for text in caplog.messages if "event=vantage_changed" in text]
    assert ["before=local now=fra" in text for text in changed] == [True]
    [changed_line] = _status(house)
    assert 'this daemon\'s vantage was "local"' in changed_line
    assert "`monitor history CHECK --from local`" in changed_line

    caplog.clear()
    async with living(house):
        assert not [text for text in caplog.messages if "event=vantage_changed" in text]
    house.write(house.url("a"), more=SOON)
    async with living(house):
        pass
    [back] = _status(house)
    assert 'this daemon\'s vantage was "fra", and since then "local"' in back
    snapshot = read_snapshot(load(house.path, {"TOKEN": TOKEN}))
    assert [incident.id for incident in snapshot.incidents] == [1]
    assert snapshot.outbox == ()


@pytest.mark.slow
async def test_a_reload_is_answered_also_where_the_store_knows_another_id(house: House) -> None:
    """A command that asks how a reload went reads the note of the daemon that runs."""
    house.write(house.url("a"), monitor='listen = ""\nvantage = "aaa"')
    async with living(house):
        assert (await house.reload()).startswith("good")
    house.write(house.url("a"))
    async with living(house):
        await house.site.is_asked_again(1)
        assert (await house.reload()).startswith("good")
