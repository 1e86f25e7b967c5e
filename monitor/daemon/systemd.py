"""What systemd wants to hear: sd_notify(3), where there is somebody to hear it; and the pulse.

systemd starts a daemon again that no longer says that it lives. So it is said only while probes end
and the store answers, and seldom enough that a daemon which hangs cannot say it by accident.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from datetime import timedelta

from monitor.clock import Clock

USUAL_BEAT = timedelta(seconds=15)
MOST_BEAT = timedelta(seconds=20)
SILENT_STORE = timedelta(seconds=60)
"""The writer answers within seconds, with a yes or a no; after so long without either it hangs."""


def tell_systemd(state: str) -> None:
    """A datagram to $NOTIFY_SOCKET: `READY=1`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def beat(env: Mapping[str, str]) -> timedelta:
    """How often to say it: a third of what systemd waits for (`WatchdogSec=`)."""
    asked = env.get("WATCHDOG_USEC", "")
    if not asked.isdigit() or int(asked) == 0:
        return USUAL_BEAT
    return min(timedelta(microseconds=int(asked)) / 3, MOST_BEAT)


class StoreWatchdog:
    """When the store answered last. A "no" is an answer: starting again mends no full disk."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered = clock.monotonic()

    def answered(self) -> None:
        self._answered = self._clock.monotonic()

    def trouble(self) -> str | None:
        silent = self._clock.monotonic() - self._answered
        if silent <= SILENT_STORE.total_seconds():
            return None
        return f"store: no answer for {silent:.0f} s"
