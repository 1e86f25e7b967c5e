"""Readers who subscribe to a service through the bot: who they are, and what they are told.

They are told what the page shows to everybody, each in their language; nothing of it holds up an operator.
"""

import asyncio
import logging

from monitor.clock import Clock
from monitor.language import Language, language
from monitor.model import Message, NotDeliveredError, NotificationType, Subscriber
from monitor.page import PageView
from monitor.telegram import replies
from monitor.telegram.bot_api import BotApi, BotApiError
from monitor.telegram.operations import Operations

log = logging.getLogger(__name__)

MOST_CHATS = 2000
MOST_SERVICES = 20
"""Services that one chat may subscribe to one by one."""
PER_SECOND = 20
"""Messages a second; Telegram takes 30 of a bot, and the operator's go beside these."""
_GONE = ("chat not found", "user is deactivated", "user not found", "PEER_ID_INVALID")
"""What Telegram says of a chat that is no more, beside 403 for one that blocked the bot."""
_NOT_TOLD = {
    NotificationType.REMINDER,
    NotificationType.ACKNOWLEDGED,
    NotificationType.NOTICE,
}
"""What concerns the operator alone."""


def language_of(tag: str) -> Language:
    """Return the language for a person whose app has this IETF tag, such as `zh-hans`."""
    return language("zh-CN" if tag.lower().partition("-")[0] == "zh" else "en")


class Subscriptions:
    def __init__(self, channel: str, api: BotApi, operations: Operations, clock: Clock) -> None:
        self._channel, self._api, self._operations = channel, api, operations
        self._clock = clock
        self._chats: dict[int, dict[str, Subscriber]] | None = None
        """By chat, by service; None before they are read from the store."""
        self._sending = asyncio.Lock()
        self._halfway: tuple[Message, set[int]] | None = None
        """A message that not everybody was told yet, and those who were."""

    async def add(self, chat: int, service: str, say: Language) -> str:
        """Subscribe a chat to a service, or to all; return what to answer. Raises StoreError."""
        page = await self._operations.public_page(say)
        if service and service not in {each.id for each in page.services}:
            return replies.unknown(service, (each.id for each in page.services), say)
        chats = await self._read()
        known = chats.get(chat, {})
        if "" in known and service:
            return replies.subscribed("", page)
        if (not known and len(chats) >= MOST_CHATS) or len(known) >= MOST_SERVICES:
            return replies.no_room(say)
        if not service:
            await self.remove(chat, say)
        subscriber = Subscriber(
            channel=self._channel,
            chat=chat,
            service=service,
            language=say.code,
            since=self._clock.now(),
        )
        await self._operations.store.subscribe(subscriber)
        chats.setdefault(chat, {})[service] = subscriber
        return replies.subscribed(service, page)

    async def remove(self, chat: int, say: Language, service: str = "") -> str:
        """End what a chat subscribed to, or all of it; return what to answer. Raises StoreError."""
        chats = await self._read()
        known = chats.get(chat, {})
        if not known or (service and service not in known):
            return replies.not_subscribed(say)
        await self._operations.store.unsubscribe(self._channel, chat, service or None)
        known.pop(service, None)
        if not service or not known:
            del chats[chat]
        return replies.unsubscribed(service, say)

    async def forget(self, chat: int) -> None:
        """Forget a chat in which the bot may not write any more. Raises StoreError."""
        if chat in await self._read():
            log.info("event=subscriber_gone channel=%s", self._channel)
            await self.remove(chat, language("en"))

    async def send(self, message: Message) -> None:
        """Tell all who want to hear of it. Raises NotDeliveredError where some of them were not reached.

        Who was told already is not told again when the same message is sent once more.
        """
        if message.what in _NOT_TOLD or not message.incidents:
            return
        async with self._sending:
            await self._send_to_all(message)

    async def close(self) -> None:
        """Return once a message under way is out."""
        async with self._sending:
            pass

    async def _send_to_all(self, message: Message) -> None:
        before = self._halfway
        done = before[1] if before and before[0] == message else set()
        self._halfway = message, done
        incidents = [await self._operations.store.incident(number) for number in message.incidents]
        pages: dict[str, PageView] = {}
        chats = await self._read()
        for chat in sorted(chats.keys() - done):
            if not (services := chats.get(chat)):
                continue  # gone meanwhile
            code = max(services.values(), key=lambda subscription: subscription.since).language
            if code not in pages:
                pages[code] = await self._operations.public_page(language(code))
            wanted = [
                incident
                for incident in incidents
                if incident and ("" in services or incident.service in services)
            ]
            if text := replies.news(message.what, wanted, pages[code]):
                try:
                    await self._send_to(chat, text)
                except NotDeliveredError as error:
                    error.is_taken_by_some = bool(done)
                    raise
                await asyncio.sleep(1 / PER_SECOND)
            done.add(chat)
        self._halfway = None

    async def _send_to(self, chat: int, text: str) -> None:
        """Send one message; a chat that is gone is forgotten."""
        try:
            await self._api.call(
                "sendMessage", chat_id=chat, text=text, link_preview_options={"is_disabled": True}
            )
        except BotApiError as error:
            if error.status == 403 or any(word in str(error) for word in _GONE):
                await self.forget(chat)
            elif error.status == 400:  # the next one may be well
                log.warning("event=subscriber_not_told channel=%s why=%s", self._channel, error)
            else:
                raise

    async def _read(self) -> dict[int, dict[str, Subscriber]]:
        if self._chats is None:
            self._chats = {}
            for subscriber in await self._operations.store.subscribers():
                if subscriber.channel == self._channel:
                    self._chats.setdefault(subscriber.chat, {})[subscriber.service] = subscriber
        return self._chats
