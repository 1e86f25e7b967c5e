"""Canary secrets wherever a secret can stand, a daemon at DEBUG among hostile hosts, and no canary in anything that comes out."""

import asyncio
import base64
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from cast import until
from listening import listening
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.config import Config, load, parse
from monitor.model import ConfigError

MONITOR = Path(sys.executable).parent / "monitor"


def canary(what: str) -> str:
    return f"canary-{what}-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Canaries:
    key: str = field(default_factory=lambda: canary("key"))
    own_key: str = field(default_factory=lambda: canary("own"))
    header: str = field(default_factory=lambda: canary("header"))
    proxy: str = field(default_factory=lambda: canary("proxy"))
    hook: str = field(default_factory=lambda: canary("hook"))
    resolver: str = field(default_factory=lambda: canary("resolver"))
    telegram: str = TOKEN

    def all(self) -> dict[str, str]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


def forms(secret: str) -> Iterator[str]:
    """Whole, in halves, and as it may be encoded alone or inside a longer text."""
    raw = secret.encode()
    yield from (secret, secret[:16], secret[-16:])
    yield from (raw.hex(), raw.hex()[-32:])
    yield "".join(f"%{byte:02x}" for byte in raw[-12:])
    yield quote(secret, safe="")
    for before in range(3):
        code = base64.b64encode(bytes(before) + raw).decode()
        yield code[4:-4]
        yield code[4:-4].translate(str.maketrans("+/", "-_"))


def hits(data: bytes | str, canaries: Canaries) -> list[str]:
    low = (data.encode() if isinstance(data, str) else data).lower()
    return [
        f"{name} as {form[:24]}"
        for name, secret in canaries.all().items()
        for form in forms(secret)
        if form.lower().encode() in low
    ]


def test_a_canary_is_known_again_in_every_form() -> None:
    """A search that finds nothing proves nothing, unless it can find."""
    canaries = Canaries()
    raw = canaries.key.encode()
    for text in (
        f"x{canaries.key}y",
        raw.hex(),
        raw.hex().upper(),
        base64.b64encode(b"user:" + raw).decode(),
        base64.urlsafe_b64encode(b"u:" + raw).decode(),
        "".join(f"%{byte:02X}" for byte in raw),
        f"…{canaries.key[-16:]}",
    ):
        assert hits(text, canaries), text
    assert hits("canary-key- and nothing else", canaries) == []


# --- the world that it lives in -------------------------------------------------------------------


@dataclass
class World:
    """Echoes whatever it is sent: as body, as error, as header, as stream, as proxy and as hook."""

    url: str = ""
    hooked: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    tunnels: int = 0

    async def echo(self, request: web.Request) -> web.StreamResponse:
        told = dict(request.headers)
        self.seen |= set(told.values())
        said = request.headers.get("Authorization", "") + request.headers.get("X-Api-Key", "")
        way = request.path.split("/")[1]
        if way == "header":
            safe = base64.b64encode(said.encode()).decode()
            return web.Response(status=500, headers={"X-Echo": said, "X-Code": safe}, text=said)
        if way == "redirect":
            raise web.HTTPFound(f"http://127.0.0.1:9/?key={quote(said)}")
        if way == "reset":
            assert request.transport is not None
            request.transport.abort()
        if way == "code":
            return web.Response(status=500, text=f"{said.encode().hex()} {json.dumps(told)}")
        error = {"error": {"message": f"bad key {said}, {told}", "type": said, "code": said}}
        return web.json_response(error, status=401 if way == "refuse" else 200)

    async def hook(self, request: web.Request) -> web.Response:
        self.hooked.append(await request.text())
        return web.Response(status=500, text=f"no: {request.path}")

    async def serve_proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.tunnels += 1
        writer.write(b"HTTP/1.1 407 " + head.split(b"\r\n")[-3][-60:] + b"\r\n\r\n" + head)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def world() -> AsyncIterator[tuple[World, int]]:
    """With the port of its proxy."""
    found = World()
    app = web.Application()
    app.router.add_post("/hooks/{token}", found.hook)
    app.router.add_route("*", "/{rest:.*}", found.echo)
    proxy = await asyncio.start_server(found.serve_proxy, "127.0.0.1", 0)
    async with listening(app) as found.url:
        yield found, proxy.sockets[0].getsockname()[1]
        proxy.close()


