"""Software that nobody here wrote: nginx with TLS and a key before the litellm proxy before the simulation."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import trustme

from monitor.demo.api_common import CHAT_MODELS
from monitor.demo.launcher import Simulation

NGINX = shutil.which("nginx")
LITELLM = os.environ.get("LITELLM")
"""The command of an environment of its own: it is not ours to depend on."""
KEY = "the-key-that-nginx-knows"
MASTER = f"sk-{token_hex(16)}"
"""Between nginx and the proxy, which wants one that begins so."""
MODEL = "relayed-model"

_NGINX_CONF = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
  proxy_http_version 1.1;
  proxy_read_timeout 30s;
  proxy_set_header Authorization "Bearer {master}";
  server {{
    listen 127.0.0.1:{streaming} ssl;
    if ($http_authorization != "Bearer {key}") {{ return 401; }}
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_buffering off; }}
  }}
  server {{
    listen 127.0.0.1:{buffering} ssl;
    if ($http_authorization != "Bearer {key}") {{ return 401; }}
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_buffering on; proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k;
      proxy_ignore_headers X-Accel-Buffering;
    }}
  }}
  server {{
    listen 127.0.0.1:{substituting} ssl;
    if ($http_authorization != "Bearer {key}") {{ return 401; }}
    proxy_set_header Authorization "Bearer {master}";
    proxy_set_header x-litellm-tags cheap;
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_buffering off; }}
  }}
  server {{
    listen 127.0.0.1:{orphaned} ssl;
    location / {{ proxy_pass http://127.0.0.1:1; }}
  }}
}}
"""

_LITELLM_CONF = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{upstream_model}
      api_base: {api_base}/v1
      api_key: os.environ/UPSTREAM_KEY
      tags: [default]
  - model_name: {model}
    litellm_params:
      model: openai/{other_model}
      api_base: {api_base}/v1
      api_key: os.environ/UPSTREAM_KEY
      tags: [cheap]
router_settings:
  enable_tag_filtering: true
litellm_settings:
  num_retries: 0
  telemetry: false
"""


@dataclass(frozen=True)
class Relay:
    """Base URLs of one nginx, and whom to trust."""

    streaming: str
    buffering: str
    orphaned: str
    substituting: str
    """Has the proxy ask another model under the same name."""
    ca_file: Path


@contextlib.contextmanager
def relaying(folder: Path, simulation: Simulation) -> Iterator[Relay]:
    upstream, streaming, buffering, orphaned, substituting = _ports(5)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    for number, part in enumerate(server.cert_chain_pems):
        part.write_to_path(str(folder / "server.pem"), append=bool(number))
    conf = folder / "nginx.conf"
    conf.write_text(
        _NGINX_CONF.format(
            folder=folder,
            upstream=upstream,
            streaming=streaming,
            buffering=buffering,
            orphaned=orphaned,
            substituting=substituting,
            key=KEY,
            master=MASTER,
        )
    )
    with (
        _litellm(folder, simulation, upstream),
        _process([str(NGINX), "-p", folder, "-c", conf], {}, folder / "nginx.out"),
    ):
        _until_open(streaming)
        yield Relay(
            *(
                f"https://127.0.0.1:{port}"
                for port in (streaming, buffering, orphaned, substituting)
            ),
            folder / "authority.pem",
        )


@contextlib.contextmanager
def _litellm(folder: Path, simulation: Simulation, port: int) -> Iterator[None]:
    conf = folder / "litellm.yaml"
    base = next(iter(simulation.addresses.endpoints.values()))
    asked, other = CHAT_MODELS
    conf.write_text(
        _LITELLM_CONF.format(model=MODEL, upstream_model=asked, other_model=other, api_base=base)
    )
    env = {
        "UPSTREAM_KEY": simulation.addresses.key,
        "SSL_CERT_FILE": str(simulation.ca_file),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": MASTER,
        "NO_PROXY": "127.0.0.1",
    }
    command = [str(LITELLM), "--config", conf, "--host", "127.0.0.1", "--port", str(port)]
    with _process(command, env, folder / "litellm.out"):
        _until_answers(f"http://127.0.0.1:{port}/health/liveliness", folder / "litellm.out")
        yield


@contextlib.contextmanager
def _process(command: list[str | Path], env: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            env={"PATH": os.environ["PATH"], **env},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_answers(url: str, log: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=2).close()
            return
        time.sleep(0.3)
    raise AssertionError(f"no answer from {url}:\n{log.read_text()[-2000:]}")


def _until_open(port: int, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {port}")


def _ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
