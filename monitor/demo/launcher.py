"""Starts the simulated service as a process of its own, and sees to it that it ends."""

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from monitor.clock import Clock
from monitor.demo.addresses import CA_FILE, READY_FILE, Addresses
from monitor.demo.faults import act_of, acting, calm, told
from monitor.demo.settings import KEY_NAME, settings_text
from monitor.model import MonitorError

READY_S = 20.0
END_S = 3.0
_LOG_FILE = "service.log"


class Simulation:
    """Entered, the service answers and `config_path` is written; left, its process has ended.

    It has a session of its own, so that Ctrl-C reaches only us and the probes that still run find
    their service; it ends by itself when its standard input closes, however we end.
    """

    def __init__(
        self, folder: Path, *, clock: Clock, port: int, is_calm: bool = False, seed: int = 1
    ) -> None:
        self.folder = folder
        self.port = port
        self.config_path = folder / "monitor.toml"
        self.ca_file = folder / CA_FILE
        self._clock = clock
        self._calm = is_calm
        self._seed = seed
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: Addresses | None = None
        self._begin = 0.0

    def __enter__(self) -> Self:
        try:
            self._start()
            self._wait()
            self._write_settings()
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
        """What the config refers to; use it as the whole environment."""
        return {KEY_NAME: self.addresses.key}

    @property
    def process_id(self) -> int:
        assert self._process is not None, "the simulation has not been entered"
        return self._process.pid

    def elapsed(self) -> float:
        """Seconds since the script of faults began."""
        return self._clock.monotonic() - self._begin

    def acting(self) -> str:
        """What the script does at this moment, for a person."""
        return told(acting(calm if self._calm else act_of, self.elapsed()))

    def _start(self) -> None:
        command = [sys.executable, "-m", "monitor.demo.service", "--dir", str(self.folder)]
        command += ["--seed", str(self._seed), *(["--calm"] if self._calm else [])]
        with (self.folder / _LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def _wait(self) -> None:
        ready = self.folder / READY_FILE
        end = self._clock.monotonic() + READY_S
        while not ready.exists():
            assert self._process is not None
            if self._process.poll() is not None or self._clock.monotonic() > end:
                raise MonitorError(f"the simulated service did not start: {self._last_words()}")
            time.sleep(0.02)
        self._begin = self._clock.monotonic()
        self._addresses = Addresses.read(ready)

    def _last_words(self) -> str:
        text = (self.folder / _LOG_FILE).read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "it said nothing"

    def _write_settings(self) -> None:
        text = settings_text(
            self.addresses.endpoints,
            channel=self.addresses.channel,
            ca_file=CA_FILE,
            listen=f"127.0.0.1:{self.port}",
            page_url=self.page_url,
        )
        self.config_path.write_text(text, encoding="utf-8")

    def close(self) -> None:
        """Ask it to end, and after three seconds end it. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
