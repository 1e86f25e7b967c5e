"""What the benchmarks start: the server that is asked, and the daemon that asks it. Both end with us."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.model import Check, Endpoint, Secret
from monitor.probes import PROBES, ProbeSettings

HERE = Path(__file__).parent
MONITOR = Path(sys.executable).parent / "monitor"
PHONE = """
[channel.phone]
url = "tgram://123456789:abcdefg_hijklmnopqrstuvwxyzabcdefgh/1"
telegram_api = "http://127.0.0.1:9"
"""
"""Alerts are loaded and reach nobody."""


@dataclass(frozen=True)
class Upstream:
    url: str
    ca_file: Path
    pid: int

    def check(self, probe: ProbeSettings, manner: str = "") -> Check:
        endpoint = Endpoint(
            id="e",
            service="bench",
            name="E",
            url=f"{self.url}{manner}",
            key=Secret("k"),
            ca_file=self.ca_file,
        )
        return Check(service="bench", endpoint=endpoint, probe=probe, model="model-1")


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(
            [sys.executable, HERE / "upstream.py", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        port = int(process.stdout.readline())
        try:
            yield Upstream(f"https://localhost:{port}", Path(name) / "ca.pem", process.pid)
        finally:
            process.kill()


def probe(kind: str, **settings: object) -> ProbeSettings:
    return PROBES[kind].model_validate(settings).named(kind)


def versions(*programs: str) -> str:
    """As they say it themselves; nothing of one that is not installed."""
    outputs = [
        subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
        for name in programs
        if shutil.which(name)
    ]
    return ", ".join(" ".join(output.split()[:3:2]).replace(",", "") for output in outputs)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Daemon:
    """The real one, with `checks` checks of the upstream. Its log is at `log`, its store at `store`."""

    process: "subprocess.Popen[bytes]"
    log: Path
    store: str
    born: float
    """On the monotonic clock."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def runs(self) -> int:
        """Count the runs; each must be up, else it costs something else than what is measured."""
        text = self.log.read_text()
        runs = text.count("event=run ")
        if runs > text.count("outcome=up") + 1:  # the last line may be half written
            raise SystemExit(f"got runs that are not up:\n{text[-2000:]}")
        return runs

    def stop(self) -> tuple[int, int]:
        """Runs that began more than a second late, and those that were missed."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(240)
        text = self.log.read_text()
        found = re.search(r"event=drained cut_off=\d+ late=(\d+) missed=(\d+)", text)
        if code or not found:
            raise SystemExit(f"the daemon ended with {code}:\n{text[-2000:]}")
        return int(found[1]), int(found[2])


def config_of(asked: Upstream, checks: int, probe_line: str) -> str:
    """A `monitor.toml` with so many base URLs, which are one; `probe_line` is one line of `[service.bench.probes]`."""
    endpoints = (
        f'e{n} = {{ url = "{asked.url}", ca_file = "{asked.ca_file}" }}\n' for n in range(checks)
    )
    return (
        f'[monitor]\nlisten = "127.0.0.1:{free_port()}"\n'
        '[service.bench]\nkey = "k"\nmodel = "model-1"\n'
        f"[service.bench.probes]\n{probe_line}\n[service.bench.endpoints]\n"
        f"{''.join(endpoints)}{PHONE}"
    )


@contextlib.contextmanager
def daemon(
    asked: Upstream, checks: int, probe_line: str, seed: Callable[[Path], object] = lambda _: None
) -> Iterator[Daemon]:
    """Start it with the config of `config_of`; `seed` may fill the store before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seed(folder / "monitor.db")
        config, log = folder / "monitor.toml", folder / "log"
        config.write_text(config_of(asked, checks, probe_line))
        born = time.monotonic()
        with log.open("wb") as out:
            process = subprocess.Popen([MONITOR, "run", "-c", config], stderr=out, stdout=out)
        try:
            yield Daemon(process, log, f"sqlite:///{folder / 'monitor.db'}", born)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
