"""Ports of loopback: one that is free, and an aiohttp application on one of its own."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext

from aiohttp import web


def free_port() -> int:
    """For a program that cannot be asked which one it took. Somebody else may take it meanwhile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def listening(app: web.Application, context: SSLContext | None = None) -> AsyncIterator[str]:
    """Its URL, without a slash at the end. Whoever still waits for an answer is cut off when it ends."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=512).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
