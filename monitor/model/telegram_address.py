"""The Telegram address of a channel: `tgram://TOKEN/CHAT[:TOPIC][/CHAT…]`, read as Apprise reads it."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode

from monitor.model.secret import Secret

TELEGRAM_API = "https://api.telegram.org"
"""The Bot API where nobody has a server of their own."""
_ADDRESS = re.compile(
    r"tgram://(?:bot)?(?:[^/@]+@)?(?P<token>\d+(?::|%3A)[\w-]+)/?(?P<rest>[^?]*)(?:\?(?P<query>.*))?",
    re.ASCII | re.IGNORECASE,
)
_CHAT = re.compile(
    r"(?P<chat>-?\d{1,32}|@?[a-z_][a-z0-9_-]+)(?::(?P<topic>\d{1,18}))?", re.IGNORECASE
)
_OF_CHATS = {"to", "topic", "thread"}
"""The options that say which chats and topics."""
_YES = {"yes", "true", "1", "on"}


@dataclass(frozen=True, slots=True)
class TelegramChat:
    """A chat to write to: its number or `@name`, and the topic (`message_thread_id`) of a forum in it."""

    id: int | str
    topic: int | None = None

    def __str__(self) -> str:
        return f"{self.id}" if self.topic is None else f"{self.id}:{self.topic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramAddress:
    token: Secret
    chats: tuple[TelegramChat, ...]
    silent: bool = False
    """Messages make no sound."""
    preview: bool = False
    """Links are shown with a preview."""


def read_telegram_address(url: str) -> TelegramAddress:
    """Read the address of a channel. Raises ValueError, which quotes nothing of it."""
    match = _ADDRESS.fullmatch(url.strip())
    if match is None:
        raise ValueError("want tgram://TOKEN/CHAT")
    options = {name.lower(): values[-1] for name, values in parse_qs(match["query"] or "").items()}
    names = [*match["rest"].split("/"), *re.split(r"[\s,]+", options.get("to", ""))]
    topic = options.get("topic") or options.get("thread") or ""
    chats = tuple(dict.fromkeys(_chat(unquote(name), topic) for name in names if name))
    if not chats:
        raise ValueError("names no chat, want tgram://TOKEN/CHAT")
    return TelegramAddress(
        token=Secret(match["token"].replace("%3A", ":").replace("%3a", ":")),
        chats=chats,
        silent=options.get("silent", "").lower() in _YES,
        preview=options.get("preview", "").lower() in _YES,
    )


def one_by_one(url: str) -> tuple[str, ...]:
    """Return the address of each chat of a channel; the address as it is where there are no several."""
    match = _ADDRESS.fullmatch(url.strip())
    try:
        chats = read_telegram_address(url).chats
    except ValueError:
        return (url,)
    if match is None or len(chats) == 1:
        return (url,)
    options = parse_qsl(match["query"] or "", keep_blank_values=True)
    kept = urlencode([pair for pair in options if pair[0].lower() not in _OF_CHATS])
    begin = url.strip()[: match.end("token")]
    return tuple(f"{begin}/{chat}{'?' if kept else ''}{kept}" for chat in chats)


def _chat(text: str, topic: str) -> TelegramChat:
    match = _CHAT.fullmatch(text)
    if match is None or (topic and not re.fullmatch(r"\d{1,18}", topic, re.ASCII)):
        raise ValueError("want chats as numbers or @names, and topics as numbers: CHAT:TOPIC")
    name, number = match["chat"], match["topic"] or topic
    is_number = name.lstrip("-").isdigit()
    chat: int | str = int(name) if is_number else f"@{name.removeprefix('@')}"
    return TelegramChat(chat, int(number) if number else None)
