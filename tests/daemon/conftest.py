"""The fixtures of daemon_cast."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from daemon_cast import House, Site
from listening import listening
from telegram import Telegram, telegram


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    async with listening(app) as made.url:
        yield made


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    async with telegram() as fake:
        yield fake


@pytest.fixture
def house(tmp_path: Path, site: Site, phone: Telegram) -> House:
    return House(tmp_path, site, phone)
