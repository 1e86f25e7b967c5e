"""A page of somebody else frames the widget, in a real browser, and nothing else of ours."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestServer
from barriers import has_no_barrier, load_axe
from browser import Browser, Tab
from shots import files

from monitor.page import publish
from monitor.web import WebServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]


@asynccontextmanager
async def served(folder: Path, world: str) -> AsyncIterator[str]:
    publish(folder, files(world))
    server = WebServer(folder, "127.0.0.1", 0, lambda: None)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


@asynccontextmanager
async def elsewhere(framed: str) -> AsyncIterator[str]:
    """A page of another origin with one frame."""

    async def page(_: http.Request) -> http.Response:
        frame = f'<iframe src="{framed}" title="Status"></iframe>'
        html = f'<!doctype html><title>blog</title><link rel="icon" href="data:,">{frame}'
        return http.Response(text=html, content_type="text/html")

    app = http.Application()
    app.router.add_get("/", page)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def text_of_frame(tab: Tab) -> str:
    """What the frame shows, which the page around it may not read."""
    tree = await tab.do("Page.getFrameTree")
    (child,) = tree["frameTree"]["childFrames"]
    world = await tab.do("Page.createIsolatedWorld", frameId=child["frame"]["id"])
    answer = await tab.do(
        "Runtime.evaluate",
        expression="document.body.innerText",
        contextId=world["executionContextId"],
    )
    text: str = answer["result"]["value"]
    return text


@pytest.mark.parametrize("path", ["embed/", "embed/index.html", "zh-CN/embed/"])
async def test_a_page_of_another_origin_shows_the_widget_in_a_frame(
    browser: Browser, tmp_path: Path, path: str
) -> None:
    async with (
        served(tmp_path, "mock") as ours,
        elsewhere(f"{ours}/{path}") as theirs,
        browser.tab() as tab,
    ):
        await tab.open(theirs)
        text = await text_of_frame(tab)
        assert "https://www.aigptx.top" in text
        assert "2026-11-23 13:42:05 UTC" in text, "when it was measured, however long ago"
        assert tab.complaints == []


@pytest.mark.parametrize("path", ["", "index.html", "zh-CN/", "method.html", "incidents/9/"])
async def test_no_other_page_can_be_framed(browser: Browser, tmp_path: Path, path: str) -> None:
    async with (
        served(tmp_path, "mock") as ours,
        elsewhere(f"{ours}/{path}") as theirs,
        browser.tab() as tab,
    ):
        await tab.open(theirs)
        assert "OhMyGPT" not in await text_of_frame(tab)
        assert re.search("frame-ancestors|X-Frame-Options", "".join(tab.complaints))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("world", ["mock", "places", "stopped", "everything-down", "crowded"])
async def test_axe_finds_no_barrier_in_the_widget_and_it_fits_a_narrow_frame(
    browser: Browser, address: str, world: str, dark: bool
) -> None:
    async with browser.tab(240, dark=dark) as tab:
        for language in ("", "zh-CN/"):
            await tab.open(f"{address}/{world}/{language}embed/")
            await load_axe(tab)
            await has_no_barrier(tab, language, rules=10)
            assert await tab.ask("document.documentElement.scrollWidth - innerWidth") <= 0
