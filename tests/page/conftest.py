"""A browser that looks at every world, served as the product serves it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browser import CHROMIUM, Browser, launched
from shots import files
from worlds import WORLDS

from monitor.page import publish
from monitor.web import WebServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Each world is a folder below it."""
    folder: Path = tmp_path_factory.mktemp("pages")
    for world in WORLDS:
        publish(folder / world, files(world))
    web = WebServer(folder, "127.0.0.1", 0, lambda: None)
    await web.start()
    yield f"http://127.0.0.1:{web.port}"
    await web.close()
