"""`monitor report`: the real command beside what a real daemon has stored, in each form."""

import asyncio
import csv
import io
import json
import os
import re
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import command_cast
import pytest
from aiohttp import web
from listening import listening

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.model import Month, StoreError
from monitor.store import Store

pytestmark = pytest.mark.slow

HOSTILE = "=HYPERLINK(<b>)"
CONFIG = """[monitor]
listen = ""
[page]
title = "Ours"
languages = ["zh-CN", "en"]
[alerts]
after = 2
recover = 1
timezone = "Asia/Shanghai"
[service.relay]
name = "{name}"
probes = {{ http = "1s" }}
[service.relay.endpoints]
x = {{ url = "{url}", name = "{name}" }}
[service.quiet]
endpoints = {{ never = "{url}/never" }}
probes = {{ http = "12h" }}
"""


class Relay:
    status = 200

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(status=self.status, text="hello")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a daemon saw a base URL work, fail and work again."""
    folder = tmp_path_factory.mktemp("reported")
    asyncio.run(live(folder))
    return folder


async def live(folder: Path) -> None:
    relay, app = Relay(), web.Application()
    app.router.add_get("/{any:.*}", relay.answer)
    async with listening(app) as url:
        config = folder / "monitor.toml"
        config.write_text(CONFIG.format(url=url, name=HOSTILE))
        daemon = Daemon(load(config, {}), publish_every=timedelta(hours=1))
        running = asyncio.create_task(daemon.run())
        for status in (200, 502, 200):
            relay.status = status
            await seen(folder, status)
        daemon.stop.set()
        await asyncio.wait_for(running, 60)


async def seen(folder: Path, status: int) -> None:
    async with asyncio.timeout(60):
        while [status] * 3 != (await asyncio.to_thread(statuses, folder))[-3:]:
            await asyncio.sleep(0.2)


def statuses(folder: Path) -> list[int | None]:
    try:
        with closing(Store.read_only(f"sqlite:///{folder / 'monitor.db'}")) as reader:
            return [result.http_status for result in reader.each_result("relay/x/http")]
    except StoreError:  # the daemon is about to make it
        return []


def this_month() -> str:
    return str(Month.of(SystemClock().now()))


def report(folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200"}
    done = command_cast.monitor("report", *arguments, cwd=folder, env=env)
    return done.returncode, done.stdout, done.stderr


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    code, out, _ = report(folder, "--month", this_month(), "--json", *arguments)
    assert code == 0
    document: dict[str, Any] = json.loads(out)
    return document


def rows(text: str) -> Sequence[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text))]


def test_the_document_counts_what_the_daemon_measured(folder: Path) -> None:
    document = told(folder)
    runs = statuses(folder)
    relay = next(each for each in document["services"] if each["service"] == "relay")
    [endpoint] = relay["endpoints"]
    [place] = endpoint["places"]
    down = runs.count(502)
    assert (document["zone"], document["in_progress"]) == ("UTC", True)
    assert place["runs"] == {
        "up": len(runs) - down,
        "degraded": 0,
        "down": down,
        "maintenance": 0,
        "unknown": 0,
        "missed": place["runs"]["missed"],
    }
    assert place["availability"] == (len(runs) - down) / len(runs)
    assert place["failures"] == {"bad_gateway": down}
    assert place["total_ms"]["p50"] > 0
    [incident] = document["incidents"]
    assert endpoint["down_s"] == incident["seconds_in_month"] > 0
    assert 1 <= document["days_measured"] <= 2  # midnight may come in between
    assert document["days_measured"] <= document["days"]


def test_a_service_alone_and_one_that_nobody_knows(folder: Path) -> None:
    assert [each["service"] for each in told(folder)["services"]] == ["relay", "quiet"]
    assert [each["service"] for each in told(folder, "quiet")["services"]] == ["quiet"]
    code, _, err = report(folder, "relai")
    assert code == 1
    assert err == (
        'nothing is called "relai"; want SERVICE as in `monitor status` (did you mean "relay"?)\n'
    )


def test_people_read_tables_and_the_formula(folder: Path) -> None:
    code, out, _ = report(folder, "relay", "--month", this_month())
    assert code == 0
    text = out.replace("\u00a0", " ")
    assert "time zone UTC" in text
    assert "This month is in progress" in text
    assert "Availability = (up + degraded) / (up + degraded + down)." in text
    assert re.search(r"#1 +Major outage +=HYPERLINK\(<b>\) +bad gateway", text)
    assert "No spend is recorded." in text


def test_a_month_before_the_first_says_so_and_is_no_error(folder: Path) -> None:
    code, out, _ = report(folder, "--month", "2020-02")
    assert code == 0
    assert "Report of February 2020" in out
    assert "Nothing was measured in this month." in out
    assert "The first day of which anything is kept is" in out
    assert "No incident is known, because nothing was measured." in out
    by_default = report(folder)
    assert by_default[0] == 0
    assert "in progress" not in by_default[1]


def test_a_spreadsheet_takes_no_cell_for_a_formula(folder: Path) -> None:
    code, out, _ = report(folder, "--month", this_month(), "--csv")
    assert code == 0
    kinds = [row["row"] for row in rows(out)]
    assert kinds == ["endpoint", "endpoint", "incident"]
    assert not [cell for row in rows(out) for cell in row.values() if cell[:1] in {*"=+@"}]
    assert rows(out)[0]["name"] == f"'{HOSTILE}"


@pytest.mark.parametrize(("language", "title"), [("zh-CN", "月度报告"), ("en", "Report of")])
def test_one_file_to_print_in_the_pages_language_or_another(
    folder: Path, tmp_path: Path, language: str, title: str
) -> None:
    to = tmp_path / "report.html"
    chosen = () if language == "zh-CN" else ("--language", language)
    code, out, _ = report(folder, "--month", this_month(), "--html", to, *chosen)
    assert (code, out) == (0, f"wrote {to}\n")
    text = to.read_text()
    assert f'<html lang="{language}">' in text
    assert title in text
    assert "=HYPERLINK(&lt;b&gt;)" in text
    assert "<script" not in text
    code, _, err = report(folder, "--html", tmp_path / "none" / "report.html")
    assert (code, err) == (
        1,
        f"{tmp_path / 'none' / 'report.html'} cannot be written: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--month", "2026-13"), 'got "2026-13", want a month such as "2026-11"'),
        (("--month", "2199-12"), "2199-12 has not begun"),
        (("--json", "--csv"), "want one of them, not several"),
        (("--language", "de"), 'got "de", want en or zh-CN'),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    folder: Path, arguments: tuple[str, ...], why: str
) -> None:
    code, out, err = report(folder, *arguments)
    assert (code, out) == (2, "")
    assert why in " ".join(err.split())
