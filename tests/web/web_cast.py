"""A page in a folder, a server over it, and clients that speak HTTP or whatever they like."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from monitor.web import Limits, MetricsServer, WebServer


@dataclass
class House:
    page: Path
    trouble: str | None = None
    web: WebServer = field(init=False)
    metrics_server: MetricsServer = field(init=False)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    @property
    def metrics(self) -> str:
        return f"http://127.0.0.1:{self.metrics_server.port}"


@asynccontextmanager
async def serving(folder: Path, limits: Limits = Limits()) -> AsyncIterator[House]:  # noqa: B008
    page = folder / "page"
    (page / "incidents" / "7").mkdir(parents=True)
    (page / "index.html").write_text("<h1>home</h1>")
    (page / "incidents" / "7" / "index.html").write_text("<h1>seven</h1>")
    (page / "style.0123abcd.css").write_text("a{}")
    (page / "status.json").write_text("{}")
    (page / ".hidden").write_text("no")
    (folder / "monitor.db").write_text("history")
    house = House(page)
    house.web = WebServer(
        page,
        "127.0.0.1",
        0,
        lambda: house.trouble,
        page_host="status.example",
        limits=limits,
    )
    house.metrics_server = MetricsServer(
        "127.0.0.1", 0, lambda: house.trouble, lambda _: (b"m 1\n", "text/plain"), limits=limits
    )
    await house.web.start()
    await house.metrics_server.start()
    try:
        yield house
    finally:
        await house.web.close()
        await house.metrics_server.close()


@pytest.fixture(name="house")
async def web_house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as house:
        yield house


async def get(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, str, "aiohttp.typedefs.CIMultiDictProxy[str]"]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, URL(url, encoded=True), headers=headers, allow_redirects=False
        ) as response,
    ):
        return response.status, await response.text(), response.headers


async def raw(house: House, sent: bytes, seconds: float = 5) -> bytes:
    """Everything that comes back until the server closes, or nothing more comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.web.port)
    got = b""
    try:
        writer.write(sent)
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65_536):
                got += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return got
