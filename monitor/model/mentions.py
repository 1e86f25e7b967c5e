"""Keeps text of strangers from calling people in a chat, in every messenger's way of it."""

import re

_JOINER = "\u2060"
_MENTION = re.compile(
    r"@(?=\w*(?:everyone|here|channel|all|room|team|online)\b)|(?<!\w)@(?=\S)|<(?=[@!#&]|at\b|users/)"
    r"|(?<=\()(?=(?:met|rol|chn)\))|(?<=\[)(?=CQ:)",
    re.IGNORECASE,
)


def break_mentions(text: str) -> str:
    """Put an invisible word joiner after what would begin a mention."""
    return _MENTION.sub(lambda match: match[0] + _JOINER, text)
