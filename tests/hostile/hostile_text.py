"""Text meant for terminals, logs, pages and people: it may stand in every field that a server fills."""

import base64
import json
from urllib.parse import quote

from behaviour import KEY, Behaviour, behaviour, sized
from hostile_sse import DONE, HEAD, YES, delta

from monitor.model import FailureKind

TEXTS = {
    "ANSI escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m",
    "bidi controls": "\u202eevil\u2066\u200f\ufeff",
    "markup": "</title><script>alert(1)</script><img src=x onerror=alert(1)>",
    "a line for the log": "x\n2026-11-24 event=run check=a/b/c outcome=up\r\nLevel: fine\u2028\u0085",
    "templates": "{{7*7}}${7*7}%s%n%(key)s{0.__class__}",
    "a heap of accents": "a" + "\u0301" * 5000,
    "NUL and lone surrogates": "a\0b\ud800c",
    "a megabyte": "x" * 1_000_000,
}
ECHOES = {
    "the key": KEY,
    "the key in base64": base64.b64encode(KEY.encode()).decode(),
    "the header in base64": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "the key in a URL": quote(KEY, safe=""),
    "the key in capitals": KEY.upper(),
    "the key cut short": KEY[:-3],
    "the key in hex": KEY.encode().hex(),
    "the key percent by percent": "".join(f"%{byte:02x}" for byte in KEY.encode()),
}


def text(name: str, body: bytes, wants: FailureKind | None, probe: str = "models") -> Behaviour:
    return behaviour("text", name, body, wants, probe, **_ASKED.get(probe, {}))


_ASKED = {"chat": {"text": "Say yes.", "answer": "yes"}}


def error(said: str) -> bytes:
    body = json.dumps({"error": {"message": said, "code": said[:200]}}).encode()
    return sized(body, status=b"500 No")


def listed(said: str) -> bytes:
    return sized(json.dumps({"data": [{"id": said}]}).encode())


def streamed(said: str) -> bytes:
    named = YES.replace(b'"model-x"', json.dumps(said).encode())
    return HEAD + named + delta(said[:100_000]) + DONE


def headers(said: str) -> bytes:
    """What may stand in a header by the letter of HTTP: no line ends, no NUL."""
    value = "".join(each for each in said if each >= " ").encode("utf-8", "replace")[:10_000]
    more = (b"X-Said: " + value, b"Server: " + value, b"Content-Type: " + value)
    return sized(b"no", *more, status=b"500 " + value)


def page(said: str) -> bytes:
    return sized(f"<title>{said}</title>".encode("utf-8", "replace")[:900_000])


def rows(name: str, said: str) -> tuple[Behaviour, ...]:
    return (
        text(f"{name} in an error", error(said), FailureKind.SERVER_ERROR),
        text(f"{name} in headers and reason", headers(said), FailureKind.SERVER_ERROR),
        text(f"{name} as a model's name", listed(said), FailureKind.MODEL_NOT_FOUND),
        text(f"{name} in a page's title", page(said), FailureKind.HTML_ANSWER),
        text(f"{name} in a stream", streamed(said), None, "chat"),
        text(
            f"{name} in a redirect",
            sized(
                b"",
                b"Location: http://x.test/" + quote(said[:9000], errors="replace")[:9000].encode(),
                status=b"302 X",
            ),
            FailureKind.UNEXPECTED_REDIRECT,
        ),
    )


ROWS = tuple(row for name, said in (TEXTS | ECHOES).items() for row in rows(name, said))
