"""A real browser over its own DevTools socket: what it complained of, what it measured, pictures.

No request leaves the machine: every name but the loopback's is unknown to it.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_LOUD = {"error", "warning", "assert"}


class Tab:
    """One page. `complaints` holds console errors, exceptions and refused resources as they come."""

    def __init__(self, browser: "Browser", session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.complaints: list[str] = []
        self._loaded = asyncio.Event()
        self._held: list[str] = []

    async def do(self, method: str, **params: Any) -> Any:
        return await self._browser.do(method, params, self._session)

    async def set_up(self, width: int, *, dark: bool, scripts: bool) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.do(f"{domain}.enable")
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.do("Emulation.setEmulatedMedia", features=[scheme])
        await self.do("Emulation.setScriptExecutionDisabled", value=not scripts)

    async def open(self, url: str) -> None:
        self._loaded.clear()
        await self.do("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), 20)

    async def open_on_a_poor_link(self, url: str) -> None:
        """Painted before its script comes: what the script does is seen."""
        self._loaded.clear()
        await self.do("Fetch.enable", patterns=[{"urlPattern": "*.js"}])
        await self.do("Page.navigate", url=url)
        painted = "performance.getEntriesByName('first-contentful-paint').length"
        await self.until(f"location.href === '{url}' && {painted} > 0")
        while self._held:
            await self.do("Fetch.continueRequest", requestId=self._held.pop())
        await asyncio.wait_for(self._loaded.wait(), 20)
        await self.do("Fetch.disable")

    async def ask(self, expression: str) -> Any:
        """The value of an expression or promise in the page, whatever the page's own policy says."""
        answer = await self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def lay_out_all(self) -> None:
        """Also what is far below, which a reader's browser leaves for later."""
        await self.ask(
            "{const s = new CSSStyleSheet(); s.replaceSync('.block { content-visibility: visible !important }');"
            "document.adoptedStyleSheets = [...document.adoptedStyleSheets, s]}"
        )

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(15):
            while not await self.ask(condition):
                await asyncio.sleep(0.05)

    async def press(self, key: str, code: int) -> None:
        for what in ("keyDown", "keyUp"):
            await self.do(
                "Input.dispatchKeyEvent", type=what, key=key, code=key, windowsVirtualKeyCode=code
            )

    async def move(self, x: float, y: float) -> None:
        await self.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def allow_clipboard(self, origin: str) -> None:
        await self._browser.do(
            "Browser.grantPermissions",
            {
                "origin": origin,
                "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
                "browserContextId": self._context,
            },
        )

    async def pdf(self) -> bytes:
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
        printed = await self.do("Page.printToPDF", preferCSSPageSize=False, **paper)
        return base64.b64decode(printed["data"])

    async def picture(self, height: int | None = None) -> bytes:
        """PNG of the whole page, or of its first so many pixels."""
        size = (await self.do("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "scale": 1,
            "width": size["width"],
            "height": min(size["height"], height or size["height"]),
        }
        shot = await self.do("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def hear(self, method: str, params: Any) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Fetch.requestPaused":
            self._held.append(params["requestId"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in _LOUD:
            self.complaints.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in _LOUD:
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


class Browser:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}

    async def do(self, method: str, params: Any, session: str | None = None) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        return await asyncio.wait_for(self._waiting[number], 30)

    async def listen(self) -> None:
        async for raw in self._socket:
            message = json.loads(raw.data)
            waiting = self._waiting.pop(message.get("id", 0), None)
            if waiting and "error" in message:
                waiting.set_exception(RuntimeError(str(message["error"])))
            elif waiting:
                waiting.set_result(message["result"])
            elif tab := self._tabs.get(message.get("sessionId", "")):
                tab.hear(message["method"], message["params"])

    @contextlib.asynccontextmanager
    async def tab(
        self, width: int = 1280, *, dark: bool = False, scripts: bool = True
    ) -> AsyncIterator[Tab]:
        """With cookies and storage of its own, gone afterwards."""
        context = (await self.do("Target.createBrowserContext", {}))["browserContextId"]
        target = await self.do(
            "Target.createTarget", {"url": "about:blank", "browserContextId": context}
        )
        attach = {"targetId": target["targetId"], "flatten": True}
        session = (await self.do("Target.attachToTarget", attach))["sessionId"]
        tab = self._tabs[session] = Tab(self, session, context)
        await tab.set_up(width, dark=dark, scripts=scripts)
        try:
            yield tab
        finally:
            del self._tabs[session]
            await self.do("Target.disposeBrowserContext", {"browserContextId": context})


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    assert CHROMIUM is not None, "ask for CHROMIUM first"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={profile}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            address = await asyncio.wait_for(_address(process), 30)
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(address, max_msg_size=0) as socket,
            ):
                browser = Browser(socket)
                listening = asyncio.create_task(browser.listen())
                yield browser
                listening.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if address := re.search(rb"ws://\S+", line):
            return address[0].decode()
    raise RuntimeError("chromium ended before it listened")
