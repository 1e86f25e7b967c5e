"""The command as a person runs it, and as it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from listening import free_port

from monitor.cli.demo import PORTS, _free_port, _listen, _raise_if_ended_early
from monitor.model import MonitorError

FAREWELL = re.compile(
    r"The demo has ended. Its folder \S+monitor-demo-\S+ is removed, and it wrote nothing elsewhere."
)


def start(folder: Path, port: int, *more: str) -> subprocess.Popen[str]:
    """With `folder` for everything temporary, so that what is left can be seen."""
    return subprocess.Popen(
        [sys.executable, "-m", "monitor", "demo", "--port", str(port), *more],
        env={
            **os.environ,
            "TMPDIR": str(folder),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_page(port: int, text: bytes, host: str = "127.0.0.1") -> bytes:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}/") as answer:
                page = answer.read()
        except OSError:
            page = b""
        if text in page:
            return bytes(page)
        time.sleep(0.2)
    raise AssertionError(f"the page never had {text!r}")


def wait_until_said(process: subprocess.Popen[str], *places: str) -> list[str]:
    """Read what it says until a run from each place was up."""
    lines: list[str] = []
    end = time.monotonic() + 120
    assert process.stdout
    for line in process.stdout:  # one comes each second
        lines.append(line)
        if time.monotonic() > end:
            break
        if all(any(f"  {place} " in each and " up " in each for each in lines) for place in places):
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.slow
def test_the_demo_shows_its_page_and_ends_with_ctrl_c_without_a_trace(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, port) as process:
        lines = wait_until_said(process, "Frankfurt", "Shanghai", "Hong Kong")
        page = wait_for_page(port, b"uptime over 90 days")
        assert b"uptime over 40 days" in page, "of the base URL that is new"
        assert b"Reverse proxy 1: truncated</a>" in page, "an incident of last week"
        assert b"what came before the start of the demo is made up" in page
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert f"http://127.0.0.1:{port}/" in "".join(lines)
    assert FAREWELL.fullmatch(rest.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_tells_of_the_first_incident_within_forty_seconds(tmp_path: Path) -> None:
    with start(tmp_path, free_port(), "--seconds", "40") as process:
        said, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    alerts = [line for line in said.splitlines() if "ALERT" in line]
    assert "Reverse proxy" in alerts[0]
    assert FAREWELL.fullmatch(said.splitlines()[-1])


@pytest.mark.slow
def test_within_two_minutes_it_tells_what_fails_from_shanghai_alone_and_what_to_use_there(
    tmp_path: Path,
) -> None:
    with start(tmp_path, free_port(), "--seconds", "90") as process:
        said, errors = process.communicate(timeout=150)
    assert (process.returncode, errors) == (0, "")
    lines = [line.strip() for line in said.splitlines()]
    (title,) = [line for line in lines if "Cloudflare Worker: down" in line]
    use, why, elsewhere = lines[lines.index(title) + 1 :][:3]
    assert title.endswith("ALERT  🟠 Demo LLM, Cloudflare Worker: down from Shanghai")
    assert re.match(r"From Shanghai: Use https://[a-z0-9-]+\.localhost:", use)
    assert why.startswith("DNS pollution suspected since")
    assert "Fault: network path" in why
    assert elsewhere == "Works from Frankfurt, Hong Kong."
    for place in ("Frankfurt", "Hong Kong"):
        assert [
            line for line in lines if place in line and "cf-worker" in line and "down" in line
        ] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_that_is_ended_while_it_begins_leaves_no_trace(tmp_path: Path) -> None:
    with start(tmp_path, free_port()) as demo:
        assert demo.stdout
        while "Ctrl-C" not in demo.stdout.readline():  # what follows takes seconds
            assert demo.poll() is None
        demo.send_signal(signal.SIGTERM)
        _, said = demo.communicate(timeout=60)
    assert (demo.returncode, said) == (128 + signal.SIGTERM, "")
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_ended_by_itself_is_not_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "monitor.log"
    log.write_text("13:00:00 INFO    event=started\n")
    _raise_if_ended_early(log)
    log.write_text("a\n13:00:00 CRITICAL event=loop_ended loop=courier\nValueError: why\n")
    with pytest.raises(MonitorError, match=r"(?s)by itself:.*loop=courier\nValueError: why$"):
        _raise_if_ended_early(log)


def test_the_demo_takes_the_next_free_port_by_itself() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = free_port()
        assert _free_port("127.0.0.1", [port, free]) == free


def test_an_image_says_where_the_demo_is_served() -> None:
    assert _listen("") == ("127.0.0.1", PORTS)
    assert _listen("0.0.0.0:8080") == ("0.0.0.0", [8080])
    for odd in ("8080", "0.0.0.0:x", "192.0.2.1:8080", "[::]:8080"):
        with pytest.raises(MonitorError, match=r'"127\.0\.0\.1:PORT" or "0\.0\.0\.0:PORT"'):
            _listen(odd)


@pytest.mark.slow
def test_the_demo_of_an_image_is_reached_by_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_LISTEN", "0.0.0.0:8080")
    port = free_port()
    with start(tmp_path, port, "--seconds", "20") as process:
        wait_for_page(port, b"Demo LLM status", "127.0.0.2")
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.slow
def test_a_taken_port_is_told_with_a_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(tmp_path, port, "--seconds", "5") as process:
            _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert "`monitor demo --port`" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
