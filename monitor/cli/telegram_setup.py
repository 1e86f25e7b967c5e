"""Finds the chats that a Telegram bot has heard from, with `getUpdates` of the Bot API, for `monitor init`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from monitor.model import MonitorError, Secret, clean_text
from monitor.model.telegram_address import TELEGRAM_API

ANY_TOKEN = f"100000:{'x' * 35}"
"""Stands for a bot's token where the configuration is only checked."""
_TIMEOUT_S = 15
_MAX_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Chat:
    id: int
    name: str


def find_chats(token: Secret, api: str = TELEGRAM_API) -> tuple[Chat, ...]:
    """Return each chat once, the newest first. Raises MonitorError, which never quotes the token."""
    answer = _ask(f"{api.rstrip('/')}/bot{token.reveal().strip()}/getUpdates")
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        reason = answer.get("description") if isinstance(answer, dict) else None
        raise MonitorError(f"Telegram refused: {clean_text(str(reason or 'no reason given'))}")
    chats = [chat for update in reversed(_list(answer.get("result"))) for chat in _chats(update)]
    return tuple({chat.id: chat for chat in reversed(chats)}.values())[::-1]


def _ask(url: str) -> Any:
    """Call the Bot API. The address holds the token, so a library's exception is never passed on."""
    if not url.startswith(("https://", "http://")):
        raise MonitorError("want the address of a Bot API server that begins with https://")
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # its scheme is checked above
            return json.loads(answer.read(_MAX_BYTES))
    except HTTPError as error:
        raise MonitorError(_refusal(error)) from None
    except (URLError, TimeoutError, OSError, HTTPException) as error:
        why = getattr(error, "reason", None)
        what = type(why or error).__name__
        raise MonitorError(f"Telegram cannot be reached ({what}); is it blocked here?") from None
    except ValueError:
        raise MonitorError("that is no Bot API server: it did not answer in JSON") from None


def _refusal(error: HTTPError) -> str:
    if error.code in {401, 404}:
        return "Telegram does not know this token; copy it again from @BotFather"
    try:
        reason = json.loads(error.read(65_536)).get("description", "")
    except (ValueError, AttributeError, OSError):
        reason = ""
    return f"Telegram refused with {error.code}: {clean_text(str(reason)) or 'no reason given'}"


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
