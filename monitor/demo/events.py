"""Server-sent events, as the simulated service frames them. Pure."""

import json
from typing import Any

DONE = b"data: [DONE]\n\n"


def event(value: Any, name: str = "", end: bytes = b"\n") -> bytes:
    """`end` is how its lines end: Google's end in CRLF."""
    head = f"event: {name}".encode() + end if name else b""
    return head + b"data: " + json.dumps(value, separators=(",", ":")).encode() + end + end
