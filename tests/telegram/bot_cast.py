"""A bot that listens to the fake Telegram, with the real store, alerts and operator's requests behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from cast import HandClock
from telegram import CHAT, TOKEN, Telegram

from monitor.alerts import AlertEngine
from monitor.alerts.channel_format import telegram_html
from monitor.alerts.moved_chats import MovedChats
from monitor.config import Config, parse
from monitor.daemon.bot_operations import BotOperations
from monitor.daemon.components import tell_of_move
from monitor.daemon.operator_requests import OperatorRequests
from monitor.model import (
    Channel,
    Failure,
    FailureKind,
    Incident,
    Message,
    Outcome,
    Result,
    RunRecord,
)
from monitor.model.telegram_address import read_telegram_address
from monitor.publisher import Publisher
from monitor.store import Store
from monitor.telegram.bot import Bot

TEXT = """
[monitor]
listen = ""
[page]
url = "https://status.example"
[service.s]
name = "Relay"
endpoints = { a = "http://127.0.0.1:9", b = "http://127.0.0.1:9" }
probes = { http = "1h" }
"""


async def soon(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait as `until` does, and look more often: a bot answers within milliseconds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.003)


@dataclass
class BotSetup:
    """An operator's side of a bot."""

    config: Config
    phone: Telegram
    clock: HandClock
    store: Store
    alerts: AlertEngine
    requests: OperatorRequests
    publisher: Publisher
    moved: MovedChats
    checked: list[str] = field(default_factory=list)
    """Checks that were asked for."""
    states: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """How each bot fares."""

    @property
    def channel(self) -> Channel:
        return self.config.channels[0]

    def operations(self) -> BotOperations:
        return BotOperations(
            self.channel.id,
            self.config,
            store=self.store,
            clock=self.clock,
            alerts=self.alerts,
            requests=self.requests,
            publisher=self.publisher,
            moved=self.moved,
            states=self.states,
        )

    def bot(self, **more: Any) -> Bot:
        address = read_telegram_address(self.channel.url.reveal())
        return Bot(
            self.channel, address, self.operations(), clock=self.clock, rng=Random(1), **more
        )

    async def fail(
        self,
        check: str = "s/a/http",
        runs: int = 3,
        kind: FailureKind = FailureKind.BAD_GATEWAY,
        message: str = "got 502",
    ) -> None:
        failure = Failure(kind, message)
        for _ in range(runs):
            await self.judge(
                Result(
                    check=check,
                    vantage="local",
                    at=self.clock.now(),
                    outcome=failure.outcome,
                    failure=failure,
                )
            )

    async def recover(self, check: str = "s/a/http") -> None:
        for _ in range(2):
            now = self.clock.now()
            await self.judge(Result(check=check, vantage="local", at=now, outcome=Outcome.UP))

    async def judge(self, result: Result) -> None:
        self.clock.tick(1)
        changes = self.alerts.judge(result)
        self.store.record(
            RunRecord(
                result=result,
                kind="http",
                states=changes.states,
                incidents=changes.incidents,
                outgoing=changes.outgoing,
            )
        )
        await self.store.flush()

    async def incident(self, number: int = 1) -> Incident:
        await self.store.flush()
        incident = await self.store.incident(number)
        assert incident
        return incident

    async def notices(self) -> list[str]:
        await self.store.flush()
        rows = await self.store.due(self.clock.now())
        return [row.text.splitlines()[0] for row in rows if row.text]

    async def answers(self, text: str, **more: Any) -> str:
        """Write something as a person, and return what the bot answers."""
        number = self.phone.write(text, **more)
        await soon(lambda: any(each.reply_to == number for each in self.phone.sent))
        return next(each.text for each in self.phone.sent if each.reply_to == number)


@asynccontextmanager
async def bot_setup(
    folder: Path, phone: Telegram, clock: HandClock, keys: str = "", text: str = TEXT
) -> AsyncIterator[BotSetup]:
    """`keys` are more keys of the channel; a line `url = …` takes the place of its own.

    `text` is the rest of the configuration.
    """
    url = "" if "url =" in keys else f'url = "tgram://{TOKEN}/{CHAT}"\n'
    channel = f'[channel.phone]\n{url}telegram_api = "{phone.url}"\ncommands = true\n{keys}\n'
    config = parse(text + channel, path=folder / "monitor.toml", env={})
    store = Store(config.store, clock=clock)
    store.open()
    alerts = AlertEngine(config.alerts, config.channels, store.recall())
    checked: list[str] = []
    publisher = Publisher(
        store,
        config.services,
        config.checks,
        config.page,
        clock=clock,
        vantage="local",
        version="1",
    )
    requests = OperatorRequests(store, alerts, clock, checked.append)
    moved = MovedChats(store.recall().moved_chats)
    moved.on_move = partial(tell_of_move, store, clock, alerts, moved)
    try:
        yield BotSetup(config, phone, clock, store, alerts, requests, publisher, moved, checked)
    finally:
        await store.close()


@asynccontextmanager
async def listening_bot(place: BotSetup, **more: Any) -> AsyncIterator[Bot]:
    """It listens when this begins, and is stopped and closed at the end."""
    bot, polled = place.bot(**more), len(place.phone.polls)
    task = asyncio.create_task(bot.run())
    await soon(lambda: len(place.phone.polls) > polled + 1)
    try:
        yield bot
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await bot.stop()
        await bot.close()


def alert(text: str = "down", *incidents: int) -> tuple[str, tuple[int, ...]]:
    """What a bot is handed."""
    return telegram_html(Message(f"Relay: {text}", "Since then & <now>.")), incidents
