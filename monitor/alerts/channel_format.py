"""Says how each channel wants to be told: markup, lengths, parts, priorities, events. Pure.

It is the one place that knows channels, by the scheme of their addresses, which Apprise defines. What a
message means is in the message; what an address itself asks for stays, but for what names an event.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, unquote_plus

from monitor.model import Channel, Message, NotificationType, Severity
from monitor.model.mentions import break_mentions

_PARTS = 4
"""A message is cut after so many parts; the page has the rest."""
_TITLE = 200
_NUMBER = " (1/1)"
_ONE_LINE = 400
"""A channel that takes less than that, as SMS does, gets one line."""
_BESIDE_TITLE = 16
"""What Apprise puts around a title that it writes into the text."""


class Markup(StrEnum):
    """Names a markup as Apprise does."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Holds what Apprise is handed: `kind` is its notification type, from which it takes colours."""

    title: str
    body: str
    markup: Markup
    kind: str


# --- channels that hold events ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventOptions:
    """Names the options of an address that say which event it is and what happens to it."""

    key: str = "dedup"
    acknowledge: str | None = None
    """The value of `action` that says that somebody knows; None where Apprise cannot say it."""


_EVENTS = {
    "firehydrant": EventOptions(),
    "goalert": EventOptions(),
    "goalerts": EventOptions(),
    "ilert": EventOptions(acknowledge="acknowledge"),
    "incidentio": EventOptions(),
    "jira": EventOptions("alias", "acknowledge"),
    "opsgenie": EventOptions("alias", "acknowledge"),
    "opsimate": EventOptions(),
    "opsimates": EventOptions(),
    "pagerduty": EventOptions(),
    "pagertree": EventOptions(acknowledge="acknowledge"),
    "signl4": EventOptions(acknowledge="acknowledge"),
    "splunk": EventOptions("entity_id", "acknowledgement"),
    "squadcast": EventOptions(),
    "victorops": EventOptions("entity_id", "acknowledgement"),
}


def scheme_of(channel: Channel) -> str:
    return channel.url.reveal().partition("://")[0].strip().lower()


def holds_events(channel: Channel) -> bool:
    """Say whether it keeps one event from its begin to its end, as on-call services do."""
    return scheme_of(channel) in _EVENTS


def takes_acknowledgement(channel: Channel) -> bool:
    """Say whether it can be told that somebody knows of an event."""
    options = _EVENTS.get(scheme_of(channel))
    return options is not None and options.acknowledge is not None


def _event_options(scheme: str, message: Message) -> dict[str, str]:
    options = _EVENTS.get(scheme)
    if options is None or not message.event:
        return {}
    is_known = message.what is NotificationType.ACKNOWLEDGED and options.acknowledge
    key = message.event.replace(
        "/", ":"
    )  # a slash in a path, where Opsgenie has it, is refused by some gateways
    return {options.key: key, "action": options.acknowledge if is_known else "map"}  # type: ignore[dict-item]


# --- options of an address: priority and link ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Priority:
    """Holds the values of the option `name` for what is down, and for all else."""

    down: str
    other: str
    name: str = "priority"


_HIGH = _Priority("1", "0")
_PRIORITIES = {
    "bark": _Priority("timeSensitive", "active", "level"),
    "dapnet": _HIGH,
    "dbus": _Priority("2", "1", "urgency"),
    "fcm": _Priority("high", "normal"),
    "firehydrant": _Priority("high", "medium"),
    "glib": _Priority("2", "1", "urgency"),
    "gnome": _Priority("2", "1", "urgency"),
    "gorush": _Priority("high", "normal"),
    "gotify": _Priority("8", "5"),
    "growl": _HIGH,
    "ilert": _Priority("high", "low"),
    "jira": _Priority("p1", "p3"),
    "join": _HIGH,
    "lametric": _Priority("critical", "info"),
    "lauther": _HIGH,
    "ntfy": _Priority("high", "default"),
    "opsgenie": _Priority("p1", "p3"),
    "pagertree": _Priority("high", "medium", "urgency"),
    "pinglet": _Priority("urgent", "normal"),
    "pover": _HIGH,
    "prowl": _HIGH,
    "psafer": _HIGH,
    "smseagle": _HIGH,
    "squadcast": _Priority("P1", "P3"),
    "trigv": _Priority("time_sensitive", "standard", "urgency"),
}
_LINKS = {
    "bark": "click",
    "dot": "link",
    "firehydrant": "click",
    "ilert": "click",
    "incidentio": "click",
    "kakao": "link",
    "lauther": "click",
    "ntfy": "click",
    "opsimate": "click",
    "pagerduty": "click",
    "pover": "url",
    "pushward": "url",
    "trigv": "url",
    "youlmk": "url",
}


