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
from monitor.demo.endpoints import (
    CA_FILE,
    ENDPOINTS,
    HUB,
    PLACES,
    READY_FILE,
    SHANGHAI,
    Addresses,
    SimulatedEndpoint,
)
from monitor.demo.faults import describe, fault_at, faults_now, no_faults
from monitor.demo.faulty_listener import HOST, host_name
from monitor.demo.name_server import resolver_of
from monitor.model import MonitorError
from monitor.probes.wire.resolver import Resolve

KEY_NAME, CA_NAME = "DEMO_KEY", "DEMO_CA"
CUT_AFTER = "100s"
"""How long Cloudflare keeps a call open without an answer."""
NOTE = "This is a demo. The service and its faults are simulated, and what came before the start of the demo is made up."
CHINESE_NOTE = "这是演示。服务及其故障均为模拟。演示启动之前的记录是虚构的。"


def environment(endpoints: Mapping[str, str], *, ca_file: Path, key: str) -> dict[str, str]:
    """Return all that the file refers to. `endpoints` maps ids to the base URLs of one place."""
    urls = {url_name(endpoint): url for endpoint, url in endpoints.items()}
    return {KEY_NAME: key, CA_NAME: str(ca_file), **urls}


def url_name(endpoint: str) -> str:
    """Return the name of the variable that holds an endpoint's base URL, which differs from place to place."""
    return f"DEMO_{endpoint.upper().replace('-', '_')}"


def config_text(
    *,
    channel: str,
    listen: str,
    page_url: str,
    resolver: str,
    keys: Mapping[str, str] | None = None,
) -> str:
    """Compose the file. `channel` is an http address, `resolver` an address with a port; `keys` are the public ones of agents, by place."""
    lines = [_endpoint_line(endpoint) for endpoint in ENDPOINTS]
    text = _TEMPLATE.format(
        hub=HUB,
        listen=listen,
        resolver=resolver,
        page_url=page_url,
        note=NOTE,
        chinese_note=CHINESE_NOTE,
        key="${" + KEY_NAME + "}",
        model=CHAT_MODEL,
        endpoints="\n".join(lines),
        embedding_model=EMBEDDING_MODEL,
        channel=channel.replace("http://", "json://", 1),
    )
    return text + "".join(
        _VANTAGE.format(place=place, key=keys[place.id], main=str(place is SHANGHAI).lower())
        for place in PLACES
        if keys and place.id in keys
    )


def _endpoint_line(endpoint: SimulatedEndpoint) -> str:
    cut = f', cut_after = "{CUT_AFTER}"' if endpoint.cloudflare else ""
    url, ca_file = f"${{{url_name(endpoint.id)}}}", f"${{{CA_NAME}}}"
    return (
        f'{endpoint.id} = {{ url = "{url}", name = "{endpoint.name}", ca_file = "{ca_file}"{cut} }}'
    )


_TEMPLATE = """\
# Written by `monitor demo`; gone when it ends.
[monitor]
vantage = "{hub.id}"
vantage_name = {{ en = "{hub.name}", zh-CN = "{hub.chinese}" }}
store = "sqlite:///monitor.db"
listen = "{listen}"
resolvers = ["{resolver}"]

[page]
dir = "page"
url = "{page_url}"
title = "Demo LLM status"
note = {{ en = "{note}", zh-CN = "{chinese_note}" }}
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
_VANTAGE = """
[vantage.{place.id}]
name = {{ en = "{place.name}", zh-CN = "{place.chinese}" }}
key = "{key}"
main = {main}
paid = "each"  # tokens cost nothing here
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
        self,
        folder: Path,
        *,
        clock: Clock,
        port: int,
        host: str = "127.0.0.1",
        is_calm: bool = False,
        seed: int = 1,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """`keys` are the public keys of the agents that may push, by place."""
        self.folder = folder
        self.host, self.port = host, port
        self.config_path = folder / "monitor.toml"
        self.ca_file = folder / CA_FILE
        self._clock = clock
        self._is_calm = is_calm
        self._seed = seed
        self._keys = keys
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
        """Return the whole environment that the config refers to, with base URLs that need no look-up."""
        return self._env_of(self.addresses.endpoints)

    def env_at(self, place: str) -> dict[str, str]:
        """Return the same for a place, with base URLs by name, which `resolver_at` of that place finds."""
        urls = self.addresses.by_place[place].items()
        return self._env_of({each: url.replace(HOST, host_name(each)) for each, url in urls})

    def resolver_at(self, place: str) -> Resolve:
        """Return what looks names up at a place, in place of `getaddrinfo`."""
        return resolver_of(self.addresses.name_servers[place])

    def _env_of(self, endpoints: Mapping[str, str]) -> dict[str, str]:
        return environment(endpoints, ca_file=self.ca_file.absolute(), key=self.addresses.key)

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
            channel=self.addresses.channel,
            listen=f"{self.host}:{self.port}",
            page_url=self.page_url,
            resolver=self.addresses.resolver,
            keys=self._keys,
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
