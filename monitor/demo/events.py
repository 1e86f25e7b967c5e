"""Writes server-sent events. Pure."""

import json
from typing import Any

DONE = b"data: [DONE]\n\n"


def event(value: Any, name: str = "", end: bytes = b"\n") -> bytes:
    """Return one event with JSON data. `end` ends its lines: Google's end in CRLF."""
    head = f"event: {name}".encode() + end if name else b""
    return head + b"data: " + json.dumps(value, separators=(",", ":")).encode() + end + end