def address(channel: Channel, message: Message) -> str:
    """Return the channel's address with the options that this message asks for."""
    scheme = scheme_of(channel)
    asked = _event_options(scheme, message)
    own = _options_of(channel.url.reveal())
    wished = {**_priority(scheme, message), **_link(scheme, message), **_markup_option(scheme)}
    asked |= {name: value for name, value in wished.items() if name not in own}
    return with_options(channel.url.reveal(), asked)


def with_options(url: str, options: Mapping[str, str]) -> str:
    """Put options into an address, in the place of those of the same name."""
    before, _, query = url.partition("?")
    kept = [pair for pair in query.split("&") if pair and _name(pair) not in options]
    added = [f"{name}={quote(value, safe='')}" for name, value in options.items()]
    return f"{before}?{'&'.join([*kept, *added])}" if kept or added else before


def _options_of(url: str) -> set[str]:
    return {_name(pair) for pair in url.partition("?")[2].split("&")}


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0]).strip().lower()


def _plain(scheme: str) -> str:
    """Return a scheme without its TLS: `ntfys` is `ntfy`."""
    tables: tuple[Iterable[str], ...] = (_PRIORITIES, _LINKS, _MARKDOWN, _TRUTHS)
    insecure = scheme.removesuffix("s")
    return insecure if any(insecure in table for table in tables) else scheme


def _priority(scheme: str, message: Message) -> dict[str, str]:
    priority = _PRIORITIES.get(_plain(scheme))
    if priority is None:
        return {}
    is_urgent = message.severity is Severity.DOWN and not message.what.is_end
    return {priority.name: priority.down if is_urgent else priority.other}


def _link(scheme: str, message: Message) -> dict[str, str]:
    name = _LINKS.get(_plain(scheme))
    return {name: message.link} if name and message.link else {}


def _markup_option(scheme: str) -> dict[str, str]:
    """Apprise takes the text of these for plain; what they show is Markdown."""
    return {"format": "markdown"} if _plain(scheme) in _MARKDOWN else {}


# --- one channel's format --------------------------------------------------------------------------

_MARKDOWN = {"discord", "guilded", "mmost", "nctalk", "revolt", "schan", "zulip"}
"""Their text is Markdown whatever it is declared to be."""


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _utf8(text: str) -> int:
    return len(text.encode())


_TRUTHS: Mapping[str, tuple[int, Callable[[str], int]]] = {
    "bark": (3000, _utf8),
    "dingtalk": (18_000, _utf8),
    "feishu": (18_000, _utf8),
    "lark": (18_000, _utf8),
    "ntfy": (3900, _utf8),
    "tgram": (4096, _utf16),
    "wechat": (2048, _utf8),
    "wecombot": (2048, _utf8),
}
"""How much they take and how they count, where Apprise knows it otherwise."""


def overflow_of(channel: Channel) -> str:
    """Say what Apprise does with what it takes for too long.

    Telegram counts what is shown, Apprise what is sent, in which each space is six characters.
    """
    return "upstream" if scheme_of(channel) == "tgram" else "split"


