"""A real Notifier whose channels reach stubs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from internet import internet
from stubs import Stub, answering

from monitor.alerts import Notifier
from monitor.alerts.moved_chats import MovedChats
from monitor.model import Channel, Redactor, Secret


@asynccontextmanager
async def reaching(
    stubs: tuple[Stub, ...],
    folder: Path,
    patch: pytest.MonkeyPatch,
    url: str | None = None,
    moved: MovedChats | None = None,
) -> AsyncIterator[Notifier]:
    """Each channel is named by its stub's schema; `url` takes the place of the stubs' own."""
    async with internet(answering(stubs), folder) as net:
        patch.setenv("REQUESTS_CA_BUNDLE", str(net.authority))
        proxy = Secret(net.proxy)
        addresses = {stub.schema: Secret(url or stub.url) for stub in stubs}
        channels = tuple(
            Channel(id=name, url=address, proxy=proxy) for name, address in addresses.items()
        )
        yield Notifier(channels, Redactor(addresses.values()), moved)
