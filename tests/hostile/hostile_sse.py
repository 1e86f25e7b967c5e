"""Server-sent events: streams without content, without end, without lines, and with lies in them."""

import json

from behaviour import LONG, OK, SHORT, Behaviour, behaviour, endless, saying
from hostile_http import bomb
from servers import Script, resetting

from monitor.model import FailureKind

HEAD = OK + b"Content-Type: text/event-stream\r\n\r\n"
ASKED = {"text": "Say yes.", "answer": "yes", "max_tokens": 500}
MB = 1024 * 1024


def sse(
    name: str, script: Script | bytes, wants: FailureKind | None, timeout: str = LONG
) -> Behaviour:
    """Bytes are what follows the headers; the connection ends behind them."""
    script = saying(HEAD + script) if isinstance(script, bytes) else script
    return behaviour("SSE", name, script, wants, "chat", timeout, **ASKED)


def forever(
    name: str,
    piece: bytes,
    wants: FailureKind | None,
    every: float = 0.0,
    first: bytes = b"",
    timeout: str = LONG,
) -> Behaviour:
    return sse(name, endless(HEAD + first, piece, every), wants, timeout)


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, **delta: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"model": "model-x", "choices": [choice]})


YES = delta(content="yes")
STOP = delta("stop")
DONE = b"data: [DONE]\n\n"
GOOD = YES + STOP + DONE
EMPTY = delta(content="")
SILENT = FailureKind.NO_FIRST_TOKEN
TOO_LARGE = FailureKind.BODY_TOO_LARGE

_WITHOUT_END = (
    forever("drip of comments", b": ping\n\n", SILENT, 0.02, timeout=SHORT),
    forever("flood of comments", b": ping\n\n" * 8192, TOO_LARGE),
    forever("flood of the shortest comments", b":\n" * 32768, TOO_LARGE),
    forever("flood of empty lines", b"\n" * 65536, TOO_LARGE),
    forever("flood of unknown fields", b"x\n" * 32768, TOO_LARGE),
    forever("drip of pings", b"event: ping\ndata: {}\n\n", SILENT, 0.02, timeout=SHORT),
    forever("flood of pings", b"event: ping\ndata: {}\n\n" * 2048, TOO_LARGE),
    forever("drip of empty deltas", EMPTY, SILENT, 0.02, timeout=SHORT),
    forever("flood of empty deltas", EMPTY * 500, TOO_LARGE),
    forever("drip of roles", delta(role="assistant"), SILENT, 0.02, timeout=SHORT),
    forever("flood of empty data", b"data:\n\n" * 8192, TOO_LARGE),
    forever("one line of 100 MB", b"x" * 65536, TOO_LARGE, first=b"data: "),
    forever("a comment of 100 MB", b"x" * 65536, TOO_LARGE, first=b":"),
    forever("one event that never ends", b"data: " + b"x" * 100 + b"\n", TOO_LARGE),
    forever("one event of empty lines", b"data\n" * 8192, TOO_LARGE),
    forever("a drip without a new line", b"x", SILENT, 0.02, b"data: ", SHORT),
    forever(
        "drip of content without end",
        delta(content="yes "),
        FailureKind.BODY_TIMEOUT,
        0.02,
        timeout=SHORT,
    ),
    forever("flood of content without end", delta(content="yes ") * 500, TOO_LARGE),
    forever("flood of thoughts without end", delta(reasoning_content="hm ") * 500, TOO_LARGE),
    forever(
        "heartbeats behind [DONE]", b": ping\n\n", FailureKind.EMPTY_COMPLETION, 0.02, DONE, SHORT
    ),
    forever("heartbeats behind a whole answer", b": ping\n\n", None, 0.02, GOOD, SHORT),
    forever("flood of single CR", b"\r" * 65536, TOO_LARGE),
)

