"""What `monitor status` says of a store that a daemon left."""

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from rich.console import Console

from monitor.cli import learned_figures, status
from monitor.config import parse
from monitor.model import (
    BalanceHistory,
    Catalogue,
    CatalogueChange,
    CatalogueItem,
    Habit,
    Outcome,
    Result,
    RunRecord,
    Spend,
    Timings,
)
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


CONFIG_OF_TWO = """
[service.r]
endpoints = { x = "https://x.example", y = "https://y.example" }
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
    store.learn_spent("cn", {(today, "relay"): Spend(300, 0.2)})
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
            "1500",
            "tokens,",
            "0.3000",
            "EUR",
            "51500",
            "tokens,",
            "4.8000",
            "EUR",
            "0.5",
            "EUR",
            "80%",
        ],
        ["at", "cn", "300", "tokens,", "0.2000", "EUR"],
    ]
    document = status.document(config, seen, None)
    assert document["spent_today"] == {"relay": {"tokens": 1500, "money": 0.1 + 0.2}}
    assert document["spent_month"] == {
        "gone": {"tokens": 7, "money": 0.0},
        "relay": {"tokens": 51500, "money": 4.6 + 0.2},
    }
    assert document["spent_elsewhere"] == {"cn": {"relay": {"tokens": 300, "money": 0.2}}}


async def test_status_recommends_as_the_page_does(tmp_path: Path, clock: HandClock) -> None:
    """Without results nothing; then the quickest, or what the page chose last, unless that is bad."""
    config = parse(CONFIG_OF_TWO, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    empty = await store.snapshot(clock.now())
    assert list(status.recommendation_lines(config, empty)) == [
        "r: no base URL is known to work well now."
    ]
    for number in range(6):
        if number == 2:
            few = await store.snapshot(clock.now())
            assert list(status.recommendation_lines(config, few)) == [
                "r: there are not enough recent good results to choose by."
            ]
        clock.tick(10)
        for name, ttfb in (("x", 200.0), ("y", 190.0)):
            result = Result(
                check=f"r/{name}/http",
                vantage="local",
                at=clock.now(),
                outcome=Outcome.UP,
                timings=Timings(ttfb=ttfb, total=ttfb),
            )
            store.record(RunRecord(result=result, kind="http"))
    await store.flush()
    seen = await store.snapshot(clock.now())
    await store.close()
    assert list(status.recommendation_lines(config, seen)) == [
        "r: use https://y.example (median 190 ms)."
    ]
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "best.json").write_text('{"last": {"r": "x"}}')
    assert list(status.recommendation_lines(config, seen)) == [
        "r: use https://x.example (median 200 ms)."
    ]
    use = status.document(config, seen, None)["use"]
    assert use == {"r": {"endpoint": "r/x", "median_ms": 200, "flawed": False}}

    key = "ed25519:" + "A" * 43 + "="
    more = f'[monitor]\nvantage_name = "Frankfurt"\n[vantage.cn]\nkey = "{key}"\nmain = true\n'
    hub = parse(more + CONFIG_OF_TWO, path=tmp_path / "monitor.toml", env={})
    assert list(status.recommendation_lines(hub, seen)) == [
        "r, from Frankfurt: use https://y.example (median 190 ms)."
    ], "what the page chose for the main place holds there"
    (tmp_path / "page" / "best").mkdir()
    (tmp_path / "page" / "best" / "local.json").write_text('{"last": {"r": "x"}}')
    assert list(status.recommendation_lines(hub, seen)) == [
        "r, from Frankfurt: use https://x.example (median 200 ms)."
    ]


async def test_the_last_balance_of_a_key_is_said_and_how_long_it_lasts(
    tmp_path: Path, clock: HandClock
) -> None:
    more = "[service.relay.probes]\nbalance = {}\n"
    config = parse(CONFIG + more, path=tmp_path / "monitor.toml", env={})
    money = BalanceHistory(
        form="new-api",
        amounts=((clock.now() - timedelta(days=2), 10.0), (clock.now(), 6.0)),
        of_key=True,
    )
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    result = Result(
        check="relay/x/balance", vantage=config.vantage, at=clock.now(), outcome=Outcome.UP
    )
    store.record(RunRecord(result=result, kind="balance", habit=Habit(money=money)))
    await store.close()

    assert list(learned_figures.balance_lines(config)) == [
        "Balance of the key at relay/x: 6.00 USD at 2026-11-24 12:00:00 UTC, lasts 3.0 days at this rate"
    ]
    assert learned_figures.document(config)["balances"] == {
        "relay/x": {
            "amount": 6.0,
            "currency": "USD",
            "of_key": True,
            "days_left": 3.0,
            "at": "2026-11-24T12:00:00Z",
        }
    }


@pytest.mark.parametrize(
    ("price", "saved"),
    [
        (
            "in = 2.5\nout = 10\ncached = 0.5",
            ", which saves 0.75 USD a million tokens of such prompts",
        ),
        ("in = 2.5\nout = 10", ""),
    ],
)
async def test_what_a_prompt_cache_saves_is_said_where_its_price_is_known(
    tmp_path: Path, clock: HandClock, price: str, saved: str
) -> None:
    config = parse(
        '[service.relay]\nkey = "k"\nmodel = "m"\nmultiplier = 0.5\nprobes = { cache = {} }\n'
        f'endpoints = {{ x = "https://a.example" }}\n[price.m]\n{price}\n',
        path=tmp_path / "monitor.toml",
        env={},
    )
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    result = Result(
        check="relay/x/cache", vantage=config.vantage, at=clock.now(), outcome=Outcome.UP
    )
    store.record(RunRecord(result=result, kind="cache", habit=Habit(cached_share=0.75)))
    await store.close()

    assert [*learned_figures.cache_lines(config)] == [
        f"Prompt cache of relay/x/cache: 75% of the last prompt that hit{saved}"
    ]


async def test_status_says_how_many_models_are_listed_and_what_changed_last(
    tmp_path: Path, clock: HandClock
) -> None:
    text = CONFIG_OF_TWO.replace(
        "endpoints", 'key = "the-key"\nprobes = { prices = {} }\nendpoints'
    ).replace('y.example"', 'y.example", z = "https://z.example", w = "https://w.example"')
    config = parse(text, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    at, models = clock.now(), CatalogueItem.MODEL
    new = CatalogueChange(at=at, what=models, name="b", before=None, after="")
    changed = Catalogue(
        form="list", since=at, entries=((models, "a", "input 1"), (models, "b", "")), changes=(new,)
    )
    calm = replace(changed, changes=())
    old = replace(calm, since=at - timedelta(days=60))
    once = replace(calm, since=None)
    for name, catalogue in (("x", changed), ("y", calm), ("z", old), ("w", once)):
        key = f"r/{name}/prices"
        result = Result(check=key, vantage="local", at=at, outcome=Outcome.UP)
        store.record(RunRecord(result=result, kind="prices", habit=Habit(catalogue=catalogue)))
    await store.flush()
    seen = await store.snapshot(clock.now())
    await store.close()
    assert list(learned_figures.catalogue_lines(config, at)) == [
        "Models of r/x: 2, last change at 2026-11-24 12:00:00 UTC: appeared: b",
        "Models of r/y: 2, no change known since 2026-11-24 12:00:00 UTC",
        "Models of r/z: 2, no change known since 2026-11-16 12:00:00 UTC",
        "Models of r/w: 2, not yet read twice alike, so that no change is known",
    ]
    since = "2026-11-24T12:00:00Z"
    change = {"at": since, "what": "model", "name": "b", "before": None, "after": ""}
    told = status.document(config, seen, None)["catalogues"]
    assert {path: told[path] for path in ("r/x", "r/y")} == {
        "r/x": {"models": 2, "prices": "list", "since": since, "changes": [change]},
        "r/y": {"models": 2, "prices": "list", "since": since, "changes": []},
    }