CONFIG = """
[monitor]
listen = ""
resolvers = ["https://127.0.0.1:9/{resolver}"]
[page]
errors = true
spend = true
[alerts]
after = 1
recover = 1
[channel.telegram]
url = "tgram://${{TELEGRAM_TOKEN}}/{chat}"
telegram_api = "{telegram}"
[channel.hook]
url = "json://${{HOOK}}@{hook}"
[channel.dead]
url = "json://127.0.0.1:9/${{HOOK_TOKEN}}"
[service.s]
key = "${{KEY}}"
model = "model-x"
headers = {{ X-Relay-Group = "${{HEADER}}" }}
[service.s.endpoints]
body = "{url}/body"
header = "{url}/header"
refuse = "{url}/refuse"
redirect = "{url}/redirect"
reset = "{url}/reset"
code = {{ url = "{url}/code", key = "file:key" }}
dead = "https://127.0.0.1:9"
lost = "https://nowhere.invalid"
proxied = {{ url = "http://relay.invalid", proxy = "http://user:${{PROXY}}@127.0.0.1:{proxy}" }}
[service.s.probes]
models = {{ every = "1s", timeout = "2s" }}
chat = {{ every = "2s", timeout = "2s" }}
messages = {{ every = "2s", timeout = "2s" }}
http = {{ every = "2s", timeout = "2s" }}
"""


def write(
    folder: Path, canaries: Canaries, there: World, proxy: int, fake: Telegram
) -> dict[str, str]:
    """The config, and the environment that it wants."""
    key = folder / "key"
    key.write_text(canaries.own_key + "\n")
    key.chmod(0o600)
    (folder / "monitor.toml").write_text(
        CONFIG.format(
            url=there.url,
            telegram=fake.url,
            chat=CHAT,
            proxy=proxy,
            resolver=canaries.resolver,
            hook=f"{there.url.removeprefix('http://')}/hooks/{canaries.hook}",
        )
    )
    return {
        "PATH": os.environ["PATH"],
        "KEY": canaries.key,
        "HEADER": canaries.header,
        "PROXY": canaries.proxy,
        "TELEGRAM_TOKEN": canaries.telegram,
        "HOOK": f"user:{canaries.hook}",
        "HOOK_TOKEN": canaries.hook,
    }


async def command(folder: Path, env: dict[str, str], *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        MONITOR,
        *arguments,
        cwd=folder,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out


@pytest.mark.slow
async def test_a_daemon_at_debug_with_failing_channels_lets_no_canary_out(tmp_path: Path) -> None:
    canaries, folder = Canaries(), tmp_path
    async with world() as (there, proxy), telegram() as fake:
        env = write(folder, canaries, there, proxy, fake)
        fake.faults.extend(["429 1"])
        with (folder / "daemon.log").open("wb") as log:
            daemon = await asyncio.create_subprocess_exec(
                MONITOR, "run", "--log-level", "DEBUG", cwd=folder, env=env, stdout=log, stderr=log
            )
        cmdline = await lived(folder, daemon, fake)
        outputs = {
            " ".join(arguments): await command(folder, env, *arguments)
            for arguments in (
                ("once",),
                ("once", "--json"),
                ("status",),
                ("status", "--json"),
                ("validate",),
                ("test-alert",),
                ("render",),
                ("diagnose", f"{there.url}/body", "--json"),
                ("diagnose", "https://nowhere.invalid"),
            )
        }
    sent = {*there.seen}
    assert f"Bearer {canaries.key}" in sent, "it was there to be lost"
    assert f"Bearer {canaries.own_key}" in sent
    assert canaries.header in sent
    assert there.tunnels > 0
    assert there.hooked
    assert fake.messages
    outputs |= {"cmdline": cmdline, "telegram": "\n".join(fake.messages).encode()}
    outputs |= {"hook": "\n".join(there.hooked).encode()}
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"monitor.toml", "key"}
    ]
    names = {path.name for path in files}
    assert {"daemon.log", "monitor.db", "index.html", "status.json"} <= names
    outputs |= {str(path.relative_to(folder)): path.read_bytes() for path in files}
    assert b"event=run" in outputs["daemon.log"]
    assert b"event=reload_refused" in outputs["daemon.log"]
    assert [
        f"{name}: {hit}" for name, data in outputs.items() for hit in hits(data, canaries)
    ] == []
    print(f"{len(outputs)} outputs, {sum(map(len, outputs.values()))} bytes, no canary")


