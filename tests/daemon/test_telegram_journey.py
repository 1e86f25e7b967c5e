"""The whole daemon and a phone: an alert comes with buttons, a press reaches the incident, and the end is told."""

from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from cast import until
from daemon_cast import House, Site, living
from listening import listening
from telegram import CHAT, Telegram, telegram

from monitor.model import EntryKind
from monitor.store import Store

READER = 11


@pytest.mark.slow
async def test_an_alert_is_acknowledged_by_its_button_over_a_restart_and_a_reload(
    tmp_path: Path,
) -> None:
    site, app = Site(), web.Application()
    app.router.add_get("/{tail:.*}", site.answer)
    async with (
        telegram(Telegram(chats={int(CHAT): "private", READER: "private"})) as phone,
        listening(app) as site.url,
    ):
        house = House(tmp_path, site, phone)
        write(house)
        async with living(house):
            phone.write("/subscribe s", chat=READER)
            await until(lambda: phone.of(READER))
            site.status = 502
            await until(lambda: phone.of(int(CHAT)))
            message = next(each for each in phone.sent if each.chat == int(CHAT))
            assert message.text.startswith("🔴 s, a: down")
            assert [*message.buttons] == ["Acknowledge", "Silence 1 h", "Details"]
            press = phone.press("Acknowledge")
            await until(lambda: press in phone.toasts)
            assert phone.of(int(CHAT))[1].startswith("Ada7 (@ada7) acknowledged incident #1")
            assert "Acknowledge" not in message.buttons
            assert acknowledged(house) == ["Ada7 (@ada7)"]

            write(house, more='language = "zh-CN"')
            assert await house.reload() == "good new=0 gone=0 changed=0"
            phone.write("/ack 1")
            await until(lambda: "此前已确认" in phone.of(int(CHAT))[-1])
        async with living(house):
            site.status = 200
            await until(lambda: phone.of(int(CHAT))[-1].startswith("✅"))
            await until(lambda: phone.of(READER)[-1].startswith("✅"))
            phone.write("/check s/a/http")
            await until(lambda: phone.of(int(CHAT))[-1].startswith("s/a/http: 正常"))
        assert sum(text.startswith("✅") for text in phone.of(int(CHAT))) == 1
        assert [text.splitlines()[0] for text in phone.of(READER)] == [
            "You will hear of s. /unsubscribe ends it.",
            "🔴 s, a: bad gateway",
            "✅ Recovered: s, a: bad gateway",
        ]
        for file in (tmp_path / "page").rglob("*"):
            assert not file.is_file() or b"ada7" not in file.read_bytes().lower(), file


def write(house: House, more: str = "") -> None:
    house.write(
        house.url("a"), more=f'commands = true\nsubscribers = true\n[alerts]\nwait = "0s"\n{more}\n'
    )


def acknowledged(house: House) -> list[str]:
    with closing(Store.read_only(house.daemon.deps.config.store)) as reader:
        incident = reader.incident(1)
    assert incident
    return [entry.text for entry in incident.timeline if entry.what is EntryKind.ACKED]
