"""Keeps text of strangers from calling people in a chat, in every messenger's way of it.

An address such as `support@example.com` is no exception: Apprise takes what follows its `@` for somebody on Discord.
"""

import re

_JOINER = "\u2060"
_MENTION = re.compile(
    r"@(?=\w)|(?<!\w)@(?=\S)|<(?=[@!#&]|at\b|users/)"
    r"|(?<=\()(?=(?:met|rol|chn)\))|(?<=\[)(?=CQ:)",
    re.IGNORECASE,
)


def break_mentions(text: str) -> str:
    """Put an invisible word joiner after what would begin a mention."""
    return _MENTION.sub(lambda match: match[0] + _JOINER, text)
