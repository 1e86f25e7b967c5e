"""A store of a test's own, on each engine: in a file, and in a database of a server that all tests share."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from postgres import Server, postgres
from store_cast import opened

from monitor.clock import Clock
from monitor.store import Store


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgres() as one:
        yield one


@pytest.fixture(scope="session")
def fresh_url(
    engine: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Make stores in which nothing is yet, for who needs many."""
    if engine == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('store') / 'monitor.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("server").fresh
    return fresh


@pytest.fixture
def url(engine: str, fresh_url: Callable[[], str], tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'monitor.db'}" if engine == "sqlite" else fresh_url()


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    async with opened(url, clock) as one:
        yield one
