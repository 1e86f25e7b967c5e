"""`monitor history SERVICE`: what changed there, and what went wrong."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from lived import shell
from rich.console import Console

from monitor.cli.service_history import document, read_service_history, tables
from monitor.config import Config, parse
from monitor.model import Evidence, Outcome, Result, RunRecord
from monitor.store import Store

TEXT = """
[monitor]
listen = ""
[service.relay]
key = "k"
endpoints = { a = "https://a.example", b = "https://b.example", c = "https://c.example" }
probes = { models = "1m", prices = "1h" }
[service.other]
endpoints = { a = "https://d.example" }
probes = { models = "1m" }
"""
NEW = "appeared: gpt-x"


@pytest.fixture
async def config(tmp_path: Path, clock: HandClock) -> Config:
    """A service whose three base URLs listed a new model within the hour, and one of which lost it later."""
    (tmp_path / "monitor.toml").write_text(TEXT)
    config = parse(TEXT, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    noon = clock.now()
    for check, minutes, evidence in (
        ("relay/a/prices", 0, Evidence(note=NEW, is_change=True)),
        ("relay/a/models", 1, Evidence(note=NEW, is_change=True)),
        ("relay/b/prices", 30, Evidence(note=NEW, is_change=True)),
        ("other/a/models", 31, Evidence(note="vanished: old", is_change=True)),
        ("relay/c/prices", 40, Evidence(note="no list of models to be read here")),
        ("relay/a/prices", 300, Evidence(note="vanished: gpt-x", is_change=True)),
    ):
        at = noon + timedelta(minutes=minutes)
        result = Result(check=check, vantage=config.vantage, at=at, outcome=Outcome.UP)
        store.record(RunRecord(result=result, kind="prices", evidence=evidence))
    await store.close()
    return config


def told(config: Config, service: str, clock: HandClock) -> str:
    out = io.StringIO()
    now = clock.now() + timedelta(hours=6)
    history = read_service_history(config, service, clock.now(), now, now)
    for part in tables(history):
        Console(file=out, width=200).print(part, highlight=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_change_of_several_base_urls_is_one_line(config: Config, clock: HandClock) -> None:
    assert told(config, "relay", clock) == (
        "relay, 2026-11-24 12:00:00 to 2026-11-24 18:00:00 UTC\n"
        "at (UTC)             changed             what\n"
        "2026-11-24 12:00:00  a/prices, b/prices  appeared: gpt-x\n"
        "2026-11-24 17:00:00  a/prices            vanished: gpt-x\n"
        "\n"
        "No incident of that time is known."
    )


def test_without_prices_the_list_of_models_tells(config: Config, clock: HandClock) -> None:
    assert "a/models  vanished: old" in told(config, "other", clock)


def test_programs_get_each_change_with_its_check(config: Config, clock: HandClock) -> None:
    now = clock.now() + timedelta(hours=6)
    told = document(read_service_history(config, "relay", clock.now(), now, now))
    assert told["changes"][1] == {
        "at": "2026-11-24T12:30:00.000Z",
        "check": "relay/b/prices",
        "what": NEW,
    }
    assert [change["check"] for change in told["changes"]] == [
        "relay/a/prices",
        "relay/b/prices",
        "relay/a/prices",
    ]


def test_the_command_takes_a_service_and_refuses_what_is_for_one_check(config: Config) -> None:
    folder = config.page.dir.parent
    whole = shell("monitor history relay --since 2026-11-24T12:00 --until 2026-11-25T12:00", folder)
    assert "2026-11-24 17:00:00  a/prices            vanished: gpt-x\n" in whole.stdout
    refused = shell("monitor history relay --csv", folder)
    assert refused.returncode == 2
    assert "is for one check: SERVICE/ENDPOINT/PROBE" in refused.stderr
