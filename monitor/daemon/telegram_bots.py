"""Runs a bot for each channel that takes commands, and sends every other channel's messages by Apprise.

The room `monitor.telegram` is imported when the first channel needs it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from monitor.alerts import Notifier
from monitor.alerts.channel_format import TELEGRAM, telegram_html
from monitor.clock import Clock
from monitor.config import Config
from monitor.model import Channel, Message, Severity
from monitor.model.telegram_address import read_telegram_address

if TYPE_CHECKING:
    from monitor.telegram.bot import Bot
    from monitor.telegram.operations import Operations


_SUBSCRIBERS = "subscribers"
"""Behind the id of a channel and a plus: its subscribers, as another channel of the outbox."""


def audience(config: Config) -> tuple[Channel, ...]:
    """Return all that are told: the channels, each chat by itself, and the subscribers of those that have some.

    Subscribers hear of trouble that base URLs have, of services that the page shows.
    """
    public = frozenset(service.id for service in config.services if service.public)
    subscribers = (
        replace(
            channel,
            id=f"{channel.id}+{_SUBSCRIBERS}",
            only=frozenset(severity for severity in Severity if severity.is_of_base_urls),
            services=public & channel.services if channel.services else public,
            escalate_after=None,
        )
        for channel in config.channels
        if channel.subscribers
    )
    return (*config.receivers, *(subscriber for subscriber in subscribers if subscriber.services))


def sent_by_apprise(config: Config) -> tuple[Channel, ...]:
    """Return the channels that no bot of ours serves."""
    return tuple(receiver for receiver in config.receivers if not receiver.commands)


class TelegramBots:
    """Runs the bot of each Telegram channel that takes commands.

    Call `change` before anything else, and `start` once the rest of the daemon runs.
    """

    def __init__(
        self, operations: "Callable[[Channel, Config], Operations]", clock: Clock, rng: Random
    ) -> None:
        self._operations, self._clock, self._rng = operations, clock, rng
        self._bots: dict[str, Bot] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._renewing: set[asyncio.Task[None]] = set()
        self._is_started = False
        self._apprise: Notifier

    def change(self, config: Config, apprise: Notifier) -> None:
        """Use other channels from now on: every bot is made anew, and goes on where the last one was."""
        self._apprise = apprise
        old, tasks = self._bots, self._tasks
        self._bots, self._tasks = {}, {}
        for channel in config.channels:
            if channel.commands:
                self._bots[channel.id] = self._make(channel, config)
        stopped = asyncio.create_task(_stop(old, tasks), name="telegram stop")
        self._closing = {task for task in self._closing if not task.done()}
        self._closing |= {stopped, asyncio.create_task(_close(old, stopped), name="telegram close")}
        if self._is_started:
            self._start(after=stopped)

    def _make(self, channel: Channel, config: Config) -> "Bot":
        from monitor.telegram.bot import Bot  # noqa: PLC0415  # see above

        address = read_telegram_address(channel.url.reveal())
        operations = self._operations(channel, config)
        return Bot(channel, address, operations, clock=self._clock, rng=self._rng)

    def start(self) -> None:
        self._is_started = True
        self._start()

    def _start(self, after: asyncio.Task[None] | None = None) -> None:
        for name, bot in self._bots.items():
            self._tasks[name] = asyncio.create_task(_listen(bot, after), name=f"telegram {name}")

    def holds_events(self, channel_id: str) -> bool:
        """Say whether it keeps one event for each incident: a chat does not."""
        return self._bot_of(channel_id) is None and self._apprise.holds_events(channel_id)

    def _bot_of(self, channel_id: str) -> "Bot | None":
        return self._bots.get(channel_id.partition("+")[0])

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        """Return what is to be sent in turn, each within what the channel takes."""
        if self._bot_of(channel_id) and not channel_id.endswith(f"+{_SUBSCRIBERS}"):
            return TELEGRAM.parts(message)
        return self._apprise.parts(channel_id, message)

    async def send(self, channel_id: str, message: Message) -> None:
        """Send to one channel, by its bot where it has one. Raises NotDeliveredError."""
        bot, part = self._bot_of(channel_id), channel_id.partition("+")[2]
        if bot is None:
            await self._apprise.send(channel_id, message)
        elif part == _SUBSCRIBERS:
            await bot.broadcast(message)
        else:
            await bot.send(telegram_html(message), message.incidents, int(part or 1))

    def renew_buttons(self, incident: int) -> None:
        """Have every bot bring an incident's buttons up to date; nobody waits for that."""
        for name, bot in self._bots.items():
            task = asyncio.create_task(bot.renew_buttons(incident), name=f"telegram buttons {name}")
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)

    async def stop(self) -> None:
        """End listening; messages can still be sent."""
        for task in self._renewing:
            task.cancel()
        await asyncio.gather(*self._renewing, return_exceptions=True)
        await _stop(self._bots, self._tasks)

    async def close(self) -> None:
        await self.stop()
        await asyncio.gather(*self._closing, *(bot.close() for bot in self._bots.values()))


async def _listen(bot: "Bot", after: asyncio.Task[None] | None) -> None:
    """Listen once those before have stopped: a bot that is asked from two sides is a conflict."""
    if after:
        await asyncio.wait([after])
    await bot.run()


async def _stop(bots: "Mapping[str, Bot]", tasks: Mapping[str, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    await asyncio.gather(*(bot.stop() for bot in bots.values()))


async def _close(bots: "Mapping[str, Bot]", stopped: asyncio.Task[None]) -> None:
    await asyncio.wait([stopped])
    await asyncio.gather(*(bot.close() for bot in bots.values()))
