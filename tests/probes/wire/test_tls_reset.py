"""A connection that dies at the first bytes of TLS is a reset every time, whoever is quicker."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from monitor.probes.exchange import ErrorType, HttpRequest, TransportPhase
from monitor.probes.wire.client import Client

LINGER_NOT = struct.pack("ii", 1, 0)


@pytest.fixture
def port() -> Iterator[int]:
    """Accepts and resets at once, from a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def slam() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
            connection.close()

    thread = threading.Thread(target=slam, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


async def test_two_hundred_resets_are_two_hundred_resets(port: int) -> None:
    seen = set()
    async with Client() as client:
        for _ in range(200):
            exchange = await client.send(
                HttpRequest(method="GET", url=f"https://127.0.0.1:{port}/")
            )
            assert exchange.error is not None
            seen.add((exchange.error.phase, exchange.error.what))
    assert seen <= {
        (TransportPhase.TLS, ErrorType.RESET),
        (TransportPhase.TLS, ErrorType.CLOSED),
        (TransportPhase.CONNECT, ErrorType.RESET),
    }
