"""A Bot API server over real HTTP that checks what it gets and breaks when it is told to."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from itertools import count
from typing import Any

from aiohttp import web
from listening import listening

from monitor.clock import SystemClock

TOKEN = "123456789:" + "AbCdEfGhIj" * 3 + "AbCdE"
CHAT = "4242"
BOT = "monitor_test_bot"
_ONE = "make sure that only one bot instance is running"
_USE = "use deleteWebhook to delete the webhook first"
_OLD = "or query ID is invalid"
_TAGS = re.compile(r"</?(?:b|strong|i|em|u|s|code|pre|a)(?:\s[^<>]*)?>")
LIMIT = 4096


@dataclass(kw_only=True)
class Sent:
    """A message that the server took. `buttons` maps the words of each button to its data."""

    id: int
    chat: int
    text: str
    topic: int | None = None
    reply_to: int | None = None
    buttons: dict[str, str] = field(default_factory=dict)


@dataclass
class Telegram:
    """`faults` are acted one a message: `429 17`, `500`, `drop`, `hang`, `accept then drop`,
    `ok false 9`, `portal`.

    It has one chat, `CHAT`, and those that a test adds. Updates are kept until a poll confirms them.
    """

    url: str = ""
    messages: list[str] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    asked: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    """Updates that `getUpdates` gives."""
    down: bool = False
    chats: dict[int, str] = field(default_factory=lambda: {int(CHAT): "private"})
    """Their types by their numbers."""
    topics: set[int] = field(default_factory=set)
    """The topics of its forums."""
    blocked: set[int] = field(default_factory=set)
    moved: dict[int, int] = field(default_factory=dict)
    """Groups that became supergroups."""
    webhook: bool = False
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Every other method that was called, and with what."""
    sent: list[Sent] = field(default_factory=list)
    toasts: dict[str, str] = field(default_factory=dict)
    """What those were told who pressed a button, by the id of the press."""
    polls: list[dict[str, Any]] = field(default_factory=list)
    updated: int = 0
    """The number of the newest update."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1000))
    _polling: asyncio.Event | None = None
    """Set when another poll takes the place of the one that waits."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _presses: set[str] = field(default_factory=set)

    # --- what people do ---

    def write(
        self, text: str, *, chat: int = int(CHAT), user: int = 7, age: float = 0, **more: Any
    ) -> int:
        """Somebody writes; `age` is how many seconds ago. `more` replaces what an update has."""
        number = next(self._numbers)
        message = {
            "message_id": number,
            "from": person(user),
            "chat": {"id": chat, "type": self.chats.get(chat, "private")},
            "date": _now() - int(age),
            "text": text,
        }
        self.update("message", message | more)
        return number

    def press(self, words: str, *, user: int = 7, chat: int | None = None) -> str:
        """Somebody presses the newest button with these words; returns the id of the press.

        `chat` is another one than the button's, as a forged press would have it.
        """
        message = next(each for each in reversed(self.sent) if words in each.buttons)
        number = chat or message.chat
        query = f"press-{next(self._numbers)}"
        self._presses.add(query)
        origin = {
            "message_id": message.id,
            "chat": {"id": number, "type": self.chats.get(number, "private")},
            "date": _now(),
        }
        if message.topic:
            origin |= {"message_thread_id": message.topic, "is_topic_message": True}
        pressed = {"id": query, "from": person(user), "message": origin}
        self.update("callback_query", pressed | {"data": message.buttons[words]})
        return query

    def update(self, kind: str, content: Any) -> None:
        self.updated = next(self._numbers)
        self.heard.append({"update_id": self.updated, kind: content})
        self._news.set()

    def of(self, chat: int) -> list[str]:
        """The texts that a chat has got."""
        return [each.text for each in self.sent if each.chat == chat]

    # --- the methods ---

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != TOKEN:
            return _refusal(401, "Unauthorized")
        body = (
            await request.json()
            if request.content_type == "application/json"
            else dict(await request.post()) or dict(request.query)
        )
        method = request.match_info["method"]
        if method == "sendMessage":
            return await self.send_message(request, body)
        if method == "getUpdates":
            return await self.get_updates(body)
        self.calls.append((method, body))
        if self.down:
            return _refusal(500, "Internal Server Error")
        if method == "getMe":
            return _result({"id": 123456789, "is_bot": True, "username": BOT})
        if method == "answerCallbackQuery":
            return self._toast(body)
        if method == "editMessageReplyMarkup":
            return self._edit(body)
        return _result(True)

    async def send_message(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        self.asked += 1
        fault = "500" if self.down else self.faults.popleft() if self.faults else ""
        if fault.startswith("429"):
            return _too_many(int(fault.split()[1]))
        if fault == "500":
            return _refusal(500, "Internal Server Error")
        if fault.startswith("ok false"):
            return _denial(int(fault.split()[2]))
        if fault == "portal":
            return web.Response(text="<html>Please log in to this network</html>")
        if fault == "drop":
            return _hang_up(request)
        if fault == "hang":
            await asyncio.sleep(60)
        return self._take(request, body, fault)

    async def get_updates(self, body: dict[str, Any]) -> web.Response:
        """Long polling: a second poll ends the first one with a conflict, and confirms by its offset."""
        self.polls.append(body)
        if self.webhook:
            return _refusal(
                409, f"Conflict: can't use getUpdates method while webhook is active; {_USE}"
            )
        if self.down:
            return _refusal(500, "Internal Server Error")
        if self._polling:
            self._polling.set()
        replaced = self._polling = asyncio.Event()
        if (offset := int(body.get("offset", 0))) > 0:
            self.heard = [each for each in self.heard if each.get("update_id", 0) >= offset]
        self._news.clear()
        if not self.heard and int(body.get("timeout", 0)):
            waits = [asyncio.create_task(each.wait()) for each in (self._news, replaced)]
            try:
                await asyncio.wait(
                    waits, timeout=int(body["timeout"]), return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
        if replaced.is_set():
            return _refusal(409, f"Conflict: terminated by other getUpdates request; {_ONE}")
        self._polling = None
        return _result(self.heard[: int(body.get("limit", 100))])

    def _toast(self, body: dict[str, Any]) -> web.Response:
        query = str(body.get("callback_query_id"))
        if query not in self._presses:
            return _refusal(
                400, f"Bad Request: query is too old and response timeout expired {_OLD}"
            )
        self._presses.discard(query)
        text = str(body.get("text", ""))
        if len(text) > 200:
            return _refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts[query] = text
        return _result(True)

    def _edit(self, body: dict[str, Any]) -> web.Response:
        message = next((each for each in self.sent if each.id == body.get("message_id")), None)
        if message is None or message.chat != body.get("chat_id"):
            return _refusal(400, "Bad Request: message to edit not found")
        buttons = _buttons(body.get("reply_markup"))
        if buttons == message.buttons:
            return _refusal(400, "Bad Request: message is not modified")
        message.buttons = buttons
        return _result(True)

    def _refuse(self, chat: int, topic: int) -> web.Response | None:
        if chat in self.moved:
            return _migrated(self.moved[chat])
        if chat in self.blocked:
            return _refusal(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            return _refusal(400, "Bad Request: chat not found")
        if topic and topic not in self.topics:
            return _refusal(400, "Bad Request: message thread not found")
        return None

    def _take(
        self, request: web.Request, body: dict[str, object], fault: str
    ) -> web.StreamResponse:
        chat = _number(body.get("chat_id"))
        topic = _number(body.get("message_thread_id"))
        if refusal := self._refuse(chat, topic):
            return refusal
        text = str(body.get("text", ""))
        if str(body.get("parse_mode", "")).upper() == "HTML":
            bare = _TAGS.sub("", text)
            if re.search(r"<|>|&(?!(?:lt|gt|amp|quot|nbsp|emsp|ensp|#\d+);)", bare):
                return _refusal(400, "Bad Request: can't parse entities")
            text = unescape(bare)
        if not text.strip():
            return _refusal(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > LIMIT:
            return _refusal(400, "Bad Request: message is too long")
        buttons = _buttons(body.get("reply_markup"))
        if not all(0 < len(data.encode()) <= 64 for data in buttons.values()):
            return _refusal(400, "Bad Request: BUTTON_DATA_INVALID")
        reply = body.get("reply_parameters")
        self.messages.append(text)
        self.sent.append(
            Sent(
                id=next(self._numbers),
                chat=chat,
                text=text,
                topic=topic or None,
                reply_to=reply["message_id"] if isinstance(reply, dict) else None,
                buttons=buttons,
            )
        )
        if fault == "accept then drop":
            return _hang_up(request)
        message = {
            "message_id": self.sent[-1].id,
            "chat": {"id": chat, "type": self.chats[chat]},
            "date": _now(),
        }
        return _result(message)


def _now() -> int:
    return int(SystemClock().now().timestamp())


def person(user: int) -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": f"Ada{user}", "username": f"ada{user}"}


def _number(value: object) -> int:
    """0 for what is no number."""
    text = str(value)
    return int(text) if text.lstrip("-").isdigit() else 0


def _buttons(markup: Any) -> dict[str, str]:
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    return {button["text"]: button["callback_data"] for row in rows for button in row}


def _result(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _migrated(to: int) -> web.Response:
    return web.json_response(
        {
            "ok": False,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": to},
        },
        status=400,
    )


def _refusal(status: int, description: str) -> web.Response:
    return web.json_response(
        {"ok": False, "error_code": status, "description": description}, status=status
    )


def _too_many(seconds: int) -> web.Response:
    return web.json_response(
        {
            "ok": False,
            "error_code": 429,
            "description": f"Too Many Requests: retry after {seconds}",
            "parameters": {"retry_after": seconds},
        },
        status=429,
    )


def _denial(seconds: int) -> web.Response:
    """A refusal with the status of a success, as some mirrors of the API give it."""
    return web.json_response(
        {
            "ok": False,
            "description": "Too Many Requests",
            "parameters": {"retry_after": seconds},
        }
    )


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def telegram(fake: Telegram | None = None) -> AsyncIterator[Telegram]:
    fake = fake or Telegram()
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", fake.answer)
    async with listening(app) as fake.url:
        yield fake
