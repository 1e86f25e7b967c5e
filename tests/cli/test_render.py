"""`monitor render --operator`: a page for the operator alone, which the published one never is."""

from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from command_cast import monitor

from monitor.config import parse
from monitor.model import BalanceHistory, Habit, Outcome, Result, RunRecord
from monitor.store import Store

TEXT = """
[page]
trust = true
languages = ["en", "zh-CN"]
[service.relay]
key = "k"
endpoints = { x = "https://a.example" }
probes = { models = "1m", balance = "1h" }
"""
LEFT = "6.00\u00a0USD are left of the key's own limit. They last 3.0 days at this rate."


@pytest.fixture
async def folder(tmp_path: Path, clock: HandClock) -> Path:
    (tmp_path / "monitor.toml").write_text(TEXT)
    config = parse(TEXT, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    now = clock.now()
    money = BalanceHistory(
        form="new-api", amounts=((now - timedelta(days=2), 10.0), (now, 6.0)), of_key=True
    )
    result = Result(check="relay/x/balance", vantage=config.vantage, at=now, outcome=Outcome.UP)
    store.record(RunRecord(result=result, kind="balance", habit=Habit(money=money)))
    await store.close()
    return tmp_path


def test_the_operators_own_page_shows_balances_and_the_published_one_does_not(folder: Path) -> None:
    own, published = folder / "own", folder / "page"
    assert monitor("render", "--operator", "own", cwd=folder, env={}).stdout == f"wrote {own}\n"
    assert monitor("render", cwd=folder, env={}).returncode == 0

    page = (own / "endpoints/relay/x/index.html").read_text()
    assert LEFT in page.replace("&#39;", "'")
    assert "24 Nov, 12:00 UTC" in page
    assert "No published page shows it." in page
    chinese = (own / "zh-CN/endpoints/relay/x/index.html").read_text()
    assert "6.00\u00a0USD" in chinese
    files = [*published.rglob("*"), own / "status.json"]
    told = [file.name for file in files if file.is_file() and b"6.0" in file.read_bytes()]
    assert told == []
    assert own.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "monitor.toml").write_text(
        TEXT.replace("[page]", '[page]\ndir = "monitor.toml/page"')
    )
    done = monitor("render", cwd=folder, env={})
    assert done.returncode == 1
    assert done.stderr == f"{folder / 'monitor.toml/page'} cannot be written: File exists\n"


def test_a_folder_that_is_published_is_refused(folder: Path) -> None:
    for name in ("page", "page/own", "."):
        done = monitor("render", "--operator", name, cwd=folder, env={})
        assert done.returncode == 1
        assert done.stderr == (
            f"{name} is published: {folder / 'page'}; name another folder for --operator\n"
        )
