"""Ways to a server that can fail: one that is cut, and one on which the answer to a commit is lost."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class _Proxy:
    """Forwards to `port` from a port of its own, until it is left."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._listener, *self._sockets):
            _close(one)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                lost = threading.Event()
                for way in (self._ask, self._answer):
                    threading.Thread(target=way, args=(client, server, lost), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        raise NotImplementedError

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        raise NotImplementedError


class CuttingProxy(_Proxy):
    """Forwards until `cut`; from then on what is sent gets lost, new connections hear nothing, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._is_cut = threading.Event()
        super().__init__(port)

    def cut(self) -> None:
        self._is_cut.set()

    def _ask(
        self, client: socket.socket, server: socket.socket, lost: threading.Event
    ) -> None:  # all is lost
        self._forward(client, server)

    def _answer(
        self, client: socket.socket, server: socket.socket, lost: threading.Event
    ) -> None:  # all is lost
        self._forward(server, client)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self._is_cut.is_set():
                    target.sendall(data)
        if not self._is_cut.is_set():
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


class LosingProxy(_Proxy):
    """Forwards. After `lose(n)` the next n commits reach the server, and their answers nobody."""

    def __init__(self, port: int) -> None:
        self._lose, self.lost = 0, 0
        self._lock = threading.Lock()
        super().__init__(port)

    def lose(self, commits: int) -> None:
        with self._lock:
            self._lose += commits

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                if b"COMMIT\0" in data and self._is_lost():
                    lost.set()
                server.sendall(data)
        _close(server)

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                if lost.is_set():
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
