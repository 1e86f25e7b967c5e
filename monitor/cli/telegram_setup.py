"""Finds the chats that a Telegram bot has heard from, with `getUpdates` of the Bot API, for `monitor init`."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from monitor.model import MonitorError, Secret, clean_text
from monitor.model.telegram_address import TELEGRAM_API

ANY_TOKEN = f"100000:{'x' * 35}"
"""Stands for a bot's token where the configuration is only checked."""


@dataclass(frozen=True, slots=True)
class Chat:
    id: int
    name: str


def find_chats(token: Secret, api: str = TELEGRAM_API) -> tuple[Chat, ...]:
    """Return each chat once, the newest first. Raises MonitorError, which never quotes the token."""
    updates = asyncio.run(_updates(token, api))
    chats = [chat for update in reversed(_list(updates)) for chat in _chats(update)]
    return tuple({chat.id: chat for chat in reversed(chats)}.values())[::-1]


async def _updates(token: Secret, api: str) -> Any:
    from monitor.telegram.bot_api import BotApi, BotApiError  # noqa: PLC0415  # only where there is a bot

    bot = BotApi(Secret(token.reveal().strip()), api, None)
    try:
        return (await bot.call("getUpdates")).result
    except BotApiError as error:
        why = f"{error}; is Telegram blocked here?" if error.status == 0 else str(error)
        if error.status in {401, 404}:
            why = "Telegram does not know this token; copy it again from @BotFather"
        raise MonitorError(why) from None
    finally:
        await bot.close()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _chats(update: Any) -> Iterator[Chat]:
    """Yield the chats of an update: a message, a channel's post, or that the bot was added somewhere."""
    for part in update.values() if isinstance(update, dict) else ():
        chat = part.get("chat") if isinstance(part, dict) else None
        if isinstance(chat, dict) and type(chat.get("id")) is int:
            names = (chat.get("title"), chat.get("username"), chat.get("first_name"))
            name = next((text for text in names if isinstance(text, str) and text), "no name")
            yield Chat(chat["id"], clean_text(name))
