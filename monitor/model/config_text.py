"""Ids and strings as a program writes them into a monitor.toml."""

import json
import re
from collections.abc import Container
from itertools import count

_LONGEST_ID = 40


def slug(name: str) -> str:
    """Return an id made of a name: `[a-z0-9-]`, 40 characters at most; empty where the name has no such character."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_ID].strip("-")


def free_id(stem: str, taken: Container[str], mark: str = "-") -> str:
    """Return the id, with `mark` and a number behind it where it is taken."""
    if stem not in taken:
        return stem
    return next(name for number in count(2) if (name := f"{stem}{mark}{number}") not in taken)


def toml_string(text: str) -> str:
    """Quote a text as TOML does, which is as JSON does but for one character. What is no Unicode becomes `?`."""
    whole = text.encode("utf-8", "replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
