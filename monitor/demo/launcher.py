"""Starts the simulated service in a process of its own, and ends it."""

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.clock import Clock
from monitor.demo.addresses import CA_FILE, READY_FILE, Addresses
from monitor.demo.config_text import KEY_NAME, config_text
from monitor.demo.faults import describe, fault_at, faults_now, no_faults
from monitor.model import MonitorError

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
