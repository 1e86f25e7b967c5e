"""Stands in for every host of the repository's monitor.toml: run inside private namespaces as root.

    unshare --mount --net python stand_in.py FOLDER COMMAND...

Makes the host names resolve to loopback, serves them over TLS on port 443, then runs COMMAND.
"""

import asyncio
import fcntl
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import trustme
from aiohttp import web

from monitor.demo.replies import answer

ROOT = Path(__file__).parents[1]
KEY = "stand-in"
MODEL = "gpt-4o-mini"


def hosts() -> list[str]:
    document = tomllib.loads((ROOT / "monitor.toml").read_text())
    endpoints = [
        each for service in document["service"].values() for each in service["endpoints"].values()
    ]
    urls = [endpoint if isinstance(endpoint, str) else endpoint["url"] for endpoint in endpoints]
    return [urlsplit(url).hostname or "" for url in urls]


def raise_loopback() -> None:
    """A new network namespace has it down."""
    up = struct.pack("16sh", b"lo", 0x1 | 0x40)
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8914, up)


def resolve_to_loopback(folder: Path, names: list[str]) -> None:
    file = folder / "hosts"
    file.write_text(f"127.0.0.1 localhost {' '.join(names)}\n")
    subprocess.run(["mount", "--bind", file, "/etc/hosts"], check=True)


async def home(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>home</title>", content_type="text/html")


async def models(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") != f"Bearer {KEY}":
        error = {
            "error": {
                "message": "Incorrect API key provided",
                "type": "invalid_request_error",
                "code": "invalid_api_key",
            }
        }
        return web.json_response(error, status=401)
    return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


async def chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    words = answer(body["messages"][0]["content"]).split(" ")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for word in words:
        await response.write(event({"content": f"{word} "}))
        await asyncio.sleep(0.01)
    usage = {
        "prompt_tokens": 25,
        "completion_tokens": 2 * len(words),
        "total_tokens": 25 + 2 * len(words),
    }
    await response.write(event({}, finish="stop") + event(None, usage=usage) + b"data: [DONE]\n\n")
    return response


def event(
    delta: dict[str, str] | None, finish: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"object": "chat.completion.chunk", "model": MODEL, "choices": choices, "usage": usage}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def serve(folder: Path, names: list[str], command: list[str]) -> int:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    app = web.Application()
    app.router.add_get("/", home)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 443, ssl_context=context).start()
    child = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "SSL_CERT_FILE": str(folder / "ca.pem")}
    )
    code = await child.wait()
    await runner.cleanup()
    return code


def main() -> int:
    folder, command, names = Path(sys.argv[1]), sys.argv[2:], hosts()
    raise_loopback()
    resolve_to_loopback(folder, names)
    return asyncio.run(serve(folder, names, command))


if __name__ == "__main__":
    sys.exit(main())
