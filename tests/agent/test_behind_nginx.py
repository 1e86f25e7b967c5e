"""Agents behind a real nginx, by the lines of `systemd/nginx.conf`, beside readers who come from the same address."""

import asyncio
import contextlib
import gzip
import os
import random
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from agent_cast import AgentHub, hubbing, run
from cast import until

from monitor.agent.ingest import MOST_ZIPPED
from monitor.agent.wire import Batch, encode_batch, encode_run

NGINX = shutil.which("nginx")
EXAMPLE = Path(__file__).parents[2] / "systemd" / "nginx.conf"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="there is no nginx here"),
]


def _location(hub: AgentHub) -> str:
    """Return the lines of the example that are for agents, with the address of this hub."""
    text = EXAMPLE.read_text()
    begin = text.index("location /agent/ {")
    return text[begin : text.index("}", begin) + 1].replace(
        "127.0.0.1:8080", f"127.0.0.1:{hub.web.port}"
    )


@asynccontextmanager
async def _nginx(folder: Path, hub: AgentHub) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nworker_processes 1;\n"
        + (f"user {os.environ.get('USER', 'root')};\n" if os.geteuid() == 0 else "")
        + f"events {{}}\nhttp {{\naccess_log off;\n{temporary}server {{\nlisten 127.0.0.1:{port};\n{_location(hub)}\n"
        f"location / {{ proxy_pass http://127.0.0.1:{hub.web.port}; proxy_buffering off; }}\n}}\n}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(NGINX), "-e", f"{folder}/nginx.log", "-c", str(conf)
    )
    try:
        await until((folder / "nginx.pid").exists)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def test_agents_push_whole_batches_while_slow_readers_hold_all_that_readers_may(
    tmp_path: Path,
) -> None:
    async with hubbing(tmp_path / "hub") as hub, _nginx(tmp_path, hub) as hub.through:
        page = tmp_path / "hub" / "page"
        page.mkdir(exist_ok=True)
        (page / "large.txt").write_bytes(b"x" * 30_000_000)
        port = int(hub.through.rpartition(":")[2])
        slow = [await asyncio.open_connection("127.0.0.1", port, limit=1024) for _ in range(80)]
        for _, writer in slow:
            writer.write(b"GET /large.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1)
        async with hub.session.get(f"{hub.url}/") as response:
            assert response.status in {502, 503}, "readers have had their part"
        filling = random.Random(1).randbytes(850_000).hex()
        plain = encode_batch(Batch(), [(1, encode_run(run()))])
        body = gzip.compress(plain[:-1] + f',"filling":"{filling}"}}'.encode())
        assert 900_000 < len(body) <= MOST_ZIPPED
        for _ in range(
            20
        ):  # a read of a quarter of a megabyte may come before its headers are looked at
            assert (await hub.push([], first=1, last=1, body=body)).status == 200
        for number in range(2, 12):
            assert (await hub.push([(number, run(number))])).status == 200
        assert len(await hub.stored()) == 11
        for _, writer in slow:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
