"""HTTP: bodies and headers without end, drips, bombs, framing that lies, ends at every moment, redirects."""

import asyncio
import socket
import zlib

from behaviour import LONG, OK, SHORT, Behaviour, behaviour, chunked, endless, saying, sized
from servers import Script, reset, resetting

from monitor.model import FailureKind

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = OK + b"Content-Length: 100\r\n\r\n"
_BIG = 64 * 1024 * 1024


def http(
    name: str, script: Script | bytes, wants: FailureKind | None, timeout: str = LONG
) -> Behaviour:
    return behaviour("HTTP", name, script, wants, timeout=timeout)


def models(name: str, script: Script | bytes, wants: FailureKind | None) -> Behaviour:
    return behaviour("HTTP", name, script, wants, "models")


# --- ends ----------------------------------------------------------------------------------------


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.close()


async def stall(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def slam(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Before it has read anything, but not so early that the connection seems refused."""
    await asyncio.sleep(0.1)
    reset(writer)


def later(head: bytes, piece: bytes) -> Script:
    """The pieces come without end, but not together with the head."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(0.1)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return script


def half_closing(*parts: bytes) -> Script:
    """Ends its own side with FIN and goes on listening for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
        await writer.drain()
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await asyncio.sleep(60)

    return script


def unasked(answer: bytes) -> Script:
    """Speaks before it was asked."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await reader.read()

    return script


_AT_ENDS = (
    http("silence after the request", stall, FailureKind.HEADERS_TIMEOUT, SHORT),
    http("silence after the headers", saying(SIZED, 60.0), FailureKind.BODY_TIMEOUT, SHORT),
    http(
        "silence amid a chunk", saying(CHUNKED + b"5\r\nab", 60.0), FailureKind.BODY_TIMEOUT, SHORT
    ),
    http("close at once", drop, FailureKind.HTTP_DISCONNECT),
    http("close after the request", saying(), FailureKind.HTTP_DISCONNECT),
    http("close amid the status line", b"HTTP/1.1 20", FailureKind.HTTP_DISCONNECT),
    http("close amid headers", OK + b"X-Secret: ", FailureKind.HTTP_DISCONNECT),
    http("close before a sized body", SIZED, FailureKind.HTTP_DISCONNECT),
    http("close amid a sized body", SIZED + b"x", FailureKind.UNEXPECTED_BODY),
    http("close amid chunks", CHUNKED + b"5\r\nab", FailureKind.UNEXPECTED_BODY),
    http("reset at once", slam, FailureKind.HTTP_DISCONNECT),
    http("reset after the request", resetting(), FailureKind.HTTP_DISCONNECT),
    http("reset amid the status line", resetting(b"HTTP/1.1 20"), FailureKind.HTTP_DISCONNECT),
    http("reset amid headers", resetting(OK + b"X: "), FailureKind.HTTP_DISCONNECT),
    http("reset amid the body", resetting(SIZED + b"x"), FailureKind.UNEXPECTED_BODY),
    http(
        "reset amid a body without length",
        resetting(OK + b"\r\n", b"x"),
        FailureKind.UNEXPECTED_BODY,
    ),
    http("reset amid chunks", resetting(CHUNKED + b"5\r\nab"), FailureKind.UNEXPECTED_BODY),
    http("reset after the last byte", resetting(sized(b"all of it")), None),
    http("half-close without an answer", half_closing(), FailureKind.HTTP_DISCONNECT),
    http("half-close amid the body", half_closing(SIZED, b"x"), FailureKind.UNEXPECTED_BODY),
    http("half-close after a body without length", half_closing(OK + b"\r\n", b"all"), None),
)

GARBAGE = FailureKind.HTTP_GARBAGE

# --- without end -----------------------------------------------------------------------------------

_WITHOUT_END = (
    http("endless body", endless(OK + b"\r\n", b"x" * 65536), FailureKind.BODY_TOO_LARGE),
    http(
        "endless body of an error",
        endless(b"HTTP/1.1 500 No\r\n\r\n", b"x" * 65536),
        FailureKind.SERVER_ERROR,
    ),
    http(
        "endless chunks",
        endless(CHUNKED, b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
        FailureKind.BODY_TOO_LARGE,
    ),
    http(
        "endless chunks of one byte",
        endless(CHUNKED, b"1\r\nx\r\n" * 8192),
        FailureKind.BODY_TOO_LARGE,
    ),
    http(
        "endless body that says it is a terabyte",
        endless(OK + b"Content-Length: 1099511627776\r\n\r\n", b"x" * 65536),
        FailureKind.BODY_TOO_LARGE,
    ),
    http("endless trailers", later(CHUNKED + b"2\r\nok\r\n0\r\n", b"X: y\r\n" * 1000), GARBAGE),
    http(
        "endless extension of a chunk",
        later(CHUNKED + b"1;", b"x" * 4096),
        FailureKind.BODY_TIMEOUT,
        SHORT,
    ),
    http("endless header", endless(OK + b"X: ", b"x" * 4096), FailureKind.HTTP_GARBAGE),
    http("endless headers", endless(OK, b"X: y\r\n" * 100), FailureKind.HTTP_GARBAGE),
    http("endless cookies", endless(OK, b"Set-Cookie: a=b\r\n" * 100), FailureKind.HTTP_GARBAGE),
    http("endless status line", endless(b"HTTP/1.1 200 ", b"O" * 4096), FailureKind.HTTP_GARBAGE),
    http("endless empty lines", endless(b"", b"\r\n" * 2048), FailureKind.HEADERS_TIMEOUT, SHORT),
    http("endless line that is no HTTP", endless(b"", b"x" * 4096), FailureKind.HTTP_GARBAGE),
    http("header of 64 kB", OK + b"X: " + b"x" * 65536 + b"\r\n\r\n", FailureKind.HTTP_GARBAGE),
    http("a thousand headers", OK + b"X: y\r\n" * 1000 + b"\r\n", FailureKind.HTTP_GARBAGE),
    http("drip of headers", endless(OK, b"X: y\r\n", 0.1), FailureKind.HEADERS_TIMEOUT, SHORT),
    http(
        "drip of the status line",
        endless(b"HTTP/1.1 200 ", b"O", 0.1),
        FailureKind.HEADERS_TIMEOUT,
        SHORT,
    ),
    http("drip of the body", endless(SIZED, b"x", 0.1), FailureKind.BODY_TIMEOUT, SHORT),
    http("drip of chunk sizes", endless(CHUNKED, b"0", 0.1), FailureKind.BODY_TIMEOUT, SHORT),
    http(
        "flood of 100 Continue",
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        FailureKind.HEADERS_TIMEOUT,
        SHORT,
    ),
    http(
        "flood of 103 with headers",
        endless(b"", b"HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n" * 50),
        FailureKind.HEADERS_TIMEOUT,
        SHORT,
    ),
    http(
        "drip of 100 Continue",
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
        FailureKind.HEADERS_TIMEOUT,
        SHORT,
    ),
)

# --- bombs -----------------------------------------------------------------------------------------


def packed(bits: int, size: int = _BIG) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(size >> 20)) + packer.flush()


def bomb(encoding: bytes, bits: int, layers: int = 1, label: bytes = b"text/plain") -> Script:
    """Packed when it is first asked for: an import should be quick."""
    made: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not made:
            body = packed(bits)
            for _ in range(layers - 1):
                body = zlib.compress(body, 9, bits)
            made.append(sized(body, b"Content-Encoding: " + encoding, b"Content-Type: " + label))
        await saying(made[0])(reader, writer)

    return script


BROTLI_64_MB = bytes.fromhex(
    "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4618001eefd3fffffffe19f0088c32300ddfb7f"
    "feffffc33f011087050 0baf7ff03".replace(" ", "")
)
ZSTD_64_MB = (
    b"\x28\xb5\x2f\xfd\x00\x58"  # magic, no flags, a window of 2 MB
    + b"".join(
        (((1 << 17) << 3) | 2 | last).to_bytes(3, "little") + b"\0" for last in [0] * 511 + [1]
    )
)  # runs of 128 kB of one byte each


def encoded(name: bytes, body: bytes) -> bytes:
    return sized(body, b"Content-Encoding: " + name)


_BOMBS = (
    http("gzip bomb", bomb(b"gzip", 31), FailureKind.BODY_TOO_LARGE),
    http("gzip bomb under its old name", bomb(b"X-GZIP", 31), FailureKind.BODY_TOO_LARGE),
    http("deflate bomb", bomb(b"deflate", 15), FailureKind.BODY_TOO_LARGE),
    http("raw deflate bomb", bomb(b"deflate", -15), FailureKind.BODY_TOO_LARGE),
    models("brotli bomb", encoded(b"br", BROTLI_64_MB), FailureKind.UNEXPECTED_BODY),
    models("zstd bomb", encoded(b"zstd", ZSTD_64_MB), FailureKind.UNEXPECTED_BODY),
    models("gzip in gzip bomb", bomb(b"gzip, gzip", 31, 2), FailureKind.UNEXPECTED_BODY),
    models(
        "gzip bomb that says nothing of it", sized(packed(31, 1 << 20)), FailureKind.UNEXPECTED_BODY
    ),
    http(
        "endless gzip of nothing",
        endless(
            OK + b"Content-Encoding: gzip\r\n\r\n" + packed(31, 0)[:10], b"\0\0\0\xff\xff" * 8192
        ),
        FailureKind.BODY_TOO_LARGE,
    ),
    models("gzip that is none", encoded(b"gzip", b"x" * 99), FailureKind.UNEXPECTED_BODY),
    models(
        "gzip cut in the middle",
        encoded(b"gzip", packed(31, 1 << 20)[:40]),
        FailureKind.UNEXPECTED_BODY,
    ),
    http("gzip that is none, of a page", encoded(b"gzip", b"x" * 99), FailureKind.UNEXPECTED_BODY),
    http(
        "gzip of a page, cut in the middle",
        encoded(b"gzip", packed(31, 1 << 20)[:40]),
        FailureKind.UNEXPECTED_BODY,
    ),
    http("brotli of a page", encoded(b"br", BROTLI_64_MB), FailureKind.UNEXPECTED_BODY),
    http("100,000 gzip members of nothing", encoded(b"gzip", packed(31, 0) * 50_000), None),
    http(
        "a page in punycode",
        sized(
            b"a" * 100_000 + b"-" + b"kva" * 100_000, b"Content-Type: text/html; charset=punycode"
        ),
        None,
    ),
    models("an encoding of 10 kB", encoded(b"x" * 10_000, b"hello"), FailureKind.UNEXPECTED_BODY),
)

# --- framing ---------------------------------------------------------------------------------------

_FRAMING = (
    http("NUL in a header", OK + b"X: a\0b\r\n\r\n", GARBAGE),
    http("NUL in a header's name", OK + b"X\0: a\r\n\r\n", GARBAGE),
    http("bare CR in a header", OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n", GARBAGE),
    http("lines that end in LF alone", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", None),
    http("header without a colon", OK + b"hello\r\n\r\n", GARBAGE),
    http("header without a name", OK + b": x\r\n\r\n", GARBAGE),
    http("space before the colon", OK + b"Content-Length : 2\r\n\r\nok", None),
    http("Chinese as a header's name", OK + "长度: 2\r\n\r\nok".encode(), GARBAGE),
    http("negative length", OK + b"Content-Length: -5\r\n\r\n", GARBAGE),
    http("length with a plus", OK + b"Content-Length: +2\r\n\r\nok", GARBAGE),
    http("length in hex", OK + b"Content-Length: 0x2\r\n\r\nok", GARBAGE),
    http("length of forty digits", OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nok", GARBAGE),
    http("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", GARBAGE),
    http("a list of lengths", OK + b"Content-Length: 2, 2\r\n\r\nok", GARBAGE),
    http(
        "length and chunks",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        GARBAGE,
    ),
    http(
        "chunked twice",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        None,
    ),
    http(
        "two encodings of transfer",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        None,
    ),
    http("nonsense as chunk size", CHUNKED + b"zz\r\nab\r\n0\r\n\r\n", GARBAGE),
    http("nonsense amid chunks", saying(CHUNKED, 0.05, b"zz\r\nab\r\n", 60.0), GARBAGE),
    http("chunk of negative size", saying(CHUNKED, 0.05, b"-5\r\nab\r\n", 60.0), GARBAGE),
    http(
        "chunk of sixteen exabytes",
        saying(CHUNKED, 0.05, b"ffffffffffffffff\r\nab\r\n", 60.0),
        FailureKind.BODY_TIMEOUT,
        SHORT,
    ),
    http(
        "chunk longer than it says", saying(CHUNKED, 0.05, b"2\r\nabcd\r\n0\r\n\r\n", 60.0), GARBAGE
    ),
    http("body longer than its length", sized(b"ok") + b"and more", GARBAGE),
    http("two answers to one question", sized(b"ok") + sized(b"no", status=b"500 No"), None),
    http("an answer before the question", unasked(sized(b"ok")), None),
    http("204 with a body", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", GARBAGE),
    http(
        "101 Switching Protocols",
        b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nhello",
        FailureKind.UNEXPECTED_STATUS,
    ),
    http("status 999", b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", FailureKind.SERVER_ERROR),
    http("status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", GARBAGE),
    http("status that is a word", b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", GARBAGE),
    http("version 9.9", b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok", GARBAGE),
    http("version of no digits", b"HTTP/x.y 200 OK\r\nContent-Length: 2\r\n\r\nok", GARBAGE),
    http("HTTP/0.9", b"<html>hello</html>\r\n\r\n", GARBAGE),
    http("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GARBAGE),
    http("HTTP/2 settings", b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", GARBAGE),
    http("TLS where plain was asked", b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", GARBAGE),
    http("SSH", b"SSH-2.0-OpenSSH_9\r\n\r\n", GARBAGE),
    http("SMTP", b"220 mail.test ESMTP\r\n", GARBAGE),
    http("ICY", b"ICY 200 OK\r\n\r\n", GARBAGE),
    http("random bytes", bytes(range(255, 0, -1)) * 8, GARBAGE),
)

# --- elsewhere --------------------------------------------------------------------------------------


def to(place: bytes, status: bytes = b"302 Found") -> bytes:
    return sized(b"", b"Location: " + place, status=status)


def redirect(name: str, place: bytes, status: bytes = b"302 Found") -> Behaviour:
    return models(f"redirect {name}", to(place, status), FailureKind.UNEXPECTED_REDIRECT)


_REDIRECTS = (
    redirect("to another host", b"http://127.0.0.1:9/", b"307 X"),
    redirect("to itself, for ever", b"/v1/models", b"301 X"),
    redirect("to a script", b"javascript:alert(1)", b"303 X"),
    redirect("to a file", b"file:///etc/passwd", b"308 X"),
    redirect("to data", b"data:text/html,<script>alert(1)</script>"),
    redirect("without a scheme", b"//127.0.0.1:9/"),
    redirect("with a password", b"http://user:word@127.0.0.1:9/"),
    redirect("to cloud metadata", b"http://169.254.169.254/latest/"),
    redirect("to a place of 15 kB", b"http://x.test/" + b"x" * 15_000),
    redirect("to no place", b""),
    redirect("to nonsense", "http://[::::]:99999/\u202e".encode()),
    models(
        "redirect that names no place", sized(b"", status=b"302 X"), FailureKind.UNEXPECTED_REDIRECT
    ),
    models("300 Multiple Choices", sized(b"", status=b"300 X"), FailureKind.UNEXPECTED_REDIRECT),
    models(
        "a page that refreshes elsewhere",
        sized(
            b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">',
            b"Refresh: 0; url=http://127.0.0.1:9/",
        ),
        FailureKind.HTML_ANSWER,
    ),
)

ROWS = (*_AT_ENDS, *_WITHOUT_END, *_BOMBS, *_FRAMING, *_REDIRECTS)
__all__ = ["ROWS", "chunked", "stall"]
