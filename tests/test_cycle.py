"""One tick after another, with a real relay, a real store and a clock moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
from aiohttp import web
from cast import HandClock
from relay import Asked, Relay, plain, relaying

from monitor.alerts import AlertEngine
from monitor.budget import BudgetLedger
from monitor.config import Config, parse
from monitor.cycle import Cycle
from monitor.model import (
    AlertSettings,
    Check,
    DailyBudget,
    FailureKind,
    Maintenance,
    MaintenanceWindow,
    Phase,
    Redactor,
    Snapshot,
)
from monitor.probes import attempt
from monitor.schedule import Due
from monitor.store import Store

CONFIG = """
[service.relay]
key = "${{KEY}}"
model = "model-x"
endpoints = {{ direct = "{url}", edge = {{ url = "{url}", cut_after = "1s" }} }}
[service.relay.probes]
models = "1m"
page = {{ kind = "http", every = "1m" }}
chat = {{ every = "5m", stream = false }}
long = {{ kind = "chat", every = "1d", stream = false, numbers = 4000, timeout = "5m" }}
tokenizer = {{}}
"""


class Ticking:
    """A cycle whose checks run when the test says so."""

    def __init__(self, cycle: Cycle, config: Config, store: Store, clock: HandClock) -> None:
        self.cycle, self.config, self.store, self.clock = cycle, config, store, clock

    def check(self, name: str) -> Check:
        return next(check for check in self.config.checks if check.key == f"relay/{name}")

    async def tick(self, name: str, after: float = 0.0) -> float | None:
        self.clock.tick(after)
        return await self.cycle.tick(self.check(name), Due(self.clock.now(), 0.0, 0))

    async def snapshot(self) -> Snapshot:
        await self.store.flush()
        return await self.store.snapshot(self.clock.now())


@asynccontextmanager
async def ticking(folder: Path, clock: HandClock, relay: Relay) -> AsyncIterator[Ticking]:
    config = parse(
        CONFIG.format(url=relay.url), path=folder / "monitor.toml", env={"KEY": "the-key"}
    )
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    memory = store.recall()
    cycle = Cycle(
        ask=partial(
            attempt,
            client=relay.client,
            clock=clock,
            rng=Random(1),
            vantage=config.vantage,
            redact=Redactor(config.secrets),
        ),
        store=store,
        alerts=AlertEngine(config.alerts, config.channels, memory),
        ledger=BudgetLedger(config.services, config.budgets, config.prices, {}),
        clock=clock,
        vantage=config.vantage,
    )
    yield Ticking(cycle, config, store, clock)
    await store.close()


async def test_a_server_that_asks_for_time_gets_it_to_the_second(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:

        async def busy(_request: web.Request, _asked: Asked) -> web.StreamResponse:
            return web.Response(status=429, headers={"Retry-After": "150"}, text="{}")

        relay.answering = busy
        await run.tick("direct/models")
        for _ in range(2):
            await run.tick("direct/models", after=60)
        assert len(relay.asked) == 1
        relay.answering = plain({"data": [{"id": "model-x"}]})
        await run.tick("direct/models", after=30)
        await run.tick("direct/models", after=60)
        assert len(relay.asked) == 3
        seen = await run.snapshot()
        assert seen.checks["relay/direct/models"].last_24h.outcomes == {"degraded": 1, "up": 2}
        assert seen.checks["relay/direct/models"].last_24h.missed == 0


async def test_a_key_that_is_turned_away_is_tried_ever_less_often(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        relay.answering = plain({"error": {"message": "bad", "code": "invalid_api_key"}}, 401)
        for _ in range(12):
            await run.tick("direct/chat", after=300)
            await run.tick("direct/models")
        paid = [asked for asked in relay.asked if asked.path.endswith("/completions")]
        free = len(relay.asked) - len(paid)  # each refusal asks the list, too, whose key it was
        assert (len(paid), free) == (7, 12 + 7)


async def test_a_declared_limit_of_an_edge_is_named_shown_and_no_news(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:

        async def cut(request: web.Request, _asked: Asked) -> web.StreamResponse:
            await asyncio.sleep(1.0)
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        relay.answering = cut
        for _ in range(3):
            await run.tick("edge/long", after=3600)
        await run.tick("direct/long")
        seen = await run.snapshot()
        edge, direct = (seen.checks[f"relay/{name}/long"].latest for name in ("edge", "direct"))
        assert edge is not None
        assert edge.failure is not None
        assert edge.failure.kind is FailureKind.EDGE_TIMEOUT
        assert edge.failure.message.endswith("after 1 s (it is known to after 1 s), want one")
        assert direct is not None
        assert direct.failure is not None
        assert direct.failure.kind is FailureKind.HTTP_DISCONNECT
        assert relay.asked[0].json["max_tokens"] == 12_000
        assert (seen.incidents, seen.checks["relay/edge/long"].states) == ((), ())


async def test_a_short_call_that_an_edge_cuts_is_news(tmp_path: Path, clock: HandClock) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        relay.answering = plain(b"error code: 524", 524)
        for _ in range(3):
            await run.tick("edge/chat", after=300)
        seen = await run.snapshot()
        assert [incident.failure.kind for incident in seen.incidents] == [FailureKind.EDGE_TIMEOUT]


async def test_what_is_only_suspected_is_asked_again_in_about_ten_seconds(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        relay.answering = plain({"error": {"message": "broken"}}, 500)
        waits = [await run.tick("direct/models", after=10) for _ in range(4)]
        assert [wait is not None and 8 <= wait <= 12 for wait in waits] == [
            True,
            True,
            False,
            False,
        ]
        relay.answering = plain({"data": [{"id": "model-x"}]})
        assert [await run.tick("direct/models") for _ in range(3)] == [None] * 3


async def test_who_was_degraded_before_an_outage_is_not_asked_out_of_turn_all_through_it(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        relay.answering = plain({"error": {"message": "busy"}}, 429)
        await run.tick("direct/models")
        relay.answering = plain({"error": {"message": "broken"}}, 500)
        waits = [await run.tick("direct/models", after=900) for _ in range(30)]
        states = (await run.snapshot()).checks["relay/direct/models"].states
        assert ("degraded", Phase.SUSPECT) in {(state.rule, state.phase) for state in states}
        assert [wait is not None for wait in waits] == [True] * 2 + [False] * 28


async def test_a_budget_that_runs_out_ends_the_asking_and_not_the_suspicion(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        relay.answering = plain({"error": {"message": "broken"}}, 500)
        ledger, services = run.cycle.ledger, run.config.services
        waits = [await run.tick("direct/chat", after=10) for _ in range(2)]
        assert None not in waits
        asked = len(relay.asked)

        ledger.change(services, {"relay": DailyBudget(tokens=1)}, {})
        assert [await run.tick("direct/chat", after=10) for _ in range(3)] == [None] * 3
        latest = (await run.snapshot()).checks["relay/direct/chat"].latest
        assert latest is not None
        assert latest.failure is not None
        assert latest.failure.kind is FailureKind.BUDGET_PAUSED
        assert (len(relay.asked), run.cycle.alerts.suspects("relay/direct/chat")) == (asked, True)

        ledger.change(services, {}, {})
        await run.tick("direct/chat", after=86_400)
        (incident,) = (await run.snapshot()).incidents
        assert incident.failed_runs == {"server_error": 3}


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, {}), (402, {}), (403, {}), (429, {}), (503, {"Retry-After": "5"})],
)
async def test_nobody_is_asked_again_out_of_turn_who_turned_us_away_or_asked_for_time(
    tmp_path: Path, clock: HandClock, status: int, headers: dict[str, str]
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:

        async def refuse(_request: web.Request, _asked: Asked) -> web.StreamResponse:
            return web.json_response({"error": {}}, status=status, headers=headers)

        relay.answering = refuse
        for check in ("direct/models", "direct/page"):
            assert [await run.tick(check, after=60) for _ in range(2)] == [None, None], check


async def test_what_happens_in_maintenance_counts_towards_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        until = clock.now() + timedelta(minutes=5)
        planned = Maintenance(id="m", title="m", once=MaintenanceWindow(clock.now(), until))
        run.cycle.alerts.change(AlertSettings(maintenance=(planned,)), ())
        relay.answering = plain({"error": {"message": "broken"}}, 500)
        for _ in range(7):
            await run.tick("direct/models", after=60)
        day = (await run.snapshot()).checks["relay/direct/models"].last_24h
        assert (day.maintenance, day.outcomes) == (4, {"down": 3})


async def test_a_model_that_is_gone_is_told_with_the_nearest_that_is_listed(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        run.cycle.checks_beside = lambda check: (run.check(f"{check.endpoint.id}/models"),)
        relay.answering = plain({"data": [{"id": "model-y"}, {"id": "other"}]})
        await run.tick("direct/models")
        relay.answering = plain({"error": {"message": "gone", "code": "model_not_found"}}, 404)
        await run.tick("direct/chat", after=5)
        relay.answering = plain({"error": {"message": "model-x: 无可用渠道"}}, 503)
        await run.tick("direct/chat", after=300)
        await run.tick("edge/chat")
        seen = await run.snapshot()
    latest = {key: history.latest for key, history in seen.checks.items()}
    nearest = '; the nearest in its list of models is "model-y"'
    failure = latest["relay/direct/chat"].failure
    assert failure.kind is FailureKind.NO_CHANNEL
    assert failure.message.endswith(nearest)
    assert nearest not in latest["relay/edge/chat"].failure.message


async def test_what_a_daily_probe_says_of_several_runs_is_believed_at_once_and_asked_once_a_day(
    tmp_path: Path, clock: HandClock
) -> None:
    async with relaying() as relay, ticking(tmp_path, clock, relay) as run:
        added, wobbles = 0, False

        async def counting(_request: web.Request, asked: Asked) -> web.StreamResponse:
            choice = {"message": {"content": "OK"}, "finish_reason": "stop"}
            tokens = len(asked.json["messages"][-1]["content"]) + added
            tokens += 300 * (wobbles and len(relay.asked) % 2)
            usage = {"prompt_tokens": tokens, "completion_tokens": 1}
            return web.json_response({"model": "model-x", "choices": [choice], "usage": usage})

        async def days(number: int) -> str:
            believed = ""
            for _ in range(number):
                assert await run.tick("direct/tokenizer", after=86_400) is None
                believed += "x" if run.cycle.alerts.open_incidents else "."
            return believed

        relay.answering = counting
        assert await days(3) == "..."
        added = 700
        assert await days(4) == ".xxx"
        (incident,) = run.cycle.alerts.open_incidents
        assert incident.failure.kind is FailureKind.PROMPT_INJECTED
        wobbles = True  # what cannot be judged does not end it
        assert await days(3) == "xxx"
        added, wobbles = 0, False
        assert await days(4) == "xx.."
