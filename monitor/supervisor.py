"""What systemd wants to hear: sd_notify(3), where there is somebody to hear it."""

import contextlib
import os
import socket


def tell_systemd(state: str) -> None:
    """A datagram to $NOTIFY_SOCKET: `READY=1`, `STOPPING=1`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
