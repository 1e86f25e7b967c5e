"""The whole daemon and a phone: an alert comes with buttons, a press reaches the incident, and the end is told."""

from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from cast import until
from daemon_cast import House, Site, living
from listening import listening
from telegram import telegram

from monitor.model import EntryKind
from monitor.store import Store


@pytest.mark.slow
async def test_an_alert_is_acknowledged_by_its_button_over_a_restart_and_a_reload(
    tmp_path: Path,
) -> None:
    site, app = Site(), web.Application()
    app.router.add_get("/{tail:.*}", site.answer)
    async with telegram() as phone, listening(app) as site.url:
        house = House(tmp_path, site, phone)
        write(house)
        site.status = 502
        async with living(house):
            await until(lambda: phone.sent)
            [message] = phone.sent
            assert message.text.startswith("🔴 s, a: down")
            assert [*message.buttons] == ["Acknowledge", "Silence 1 h", "Details"]
            press = phone.press("Acknowledge")
            await until(lambda: press in phone.toasts)
            assert phone.messages[1].startswith("Incident #1 is acknowledged by Ada7 (@ada7)")
            assert "Acknowledge" not in message.buttons
            assert acknowledged(house) == ["Ada7 (@ada7)"]

            write(house, more='language = "zh-CN"')
            assert await house.reload() == "good new=0 gone=0 changed=0"
            phone.write("/ack 1")
            await until(lambda: "此前已确认" in phone.messages[-1])
        async with living(house):
            site.status = 200
            await until(lambda: phone.messages[-1].startswith("✅"))
            phone.write("/check s/a/http")
            await until(lambda: phone.messages[-1].startswith("s/a/http: 正常"))
        assert sum(text.startswith("✅") for text in phone.messages) == 1
        for file in (tmp_path / "page").rglob("*"):
            assert not file.is_file() or b"ada7" not in file.read_bytes().lower(), file


def write(house: House, more: str = "") -> None:
    house.write(house.url("a"), more=f'commands = true\n[alerts]\nwait = "0s"\n{more}\n')


def acknowledged(house: House) -> list[str]:
    with closing(Store.read_only(house.daemon.deps.config.store)) as reader:
        incident = reader.incident(1)
    assert incident
    return [entry.text for entry in incident.timeline if entry.what is EntryKind.ACKED]
