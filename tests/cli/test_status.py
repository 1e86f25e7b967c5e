"""What `monitor status` says of a store that a daemon left."""

import io
from pathlib import Path

from cast import HandClock
from rich.console import Console

from monitor.cli import status
from monitor.config import parse
from monitor.model import Spend
from monitor.store import Store

CONFIG = """
[service.relay]
model = "m"
budget_per_day = "0.50 EUR"
endpoints = { x = "https://a.example" }
[service.free]
endpoints = { y = "https://b.example" }
[price.m]
in = 1
out = 2
currency = "EUR"
"""


async def test_the_spend_of_day_and_month_stands_beside_the_budget(
    tmp_path: Path, clock: HandClock
) -> None:
    config = parse(CONFIG, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    today = clock.now().date()
    store.reserve("relay", today, Spend(1200, 0.1))
    store.reserve("relay", today.replace(day=2), Spend(50_000, 4.5))
    store.reserve("gone", today.replace(day=2), Spend(7))
    await store.flush()
    seen = await store.snapshot(clock.now())
    await store.close()

    screen = Console(file=io.StringIO(), width=100)
    *_, table = status.tables(config, seen)
    screen.print(table)
    assert isinstance(screen.file, io.StringIO)
    lines = [line.split() for line in screen.file.getvalue().splitlines()]
    assert lines == [
        ["spent", "today", "this", "month", "budget", "left", "today"],
        ["gone", "0", "tokens", "7", "tokens", "-", "-"],
        [
            "relay",
            "1200",
            "tokens,",
            "0.1000",
            "EUR",
            "51200",
            "tokens,",
            "4.6000",
            "EUR",
            "0.5",
            "EUR",
            "80%",
        ],
    ]
    document = status.document(config, seen, None)
    assert document["spent_today"] == {"relay": {"tokens": 1200, "money": 0.1}}
    assert document["spent_month"] == {
        "gone": {"tokens": 7, "money": 0.0},
        "relay": {"tokens": 51200, "money": 4.6},
    }
