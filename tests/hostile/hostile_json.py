"""JSON: deep, huge, not quite JSON, in the wrong letters, and of the wrong shape."""

import json

from behaviour import Behaviour, behaviour, sized
from servers import Script, saying

from monitor.model import FailureKind

MB = 1024 * 1024
UNUSABLE = FailureKind.UNEXPECTED_BODY
GOOD = b'{"object": "list", "data": [{"id": "model-x"}]}'
_JSON = b"Content-Type: application/json"


def models(
    name: str,
    body: bytes,
    wants: FailureKind | None,
    label: bytes = _JSON,
    status: bytes = b"200 OK",
) -> Behaviour:
    return behaviour("JSON", name, sized(body, label, status=status), wants, "models")


def made(head: bytes, piece: bytes, times: int, tail: bytes) -> Script:
    """A large body, made when it is asked for."""

    async def script(reader, writer) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        await saying(sized(head + piece * times + tail, _JSON))(reader, writer)

    return script


def large(
    name: str, head: bytes, piece: bytes, times: int, tail: bytes, wants: FailureKind | None
) -> Behaviour:
    return behaviour("JSON", name, made(head, piece, times, tail), wants, "models")


def plain_chat(name: str, script: Script | bytes, wants: FailureKind | None) -> Behaviour:
    script = saying(sized(script, _JSON)) if isinstance(script, bytes) else script
    return behaviour(
        "JSON", name, script, wants, "chat", stream=False, text="Say yes.", answer="yes"
    )


def answer(**more: object) -> bytes:
    choice = {"message": {"content": "yes"}, "finish_reason": "stop"}
    return json.dumps({"model": "model-x", "choices": [choice], **more}).encode()


def used(count: str) -> bytes:
    return answer(usage={"completion_tokens": "?"}).replace(b'"?"', count.encode())