_ENDS = (
    sse("a good stream", GOOD, None),
    sse("nothing at all", b"", FailureKind.EMPTY_COMPLETION),
    sse("[DONE] at once", DONE, FailureKind.EMPTY_COMPLETION),
    sse("a finish and no text", STOP + DONE, FailureKind.EMPTY_COMPLETION),
    sse("cut without an end", YES, FailureKind.TRUNCATED),
    sse("cut amid the first event", GOOD[:30], FailureKind.EMPTY_COMPLETION),
    sse("reset amid the stream", resetting(HEAD + delta(content="no ")), FailureKind.TRUNCATED),
    sse("reset before the first event", resetting(HEAD), FailureKind.HTTP_DISCONNECT),
    sse(
        "silence amid the stream",
        saying(HEAD + delta(content="no "), 60.0),
        FailureKind.BODY_TIMEOUT,
        SHORT,
    ),
    sse(
        "silence behind a whole answer",
        saying(HEAD + YES + STOP, 60.0),
        FailureKind.BODY_TIMEOUT,
        SHORT,
    ),
    sse(
        "an error in the middle",
        YES + event({"error": {"message": "upstream died"}}),
        FailureKind.STREAM_ERROR,
    ),
    sse(
        "an error by its event's name",
        YES + b"event: error\ndata: upstream died\n\n",
        FailureKind.STREAM_ERROR,
    ),
    sse(
        "an error that is no event",
        YES + b'{"error": {"message": "upstream died"}}\n',
        FailureKind.STREAM_ERROR,
    ),
    sse(
        "an error of account in the middle",
        YES + event({"error": {"code": "insufficient_quota"}}),
        FailureKind.QUOTA_EXHAUSTED,
    ),
    sse(
        "an error deep as a well",
        YES + b"data: " + b'{"error":' * 400 + b"1" + b"}" * 400 + b"\n\n",
        FailureKind.STREAM_ERROR,
    ),
    sse(
        "an error of 900 kB",
        YES + event({"error": {"message": "x" * 900_000}}),
        FailureKind.STREAM_ERROR,
    ),
    sse("content behind [DONE]", GOOD + delta(content="<script>alert(1)</script>"), None),
)

_LIES = (
    sse("ids with NUL", b"id: a\0b\n" + GOOD, None),
    sse("retry below nothing", b"retry: -5\n\n" + GOOD, None),
    sse("retry without end", b"retry: " + b"9" * 5000 + b"\n\n" + GOOD, None),
    sse("lines that end in CR", GOOD.replace(b"\n", b"\r"), None),
    sse("lines that end in anything", GOOD.replace(b"\n\n", b"\r\n\r", 1), None),
    sse("a mark before it", b"\xef\xbb\xbf" + GOOD, None),
    sse("UTF-16", GOOD.decode().encode("utf-16"), FailureKind.UNEXPECTED_BODY),
    sse("bytes that are no UTF-8", b": \xff\xfe\xc0\x80\n\n" + GOOD, None),
    sse("an event's name of 900 kB", b"event: " + b"x" * 900_000 + b"\n" + GOOD, None),
    sse(
        "lone surrogates for content",
        b'data: {"choices": [{"delta": {"content": "\\ud800"}}]}\n\n' + GOOD,
        None,
    ),
    sse(
        "deep JSON in an event",
        b"data: " + b"[" * 100_000 + b"\n\n" + GOOD,
        FailureKind.MALFORMED_STREAM,
    ),
    sse(
        "half a million empty arrays in an event",
        b"data: [" + b"[]," * (MB // 6) + b"[]]\n\n" + GOOD,
        FailureKind.MALFORMED_STREAM,
    ),
    sse(
        "NaN and Infinity", b'data: {"choices": [NaN, Infinity, -Infinity, 1e999]}\n\n' + GOOD, None
    ),
    sse(
        "choices of every wrong shape",
        b"".join(
            event({"choices": odd})
            for odd in (
                None,
                7,
                "x",
                {},
                [7],
                [[]],
                [{"delta": 7}],
                [{"delta": {"content": 7}}],
                [{"delta": {"content": [7]}}],
            )
        )
        + GOOD,
        None,
    ),
    sse(
        "tools at odd places",
        delta(tool_calls=[{"index": -1}, {"index": 10**12}, {"index": "x"}, {"index": {}}]) + GOOD,
        None,
    ),
    sse(
        "usage of four thousand digits",
        GOOD[: -len(DONE)]
        + event(
            {"choices": [], "usage": {"completion_tokens": 10**4000, "prompt_tokens": 10**4000}}
        )
        + DONE,
        None,
    ),
    sse(
        "usage below nothing",
        GOOD[: -len(DONE)]
        + event({"usage": {"completion_tokens": -1, "total_tokens": "x"}})
        + DONE,
        None,
    ),
    sse("a finish reason of 100 kB", YES + delta("x" * 100_000) + DONE, None),
    sse(
        "another model in each event",
        b"".join(
            event({"model": f"m{n}", "choices": [{"delta": {"content": "yes "}}]})
            for n in range(2000)
        )
        + STOP
        + DONE,
        None,
    ),
    sse("one JSON object a line", YES.replace(b"data: ", b"") * 3, FailureKind.UNEXPECTED_BODY),
    sse("prose", b"Our service has moved.\nPlease write to us.\n\n", FailureKind.UNEXPECTED_BODY),
    behaviour(
        "SSE",
        "a stream packed as a bomb",
        bomb(b"gzip", 31, label=b"text/event-stream"),
        TOO_LARGE,
        "chat",
        **ASKED,
    ),
)

ROWS = (*_WITHOUT_END, *_ENDS, *_LIES)
