"""Telegram's updates as values: what a person wrote or pressed. Anything may stand anywhere. Pure."""

from dataclasses import dataclass
from typing import Any

from monitor.model import clean_text

_NAME = 40
_TEXT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person. `name` is for others to read: `Ada (@ada)`."""

    id: int
    name: str
    language: str
    """The IETF tag of the person's app; empty where it is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatThread:
    """A chat, and the topic in it that a message belongs to."""

    chat: int
    name: str = ""
    """`@name` in lower case; empty where it has none."""
    kind: str = "private"
    """`private`, `group`, `supergroup` or `channel`."""
    topic: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage:
    """A message of text. `at` is when it was sent, in unix seconds by Telegram's clock."""

    thread: ChatThread
    message: int
    sender: Person
    at: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonPress:
    """A button below a message of ours that somebody pressed."""

    id: str
    thread: ChatThread
    message: int
    sender: Person
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMigrated:
    """A group that became a supergroup, and so has another number."""

    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BotBlocked:
    """A chat in which the bot may not write any more."""

    chat: int


UpdateContent = TextMessage | ButtonPress | GroupMigrated | BotBlocked


@dataclass(frozen=True, slots=True)
class Update:
    """Holds one update of the Bot API. `what` is None for what does not concern us."""

    id: int
    what: UpdateContent | None


def read_updates(result: Any) -> tuple[Update, ...]:
    """Read the result of `getUpdates`, in its order; what has no number is left out."""
    updates = []
    for entry in _list(result):
        number = integer(_dict(entry).get("update_id"))
        if number is not None:
            updates.append(Update(number, _content(entry)))
    return tuple(updates)


def _content(update: dict[str, Any]) -> UpdateContent | None:
    if "message" in update:
        return _message(_dict(update["message"]))
    if "callback_query" in update:
        return _pressed(_dict(update["callback_query"]))
    if "my_chat_member" in update:
        return _membership(_dict(update["my_chat_member"]))
    return None


def _message(message: dict[str, Any]) -> UpdateContent | None:
    thread, number = _thread(message), integer(message.get("message_id"))
    if thread is None or number is None:
        return None
    if after := integer(message.get("migrate_to_chat_id")):
        return GroupMigrated(before=thread.chat, after=after)
    sender, text = _sender(message.get("from")), message.get("text")
    if sender is None or not isinstance(text, str):
        return None
    at = integer(message.get("date")) or 0
    return TextMessage(thread=thread, message=number, sender=sender, at=at, text=text[:_TEXT])


def _pressed(query: dict[str, Any]) -> ButtonPress | None:
    message = _dict(query.get("message"))
    thread, number = _thread(message), integer(message.get("message_id"))
    sender, name, data = _sender(query.get("from")), query.get("id"), query.get("data")
    if thread is None or number is None or sender is None:
        return None
    if not isinstance(name, str) or not isinstance(data, str):
        return None
    return ButtonPress(id=name[:100], thread=thread, message=number, sender=sender, data=data[:64])


def _membership(change: dict[str, Any]) -> BotBlocked | None:
    thread, now = _thread(change), _dict(change.get("new_chat_member"))
    gone = now.get("status") in ("kicked", "left")
    return BotBlocked(chat=thread.chat) if thread and gone else None


def _thread(message: dict[str, Any]) -> ChatThread | None:
    chat = _dict(message.get("chat"))
    number = integer(chat.get("id"))
    if number is None:
        return None
    name, topic = chat.get("username"), integer(message.get("message_thread_id"))
    return ChatThread(
        chat=number,
        name=f"@{name.lower()}"[:_NAME] if isinstance(name, str) and name else "",
        kind=str(chat.get("type"))[:20],
        topic=topic if message.get("is_topic_message") is True else None,
    )


def _sender(person: Any) -> Person | None:
    person = _dict(person)
    number = integer(person.get("id"))
    if number is None:
        return None
    first, user, language = (person.get(key) for key in ("first_name", "username", "language_code"))
    names = [clean_text(first, _NAME)] if isinstance(first, str) else []
    if isinstance(user, str) and user:
        handle = f"@{clean_text(user, _NAME)}"
        names.append(f"({handle})" if names and names[0] else handle)
    return Person(
        id=number,
        name=" ".join(names).strip() or str(number),
        language=language[:20] if isinstance(language, str) else "",
    )


def integer(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 63 else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
