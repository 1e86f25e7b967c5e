"""A store in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store_cast import opened

from monitor.clock import Clock
from monitor.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'monitor.db'}"


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    async with opened(url, clock) as one:
        yield one
