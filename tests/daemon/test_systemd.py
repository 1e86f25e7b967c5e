"""Whether we may tell systemd that we live."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock

from monitor.daemon.systemd import StoreWatchdog, sd_notify, watchdog_interval


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "6000000"}, 2),
        ({"WATCHDOG_USEC": "60000000"}, 20),
        ({"WATCHDOG_USEC": "600000000"}, 20),
        ({"WATCHDOG_USEC": "0"}, 15),
        ({"WATCHDOG_USEC": "soon"}, 15),
        ({}, 15),
    ],
)
def test_it_is_said_three_times_in_the_time_that_systemd_waits(
    env: dict[str, str], seconds: float
) -> None:
    assert watchdog_interval(env) == timedelta(seconds=seconds)


def test_a_store_that_answers_neither_yes_nor_no_for_a_minute_hangs(clock: HandClock) -> None:
    watchdog = StoreWatchdog(clock)
    clock.tick(60)
    assert watchdog.trouble() is None
    clock.tick(1)
    assert watchdog.trouble() == "store: no answer for 61 s"
    clock.step(-3600)
    watchdog.answered()
    assert watchdog.trouble() is None


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_gets_it_as_a_datagram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool
) -> None:
    name = f"@monitor-{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0") if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        sd_notify("READY=1")
        assert sock.recv(100) == b"READY=1"
    sd_notify("READY=1")  # nobody listens any more
