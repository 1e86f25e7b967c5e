"""The sd_notify(3) protocol, and the watchdog that decides whether to keep systemd content.

systemd restarts a daemon that stops sending `WATCHDOG=1`. It is sent only while probes end and the
store answers, and so seldom that a daemon which hangs cannot send it by accident.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import timedelta

from monitor.clock import Clock

DEFAULT_INTERVAL = timedelta(seconds=15)
MAX_INTERVAL = timedelta(seconds=20)
STORE_PATIENCE = timedelta(seconds=60)
"""The writer answers within seconds, with a yes or a no; after so long without either it hangs."""


def sd_notify(state: str) -> None:
    """Send a state such as `READY=1` to $NOTIFY_SOCKET, where there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def watchdog_interval(env: Mapping[str, str]) -> timedelta:
    """Return how often to send `WATCHDOG=1`: a third of what systemd waits for (`WatchdogSec=`)."""
    microseconds = env.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or int(microseconds) == 0:
        return DEFAULT_INTERVAL
    return min(timedelta(microseconds=int(microseconds)) / 3, MAX_INTERVAL)


class StoreWatchdog:
    """Knows when the store answered last. An error is an answer: a restart mends no full disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered = clock.monotonic()

    def answered(self) -> None:
        """Note an answer; also after a pause of the whole machine, when none could come."""
        self._answered = self._clock.monotonic()

    def trouble(self) -> str | None:
        silent = self._clock.monotonic() - self._answered
        if silent <= STORE_PATIENCE.total_seconds():
            return None
        return f"store: no answer for {silent:.0f} s"