@dataclass(frozen=True, slots=True)
class ChannelFormat:
    """Holds the format of one channel. `title` is 0 where a title stands in the text."""

    scheme: str
    title: int
    body: int
    markup: Markup

    @classmethod
    def of(cls, channel: Channel, title: int, body: int, formats: Sequence[str]) -> "ChannelFormat":
        """Take what Apprise's plugin says of itself: its lengths, and the markups it knows, its own first."""
        scheme = scheme_of(channel)
        if _plain(scheme) in _MARKDOWN or [*formats] == [Markup.MARKDOWN]:
            markup = Markup.MARKDOWN
        elif scheme != "tgram" and formats[0] == Markup.HTML:
            markup = Markup.HTML
        else:
            markup = Markup.TEXT
        return cls(scheme, title, _TRUTHS.get(_plain(scheme), (body, len))[0], markup)

    def parts(self, message: Message) -> tuple[Message, ...]:
        """Cut a message between lines into parts that the channel takes, and number them.

        An event is one part, and where it begins and ends at once it is told as both.
        """
        if self.scheme in _EVENTS:
            whole = self._cut_whole(message)
            if message.what is not NotificationType.NOTICE:
                return (whole,)
            begin, end = NotificationType.OPENED, NotificationType.RESOLVED
            return replace(whole, what=begin), replace(whole, what=end)
        if self.body < _ONE_LINE:
            return (self._one_line(message),)
        if self._fits(message):
            return (message,)
        title = self._cut(message.title, self._longest_title - len(_NUMBER))
        room = self._room(title + _NUMBER)
        bodies = self._pieces(message.body, room)
        if len(bodies) > _PARTS:
            last = self._cut(bodies[_PARTS - 1], room - self._size("…")).rstrip("…") + "…"
            bodies = [*bodies[: _PARTS - 1], last]
        return tuple(
            replace(message, title=f"{title} ({place}/{len(bodies)})", body=body)
            for place, body in enumerate(bodies, 1)
        )

    def render(self, message: Message) -> Rendered:
        """Put one part into the channel's markup, with everything escaped that it would take for its own."""
        title, body = break_mentions(message.title), break_mentions(message.body)
        if self.title <= 0 and self.markup is not Markup.TEXT:
            title = self._escape(title)
        body = self._escape(body)
        if self.markup is Markup.HTML:
            body = _as_html(body, message.link)
        return Rendered(title, body, self.markup, self._kind(message))

    def _kind(self, message: Message) -> str:
        """Return Apprise's notification type. An event is never `info`, which several services drop."""
        if message.what is NotificationType.UNWATCHED and self.scheme not in _EVENTS:
            return "info"
        if message.what.is_end:
            return "success"
        if message.incidents and message.severity is Severity.DOWN:
            return "failure"
        return "warning" if message.incidents or self.scheme in _EVENTS else "info"

    @property
    def _longest_title(self) -> int:
        return min(self.title, _TITLE) if self.title > 0 else min(_TITLE, self.body // 2)

    def _fits(self, message: Message) -> bool:
        return len(message.title) <= self._longest_title and self._size(message.body) <= self._room(
            message.title
        )

    def _room(self, title: str) -> int:
        """Return what is left for the text beside a title, which many count as a part of it."""
        return self.body - self._size(title) - _BESIDE_TITLE

    def _cut_whole(self, message: Message) -> Message:
        title = self._cut(message.title, self._longest_title)
        room = self._room(title)
        if self._size(message.body) <= room:
            return replace(message, title=title)
        first = self._pieces(message.body, room - self._size("\n…"))[0]
        return replace(message, title=title, body=f"{first}\n…")

    def _one_line(self, message: Message) -> Message:
        """Keep the title, and what to use instead where that fits: half an address helps nobody."""
        line = message.short or message.title
        line = _WITHOUT_MARK.sub("", line if self._size(line) <= self.body else message.title)
        line = self._cut(line, self.body)
        return replace(message, title="", body=line)

    def _pieces(self, body: str, room: int) -> list[str]:
        pieces: list[list[str]] = [[]]
        left = room
        for whole_line in body.splitlines():
            line = self._cut(whole_line, room)
            size = self._size(line) + self._size("\n")
            if size > left and pieces[-1]:
                pieces.append([])
                left = room
            pieces[-1].append(line)
            left -= size
        return ["\n".join(piece) for piece in pieces]

    def _cut(self, text: str, limit: int) -> str:
        """Cut a text to a size as the channel counts, with an ellipsis."""
        if self._size(text) <= limit:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self._size(text[:middle]) + self._size("…") <= limit
            low, high = (middle, high) if fits else (low, middle - 1)
        return text[:low].rstrip() + "…"

    def _size(self, text: str) -> int:
        count = _TRUTHS.get(_plain(self.scheme), (0, len))[1]
        return count(self._escape(break_mentions(text)))

    def _escape(self, text: str) -> str:
        if self.markup is Markup.HTML:
            return html.escape(text)
        return escape_markdown(text) if self.markup is Markup.MARKDOWN else text


TELEGRAM = ChannelFormat("tgram", 0, _TRUTHS["tgram"][0], Markup.TEXT)
"""Cuts and renders as for Apprise, for a bot of ours."""


def telegram_html(part: Message) -> str:
    """Render one part as the HTML that a bot sends: what Apprise makes of the same part shows the same."""
    rendered = TELEGRAM.render(part)
    title, body = (html.escape(text, quote=False) for text in (rendered.title, rendered.body))
    return f"<b>{title}</b>\n{body}"


# --- escaping --------------------------------------------------------------------------------------

_WITHOUT_MARK = re.compile(r"^[^\w\s]+\s+")
"""The mark before a title is no letter of SMS: with it every letter takes two bytes."""
_URL = re.compile(r"https?://[\w.\-:]+(?:/[\w.\-~/%?=&+#:,;]*)?")
_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
_SPECIAL = re.compile(
    r"[\\`*~\[\]<>|&]|(?<![^\W_])_|_(?![^\W_])|^\s*(?:[#+\-=]|\d+[.)])", re.MULTILINE
)


def escape_markdown(text: str) -> str:
    """Escape what Markdown would take for its own, but not in addresses, which people copy."""
    escaped, end = [], 0
    text = _INDENT.sub("", text)
    for url in _URL.finditer(text):
        escaped += [_escape_words(text[end : url.start()]), url[0]]
        end = url.end()
    return "".join([*escaped, _escape_words(text[end:])])


def _escape_words(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", text)


def _as_html(escaped: str, link: str | None) -> str:
    """Keep lines, and make a link of the page's address; any other address is only text."""
    address = html.escape(link) if link else None
    lines = [
        f'<a href="{line}">{line}</a>' if line == address else line for line in escaped.splitlines()
    ]
    return "<br/>\n".join(lines)
