"""Sends the alerts of a channel by its bot, with buttons, and takes the buttons away when they are of no use."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.model import Incident, NotDeliveredError, StoreError
from monitor.model.telegram_address import TelegramAddress, TelegramChat
from monitor.telegram.bot_api import BotApi, BotApiError
from monitor.telegram.buttons import keyboard
from monitor.telegram.chats import ChatId, Chats
from monitor.telegram.operations import Operations

log = logging.getLogger(__name__)

_MOST_KEYBOARDS = 200
"""Messages whose buttons are kept up to date; those of older ones answer when they are pressed."""
_SEND_S = 30


@dataclass(frozen=True, slots=True)
class Alert:
    """Holds a text in Telegram's HTML, and the numbers of the incidents that it speaks of."""

    html: str
    incidents: tuple[int, ...]


class AlertSender:
    def __init__(
        self,
        channel: str,
        api: BotApi,
        address: TelegramAddress,
        chats: Chats,
        operations: Operations,
    ) -> None:
        self._channel, self._api, self._operations = channel, api, operations
        self._address, self._chats = address, chats
        self._sending = asyncio.Lock()
        self._keyboards: dict[tuple[int, int], tuple[int, ...]] = {}
        """The incidents that have buttons below a message of a chat, oldest message first."""

    async def send(self, alert: Alert, place: int) -> None:
        """Send an alert to one chat of the channel, by its place from 1 on. Raises NotDeliveredError."""
        if not 1 <= place <= len(self._address.chats):
            raise NotDeliveredError(f"there is no {self._channel}+{place} any more", permanent=True)
        async with self._sending:
            await self._send_to(self._address.chats[place - 1], alert)

    async def close(self) -> None:
        """Return once a message under way is out."""
        async with self._sending:
            pass

    async def follow(self, before: int, after: int) -> None:
        """Write to a group by its new number from now on."""
        if self._chats.is_ours(before):
            await self._operations.follow_group(before, after)

    async def renew_buttons(self, number: int, pressed: tuple[int, int] | None = None) -> None:
        """Bring an incident's buttons up to date, also below the message where one was `pressed`."""
        if pressed is not None:
            self._keyboards.setdefault(pressed, (number,))
        for place, shown in [*self._keyboards.items()]:
            if number in shown:
                await self._put_buttons(place, shown)

    async def _send_to(self, chat: TelegramChat, alert: Alert) -> None:
        try:
            await self._send_html(self._chats.where(chat.id), chat, alert)
        except BotApiError as error:
            if error.migrated_to is None or not isinstance(chat.id, int):
                raise
            await self.follow(chat.id, error.migrated_to)
            await self._send_html(error.migrated_to, chat, alert)

    async def _send_html(self, to: ChatId, chat: TelegramChat, alert: Alert) -> None:
        """Send it with buttons, but for a public chat, which is written to by its name."""
        parameters: dict[str, Any] = {
            "chat_id": to,
            "text": alert.html,
            "parse_mode": "HTML",
            "disable_notification": self._address.silent,
            "link_preview_options": {"is_disabled": not self._address.preview},
        }
        if chat.topic is not None:
            parameters["message_thread_id"] = chat.topic
        incidents = await self._open(alert.incidents) if isinstance(to, int) else []
        if incidents:
            parameters["reply_markup"] = keyboard(incidents, self._operations.language)
        answer = await self._api.call("sendMessage", _SEND_S, **parameters)
        number = answer.result.get("message_id") if isinstance(answer.result, dict) else None
        if isinstance(to, int):
            await self._take_away(to, alert.incidents)
            if incidents and isinstance(number, int):
                self._keyboards[to, number] = tuple(incident.id for incident in incidents)
                while len(self._keyboards) > _MOST_KEYBOARDS:
                    del self._keyboards[next(iter(self._keyboards))]

    async def _take_away(self, chat: int, numbers: Sequence[int]) -> None:
        """Take the buttons of these incidents from older messages of a chat: the newest one has them."""
        for place, shown in [*self._keyboards.items()]:
            left = tuple(number for number in shown if number not in numbers)
            if place[0] == chat and left != shown:
                await self._put_buttons(place, left)

    async def _put_buttons(self, place: tuple[int, int], shown: tuple[int, ...]) -> None:
        incidents = await self._open(shown)
        self._keyboards[place] = tuple(incident.id for incident in incidents)
        if not incidents:
            del self._keyboards[place]
        chat, message = place
        try:
            await self._api.call(
                "editMessageReplyMarkup",
                chat_id=chat,
                message_id=message,
                reply_markup=keyboard(incidents, self._operations.language),
            )
        except BotApiError as error:  # they may be as they should be, or too old to be changed
            log.debug("event=buttons_stay channel=%s why=%s", self._channel, error)

    async def _open(self, numbers: Iterable[int]) -> list[Incident]:
        """Find those that are open; none while the store cannot be read."""
        incidents: list[Incident | None] = []
        with contextlib.suppress(StoreError):
            incidents = [await self._operations.store.incident(number) for number in numbers]
        return [incident for incident in incidents if incident and not incident.closed]
