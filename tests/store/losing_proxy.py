"""A way to a server on which the answer to a commit can be lost."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class LosingProxy:
    """Forwards to `port`. After `lose(n)` the next n commits reach the server, and their answers nobody."""

    def __init__(self, port: int) -> None:
        self._to, self._lose, self.lost = port, 0, 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, commits: int) -> None:
        with self._lock:
            self._lose += commits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        cut = threading.Event()
        threading.Thread(target=self._answer, args=(client, server, cut), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(65_536):
                if b"COMMIT\0" in data and self._is_lost():
                    cut.set()
                server.sendall(data)
        _close(server)

    def _answer(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if cut.is_set():
                    break
                client.sendall(data)
        _close(client)
        _close(server)

    def _is_lost(self) -> bool:
        with self._lock:
            if not self._lose:
                return False
            self._lose -= 1
            self.lost += 1
            return True


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
