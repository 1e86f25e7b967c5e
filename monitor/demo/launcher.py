"""Starts the simulated service in a process of its own, writes the configuration that watches it, and ends it."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.clock import Clock
from monitor.demo.api_common import CHAT_MODEL, EMBEDDING_MODEL
from monitor.demo.endpoints import CA_FILE, ENDPOINTS, READY_FILE, Addresses, SimulatedEndpoint
from monitor.demo.faults import describe, fault_at, faults_now, no_faults
from monitor.model import MonitorError

KEY_NAME = "DEMO_KEY"
CUT_AFTER = "100s"
"""How long Cloudflare keeps a call open without an answer."""


def config_text(
    endpoints: Mapping[str, str], *, channel: str, ca_file: str, listen: str, page_url: str
) -> str:
    """Compose the file. `endpoints` maps ids to base URLs; `channel` is an http address."""
    lines = [_endpoint_line(endpoint, endpoints[endpoint.id], ca_file) for endpoint in ENDPOINTS]
    return _TEMPLATE.format(
        listen=listen,
        page_url=page_url,
        key="${" + KEY_NAME + "}",
        model=CHAT_MODEL,
        endpoints="\n".join(lines),
        embedding_model=EMBEDDING_MODEL,
        channel=channel.replace("http://", "json://", 1),
    )


def _endpoint_line(endpoint: SimulatedEndpoint, url: str, ca_file: str) -> str:
    cut = f', cut_after = "{CUT_AFTER}"' if endpoint.cloudflare else ""
    return (
        f'{endpoint.id} = {{ url = "{url}", name = "{endpoint.name}", ca_file = "{ca_file}"{cut} }}'
    )


_TEMPLATE = """\
# Written by `monitor demo`; gone when it ends.
[monitor]
vantage = "demo"
store = "sqlite:///monitor.db"
listen = "{listen}"

[page]
dir = "page"
url = "{page_url}"
title = "Demo LLM status"
languages = ["en", "zh-CN"]

[alerts]
after = 3
recover = 2
wait = "2s"

[service.demo]
name = "Demo LLM"
key = "{key}"
model = "{model}"

[service.demo.endpoints]
{endpoints}

[service.demo.probes]
models = "3s"
chat = {{ every = "4s", timeout = "20s", slow = "ttft > 5s" }}
embeddings = {{ every = "6s", model = "{embedding_model}" }}

[channel.terminal]
url = "{channel}"
"""


READY_TIMEOUT_S = 20.0
END_TIMEOUT_S = 3.0
_LOG_FILE = "service.log"


class Simulation:
    """Runs the service while it is entered; `config_path` is then written.

    The process has a session of its own, so that Ctrl-C reaches only us and running probes still find
    their service. It ends by itself when its standard input closes, however we end.
    """

    def __init__(
        self, folder: Path, *, clock: Clock, port: int, is_calm: bool = False, seed: int = 1
    ) -> None:
        self.folder = folder
        self.port = port
        self.config_path = folder / "monitor.toml"
        self.ca_file = folder / CA_FILE
        self._clock = clock
        self._is_calm = is_calm
        self._seed = seed
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: Addresses | None = None
        self._begin = 0.0

    def __enter__(self) -> Self:
        try:
            self._start()
            self._wait()
            self._write_config()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def addresses(self) -> Addresses:
        assert self._addresses is not None, "the simulation has not been entered"
        return self._addresses

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def env(self) -> dict[str, str]:
        """The whole environment that the config refers to."""
        return {KEY_NAME: self.addresses.key}

    @property
    def process_id(self) -> int:
        assert self._process is not None, "the simulation has not been entered"
        return self._process.pid

    def elapsed(self) -> float:
        """Return the seconds since the script of faults began."""
        return self._clock.monotonic() - self._begin

    def current_faults(self) -> str:
        """Tell a person what the script does at this moment."""
        return describe(faults_now(no_faults if self._is_calm else fault_at, self.elapsed()))

    def _start(self) -> None:
        command = [sys.executable, "-m", "monitor.demo.service", "--dir", str(self.folder)]
        command += ["--seed", str(self._seed), *(["--calm"] if self._is_calm else [])]
        with (self.folder / _LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def _wait(self) -> None:
        ready = self.folder / READY_FILE
        end = self._clock.monotonic() + READY_TIMEOUT_S
        while not ready.exists():
            assert self._process is not None
            if self._process.poll() is not None or self._clock.monotonic() > end:
                raise MonitorError(f"the simulated service did not start: {self._last_log_line()}")
            time.sleep(0.02)
        self._begin = self._clock.monotonic()
        self._addresses = Addresses.read(ready)

    def _last_log_line(self) -> str:
        text = (self.folder / _LOG_FILE).read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"

    def _write_config(self) -> None:
        text = config_text(
            self.addresses.endpoints,
            channel=self.addresses.channel,
            ca_file=CA_FILE,
            listen=f"127.0.0.1:{self.port}",
            page_url=self.page_url,
        )
        self.config_path.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Ask the process to end, and kill it after three seconds. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
