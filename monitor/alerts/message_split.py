"""Fits messages to channels: lengths as Telegram counts them, long messages in parts. Pure."""

from collections.abc import Sequence

from monitor.model import Message

LIMIT = 3500
"""The most UTF-16 units of one part, once escaped. Telegram takes 4096; Apprise counts the escaped
text, in which every space is six characters, and would send what is longer in pieces, the title alone
in the first."""
_PARTS = 4
"""A message is cut after so many parts; the page has the rest."""
_TITLE = 200
_ESCAPED = {" ": 6, "&": 5, "<": 4, ">": 4, '"': 6, "'": 6, "\n": 2}


def message(title: str, lines: Sequence[str]) -> Message:
    return Message(_cut(" ".join(title.split()), _TITLE), "\n".join(lines))


def parts(message: Message) -> tuple[Message, ...]:
    """Cut a message between lines into parts within the strictest channel's limit, and number them."""
    if _units(message.title) + _units(message.body) <= LIMIT:
        return (message,)
    title = _cut(message.title, _TITLE)
    room = LIMIT - _units(title) - _units(" (1/1)")
    bodies = _pieces(message.body, room)
    if len(bodies) > _PARTS:
        bodies = [*bodies[: _PARTS - 1], _cut(bodies[_PARTS - 1], room - 1).rstrip("…") + "…"]
    return tuple(
        Message(f"{title} ({place}/{len(bodies)})", body) for place, body in enumerate(bodies, 1)
    )


def _pieces(body: str, room: int) -> list[str]:
    pieces: list[list[str]] = [[]]
    left = room
    for whole_line in body.splitlines():
        line = _cut(whole_line, room)
        units = _units(line) + _ESCAPED["\n"]
        if units > left and pieces[-1]:
            pieces.append([])
            left = room
        pieces[-1].append(line)
        left -= units
    return ["\n".join(piece) for piece in pieces]


def _cut(text: str, limit: int) -> str:
    if _units(text) <= limit:
        return text
    kept, left = 0, limit - 1
    for char in text:
        left -= _units(char)
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def _units(text: str) -> int:
    return sum(_ESCAPED.get(char) or (2 if char > "\uffff" else 1) for char in text)
