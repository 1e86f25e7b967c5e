"""Firefox over its own WebDriver BiDi socket: a page, and what it answers about it."""

import asyncio
import contextlib
import itertools
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._context = ""

    async def do(self, method: str, **params: Any) -> Any:
        """One at a time; events in between are left out."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(60):
            while (answer := await self._socket.receive_json()).get("id") != number:
                pass
        assert answer["type"] == "success", answer
        return answer["result"]

    async def start(self) -> None:
        await self.do("session.new", capabilities={})
        tree = await self.do("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def open(self, url: str, width: int) -> None:
        viewport = {"width": width, "height": 900}
        await self.do("browsingContext.setViewport", context=self._context, viewport=viewport)
        await self.do("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def ask(self, expression: str) -> str:
        """An expression whose value is a string."""
        answer = await self.do(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return str(answer["result"]["value"])


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Firefox]:
    assert FIREFOX is not None, "ask for FIREFOX first"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            FIREFOX,
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port=0",
            env={"HOME": profile, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await asyncio.wait_for(_address(process), 60)
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(f"{address}/session", max_msg_size=0) as socket,
            ):
                firefox = Firefox(socket)
                await firefox.start()
                yield firefox
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if address := re.search(rb"BiDi listening on (ws://\S+)", line):
            return address[1].decode()
    raise RuntimeError("firefox ended before it listened")