ROWS = (
    models("a good list", GOOD, None),
    models("arrays in arrays", b"[" * 100_000, UNUSABLE),
    models("objects in objects", b'{"data":' * 50_000, UNUSABLE),
    models("deep, closed, inside the list", b'{"data":' + b"[" * 900 + b"]" * 900 + b"}", UNUSABLE),
    large("a million empty arrays", b'{"data":[', b"[],", MB, b"[]]}", FailureKind.BODY_TOO_LARGE),
    large("a million empty objects", b'{"data":[', b"{},", MB, b"{}]}", FailureKind.BODY_TOO_LARGE),
    large(
        "two hundred thousand models",
        b'{"data":[',
        b'{"id":"m-%06d"},' % 7,
        200_000,
        b'{"id":"z"}]}',
        FailureKind.BODY_TOO_LARGE,
    ),
    large(
        "a string of 3 MB", b'{"data":[{"id":"', b"x", 3 * MB, b'"}]}', FailureKind.BODY_TOO_LARGE
    ),
    large("3 MB of white space", b"", b" ", 3 * MB, GOOD, FailureKind.BODY_TOO_LARGE),
    models("NaN", b'{"data": NaN}', UNUSABLE),
    models("Infinity", b'{"data": [Infinity, -Infinity, 1e999]}', UNUSABLE),
    models("a number of 5000 digits", b'{"data": [%s]}' % (b"9" * 5000), UNUSABLE),
    models(
        "lone surrogates",
        b'{"data": [{"id": "\\ud800model-x\\udfff"}]}',
        FailureKind.MODEL_NOT_FOUND,
    ),
    models("a key twice", b'{"data": [], "data": [{"id": "model-x"}]}', None),
    models("cut in the middle", GOOD[:-10], UNUSABLE),
    models("something behind it", GOOD + b"}", UNUSABLE),
    models("comments in it", b"// hello\n" + GOOD, UNUSABLE),
    models("nothing", b"", UNUSABLE),
    models("NUL bytes", bytes(1000), UNUSABLE),
    models("null", b"null", UNUSABLE),
    models("a word", b'"models"', UNUSABLE),
    models("a number", b"42", UNUSABLE),
    models("null where the list should be", b'{"data": null}', UNUSABLE),
    models("a table where the list should be", b'{"data": {"id": "model-x"}}', UNUSABLE),
    models(
        "ids that are no text", b'{"data": [{"id": 1}, {"id": null}, {"id": ["x"]}, 7]}', UNUSABLE
    ),
    models("an empty list", b'{"data": []}', UNUSABLE),
    models("an error under 200", b'{"error": {"message": "no"}}', FailureKind.SERVER_ERROR),
    models(
        "an error that is a list in lists", b'{"error": [[[["no"]]]]}', FailureKind.SERVER_ERROR
    ),
    models(
        "an error of 3 kB in 500",
        b'{"error": {"message": "%s"}}' % (b"no " * 1000),
        FailureKind.SERVER_ERROR,
        status=b"500 X",
    ),
    models(
        "an error with a deep heart",
        b'{"error":' * 500 + b"1" + b"}" * 500,
        FailureKind.SERVER_ERROR,
        status=b"500 X",
    ),
    models(
        "XML",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        FailureKind.HTML_ANSWER,
    ),
    models(
        "a page",
        b"<!doctype html><title>Login</title><script>alert(1)</script>",
        FailureKind.HTML_ANSWER,
    ),
    models("UTF-16 with a mark", b"\xff\xfe" + GOOD.decode().encode("utf-16-le"), UNUSABLE),
    models("UTF-16 without a mark", GOOD.decode().encode("utf-16-be"), UNUSABLE),
    models("UTF-32", GOOD.decode().encode("utf-32"), UNUSABLE),
    models("UTF-8 with a mark", b"\xef\xbb\xbf" + GOOD, None),
    models("Latin-1 in a name", b'{"data": [{"id": "mod\xe8le"}, {"id": "model-x"}]}', None),
    models(
        "bytes that are no UTF-8",
        b'{"data": [{"id": "\xff\xfe\xc0\x80"}]}',
        FailureKind.MODEL_NOT_FOUND,
    ),
    models("UTF-7 by its label", GOOD, None, b"Content-Type: application/json; charset=utf-7"),
    models(
        "a charset that is none",
        GOOD,
        None,
        b"Content-Type: application/json; charset=\xff\x80;;;=x",
    ),
    models("a picture by its label", GOOD, None, b"Content-Type: image/png"),
    large("a name of 200 kB", b'{"data":[{"id":"model-x"},{"id":"', b"x", 200_000, b'"}]}', None),
    plain_chat(
        "a million empty arrays for an answer",
        made(b'{"choices":[', b"[],", MB, b"[]]}"),
        FailureKind.BODY_TOO_LARGE,
    ),
    plain_chat(
        "a million empty tables for an answer",
        made(b'{"choices":[', b"{},", MB, b"{}]}"),
        FailureKind.BODY_TOO_LARGE,
    ),
    plain_chat(
        "choices of the wrong shape",
        b'{"choices": [[], "x", 7, {"message": 7}, {"message": {"content": {"a": 1}}}]}',
        FailureKind.EMPTY_COMPLETION,
    ),
    plain_chat("tokens that are NaN", used("NaN"), None),
    plain_chat("tokens without end", used("1e999"), None),
    plain_chat("tokens below nothing", used("-5"), None),
    plain_chat("tokens of four thousand digits", used("9" * 4000), None),
    plain_chat("usage that is a list", answer(usage=[1, 2]), None),
    plain_chat(
        "a finish reason of 100 kB", answer().replace(b'"stop"', b'"%s"' % (b"x" * 100_000)), None
    ),
    plain_chat(
        "tool calls at odd places",
        b'{"choices": [{"message": {"content": "yes", "tool_calls": [{"index": -1}, {"index": 1e9}, {"index": "x", "function": 7}]}}]}',
        None,
    ),
)