async def lived(folder: Path, daemon: asyncio.subprocess.Process, fake: Telegram) -> bytes:
    """Some seconds of trouble, a refused reload, and a polite end; gives the command lines seen."""
    config = folder / "monitor.toml"
    good = config.read_text()
    for _ in range(300):
        await asyncio.sleep(0.1)
        if fake.messages and (folder / "page" / "index.html").exists():
            break
    cmdline = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    config.write_text(good.replace("[page]", 'nonsense = "${KEY}"\n[page]'))
    daemon.send_signal(signal.SIGHUP)
    log = folder / "daemon.log"
    await until(lambda: b"event=reload_refused" in log.read_bytes())
    config.write_text(good)
    # The write-ahead log is looked at while it is there.
    for path in folder.glob("monitor.db*"):
        (folder / f"living-{path.name}").write_bytes(path.read_bytes())
    daemon.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(daemon.wait(), 40) == 0
    return cmdline


# --- in the process -------------------------------------------------------------------------------


def loaded(folder: Path, canaries: Canaries) -> Config:
    env = write(
        folder, canaries, World(url="http://127.0.0.1:9"), 9, Telegram(url="http://127.0.0.1:9")
    )
    return load(folder / "monitor.toml", env)


def test_nothing_of_the_config_shows_a_canary_when_printed(tmp_path: Path) -> None:
    canaries = Canaries()
    config = loaded(tmp_path, canaries)
    known = {secret.reveal() for secret in config.secrets}
    assert {canaries.key, canaries.own_key, canaries.header, canaries.telegram} <= known
    parts = (
        config,
        *config.services,
        *config.checks,
        *config.channels,
        *config.secrets,
        config.diagnosis,
    )
    shown = [f"{part!r} {part!s} {part}" for part in parts]
    shown += [
        f"{check.endpoint!r} {check.probe!r} {check.endpoint.proxy}" for check in config.checks
    ]
    assert [hit for text in shown for hit in hits(text, canaries)] == []


def test_no_complaint_about_a_config_quotes_a_canary(tmp_path: Path) -> None:
    canaries = Canaries()
    env = write(tmp_path, canaries, World(url="http://127.0.0.1:9"), 9, Telegram(url="x"))
    good = (tmp_path / "monitor.toml").read_text()
    for wrong in (
        good.replace("[page]", 'title = "${KEY}"\n[page]'),
        good.replace('model = "model-x"', 'model = 7\nmultiplier = "${KEY}"'),
        good.replace("http://user:", "ftp://user:"),
        good.replace("json://", "${HOOK_TOKEN}://"),
        good.replace('url = "{url}', 'url = "${KEY}'),
    ):
        with pytest.raises(ConfigError) as caught:
            parse(wrong, path=tmp_path / "monitor.toml", env=env)
        assert hits(str(caught.value), canaries) == []


def test_a_traceback_that_nobody_caught_is_printed_without_canaries(tmp_path: Path) -> None:
    """In a process of its own, with the product's own logging."""
    canaries = Canaries()
    loaded(tmp_path, canaries)
    program = (
        "import os, logging\nfrom pathlib import Path\nfrom monitor import config, logs\n"
        "from monitor.model import Redactor\n"
        "loaded = config.load(Path('monitor.toml'), os.environ)\n"
        "logs.set_up(Redactor(loaded.secrets), level='DEBUG')\n"
        "key = loaded.services[0].endpoints[0].key.reveal()\n"
        "logging.debug('%r', {'Authorization': f'Bearer {key}'})\n"
        "raise RuntimeError(f'it was {key}')\n"
    )
    env = {
        "KEY": canaries.key,
        "HEADER": canaries.header,
        "PROXY": canaries.proxy,
        "TELEGRAM_TOKEN": canaries.telegram,
        "HOOK": canaries.hook,
        "HOOK_TOKEN": canaries.hook,
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RuntimeError: it was ***" in done.stderr
    assert hits(done.stdout + done.stderr, canaries) == []
    assert logging.getLogger().name == "root"
