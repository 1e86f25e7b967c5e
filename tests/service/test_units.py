"""The units and the nginx example as systemd and nginx themselves read them."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from listening import free_port

from monitor.web import WebServer

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = ("monitor.service", "monitor-failed@.service")
SANDBOX = "# What a monitor needs"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """With a binary that exists here; skips, visibly, where systemd is not installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/monitor/bin/monitor", sys.executable))
    return tmp_path


def verify(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(folder / name for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def exposure(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Fails above 1.2."""
    return subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=12",
            "--no-pager",
            folder / name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_to_say_about_the_units(units: Path) -> None:
    """Unknown keys are only warned about, so standard error must be empty too."""
    assert verify(units) == (0, "")


def test_a_planted_mistake_is_noticed(units: Path) -> None:
    unit = units / UNITS[0]
    unit.write_text(unit.read_text().replace("StateDirectory=", "StateDirectoy="))

    assert "StateDirectoy" in verify(units)[1]


@pytest.mark.parametrize("name", UNITS)
def test_what_a_break_in_could_reach_is_little(units: Path, name: str) -> None:
    done = exposure(units, name)

    assert done.returncode == 0, done.stdout[-200:]
    assert "Overall exposure level" in done.stdout


def test_a_looser_unit_fails_the_gate(units: Path) -> None:
    unit = units / UNITS[0]
    text = unit.read_text().replace("PrivateUsers=yes", "").replace("PrivateDevices=yes", "")
    unit.write_text(text)

    assert exposure(units, UNITS[0]).returncode != 0


def test_both_units_live_in_the_same_sandbox() -> None:
    service, failed = ((FOLDER / name).read_text().split(SANDBOX)[1] for name in UNITS)

    assert service.split("\n[Install]")[0].strip() == failed.strip()


@pytest.fixture(name="free_port")
def own_port() -> int:
    return free_port()


@pytest.fixture
def nginx_conf(tmp_path: Path, free_port: int) -> Path:
    """The example with a certificate that is here, serving a folder that is here on a free port."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    import trustme

    ca = trustme.CA()
    certificate = ca.issue_cert("status.example.org")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    example = (FOLDER / "nginx.conf").read_text()
    for name, file in (("fullchain", "cert"), ("privkey", "key")):
        path = f"/etc/letsencrypt/live/status.example.org/{name}.pem"
        assert path in example
        example = example.replace(path, f"{tmp_path}/{file}.pem")
    for ours, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{free_port} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("root /var/lib/monitor/page;", f"root {tmp_path}/page;"),
    ):
        assert ours in example
        example = example.replace(ours, here)
    user = "user root;" if os.geteuid() == 0 else ""
    main = f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {example} }}"
    (tmp_path / "nginx.conf").write_text(main)
    return tmp_path / "nginx.conf"


def test_nginx_takes_the_example(nginx_conf: Path) -> None:
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", nginx_conf],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


HEADERS = {
    "/": ("text/html", "frame-ancestors 'none'", "DENY", None),
    "/from/embed/": ("text/html", "frame-ancestors 'none'", "DENY", None),
    "/embed/": ("text/html", "frame-ancestors *", None, None),
    "/zh-CN/embed/index.html": ("text/html", "frame-ancestors *", None, None),
    "/zh-CN/maintenance.ics": ("text/calendar", None, None, "*"),
    "/llms.txt": ("text/plain", None, None, "*"),
    "/status.json": ("application/json", None, None, "*"),
}


async def test_nginx_sends_the_headers_that_our_own_server_does(
    nginx_conf: Path, free_port: int
) -> None:
    page = nginx_conf.parent / "page"
    for path in HEADERS:
        file = page / (path.removeprefix("/") + ("index.html" if path.endswith("/") else ""))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("here")
    trusted = ssl.create_default_context(cafile=nginx_conf.parent / "ca.pem")
    own = WebServer(page, "127.0.0.1", 0, lambda: None)
    await own.start()
    process = await asyncio.create_subprocess_exec("nginx", "-c", nginx_conf)
    try:
        await listens(free_port)
        async with aiohttp.ClientSession() as client:
            for path, expected in HEADERS.items():
                async with client.get(
                    f"https://127.0.0.1:{free_port}{path}",
                    ssl=trusted,
                    server_hostname="status.example.org",
                ) as answer:
                    assert (await answer.text(), told(answer.headers)) == ("here", expected), path
                async with client.get(f"http://127.0.0.1:{own.port}{path}") as answer:
                    kind, framing, options, origin = told(answer.headers)
                    if expected[1] is None:  # what is no page needs no policy; ours has one anyway
                        framing, options = None, None
                    assert (kind, framing, options, origin) == expected, path
    finally:
        process.terminate()
        await process.wait()
        await own.close()


async def listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


def told(headers: Mapping[str, str]) -> tuple[str, str | None, str | None, str | None]:
    policy = headers.get("Content-Security-Policy")
    return (
        headers["Content-Type"].partition(";")[0],
        policy and policy.rpartition("; ")[2],
        headers.get("X-Frame-Options"),
        headers.get("Access-Control-Allow-Origin"),
    )
