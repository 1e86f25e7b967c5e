"""Runs alone in a network of its own: a hub and four agents, each in a network namespace; prints what came of it as JSON.

    unshare --mount --net python distant_inside.py FOLDER SECONDS_OF_THE_CUT

`test_distant_places.py` starts it and judges. Shanghai's name server lies, Hong Kong is cut off for a while, Tokyo's
clock is seven minutes ahead where libfaketime is installed, and New York's way to the base URLs is slow. Nothing here
reaches another machine: there is no route.
"""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "diagnosis")]

from aiohttp import web  # noqa: E402
from cast import until  # noqa: E402
from nameserver import Zone, answering, serving_names  # noqa: E402

from monitor.clock import SystemClock  # noqa: E402

MONITOR = Path(sys.executable).parent / "monitor"
HUB, CONTROL, DIRECT, EDGE, HONEST, LIAR, FAR = (
    "93.184.216.30",
    "93.184.216.31",
    "93.184.216.34",
    "93.184.216.35",
    "93.184.216.53",
    "93.184.216.54",
    "93.184.216.55",
)
SLOW_DIRECT, SLOW_EDGE, RESOLVER, FACEBOOK = (
    "93.184.216.44",
    "93.184.216.45",
    "9.9.9.9",
    "31.13.94.37",
)
TRUE: Zone = {"direct.test": (DIRECT,), "edge.test": (EDGE,), "control.test": (CONTROL,)}
ZONES: dict[str, Zone] = {
    HONEST: TRUE,
    RESOLVER: TRUE,
    LIAR: TRUE | {"direct.test": (FACEBOOK,)},
    FAR: TRUE | {"direct.test": (SLOW_DIRECT,), "edge.test": (SLOW_EDGE,)},
}
PLACES = {"cn": ("Shanghai", LIAR), "hk": ("Hong Kong", HONEST)} | {
    "jp": ("Tokyo", HONEST),
    "us": ("New York", FAR),
}
SLOW_S = 0.4
AHEAD_S = 420
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
TOML = f"""
[monitor]
vantage = "fra"
vantage_name = "Frankfurt"
listen = "{HUB}:8080"
controls = ["http://control.test:7000"]
resolvers = ["{RESOLVER}"]
[alerts]
after = 2
wait = "1s"
[verdict]
partial = "30s"
[channel.phone]
url = "json://{HUB}:9000/"
[service.relay]
name = "Relay"
endpoints = {{ direct = "http://direct.test:7000", edge = "http://edge.test:7000" }}
probes = {{ http = "8s" }}
"""


def sh(*words: object) -> None:
    subprocess.run([*map(str, words)], check=True, capture_output=True)


def settle(folder: Path) -> None:
    """Make the networks: an own one for each place, with a wire to the hub's, where all addresses are."""
    sh("mount", "--make-rprivate", "/")
    Path("/run/netns").mkdir(exist_ok=True)
    sh("mount", "-t", "tmpfs", "none", "/run/netns")
    sh("ip", "link", "set", "lo", "up")
    for address in (HUB, CONTROL, DIRECT, EDGE, SLOW_DIRECT, SLOW_EDGE, *ZONES):
        sh("ip", "address", "add", f"{address}/32", "dev", "lo")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    for number, (place, (_, nameserver)) in enumerate(PLACES.items()):
        sh("ip", "netns", "add", place)
        sh("ip", "link", "add", place, "type", "veth", "peer", "name", "way", "netns", place)
        sh("ip", "address", "add", f"10.9.{number}.1/24", "dev", place)
        sh("ip", "link", "set", place, "up")
        inside = ("ip", "-n", place)
        sh(*inside, "address", "add", f"10.9.{number}.2/24", "dev", "way")
        for link in ("lo", "way"):
            sh(*inside, "link", "set", link, "up")
        sh(*inside, "route", "add", "default", "via", f"10.9.{number}.1")
        sh(*inside, "route", "add", "unreachable", FACEBOOK)
        _names(folder / place, nameserver)
    _names(folder / "hub", HONEST)


def _names(folder: Path, nameserver: str) -> None:
    folder.mkdir()
    (folder / "resolv.conf").write_text(f"nameserver {nameserver}\noptions timeout:2 attempts:1\n")


def start(folder: Path, place: str, *words: str, line: str = "") -> subprocess.Popen[bytes]:
    """Start a monitor with the name server of its place, in the network of its place."""
    mounts = f"mount --bind {folder / place}/resolv.conf /etc/resolv.conf && "
    mounts += f"mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf && exec {MONITOR} "
    way = [] if place == "hub" else ["ip", "netns", "exec", place]
    env = {**os.environ, "HOME": str(folder / place)}
    if place == "jp" and FAKETIME:
        env |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+{AHEAD_S}", "DONT_FAKE_MONOTONIC": "1"}
    with (folder / place / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [*way, "unshare", "--mount", "sh", "-c", mounts + " ".join(words)],
            cwd=folder / place,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=env,
        )
    assert process.stdin is not None
    process.stdin.write(line.encode())
    process.stdin.close()
    return process


def monitor(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [MONITOR, *words], cwd=folder / "hub", capture_output=True, text=True, check=True
    )
    return done.stdout


async def serve(stack: AsyncExitStack, address: str, port: int, handler: Any) -> None:
    runner = web.AppRunner(web.Application())
    runner.app.router.add_route("*", "/{path:.*}", handler)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, address, port).start()


async def answer(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def carry(there: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand a request on to where it belongs, and each piece of the answer late."""
    with suppress(ConnectionError):
        up_reader, up_writer = await asyncio.open_connection(there, 7000)
        up_writer.write(await reader.readuntil(b"\r\n\r\n"))
        while piece := await up_reader.read(4096):
            await asyncio.sleep(SLOW_S)
            writer.write(piece)
            await writer.drain()
        up_writer.close()
    writer.close()


def status(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(monitor(folder, "status", "--json"))
    return document


def told(bodies: list[dict[str, Any]]) -> list[str]:
    return [body["title"] or body["message"].splitlines()[0] for body in bodies]


async def live(folder: Path, cut_s: float) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response()

    (folder / "hub" / "monitor.toml").write_text(TOML)
    lines = {}
    for place, (name, _) in PLACES.items():
        url = f"http://{HUB}:8080"
        said = monitor(folder, "agent", "add", place, "--name", name, "--url", url)
        lines[place] = said.strip().splitlines()[-1] + "\n"
    file = folder / "hub" / "monitor.toml"
    file.write_text(file.read_text().replace("\nkey =", '\nsilent = "20s"\nkey ='))
    async with AsyncExitStack() as stack:
        for address, zone in ZONES.items():
            names = serving_names(answering(zone), host=address, port=53)
            await stack.enter_async_context(names)
        for address in (CONTROL, DIRECT, EDGE):
            await serve(stack, address, 7000, answer)
        for address, there in ((SLOW_DIRECT, DIRECT), (SLOW_EDGE, EDGE)):
            relay = await asyncio.start_server(partial(carry, there), address, 7000)
            stack.callback(relay.close)
        await serve(stack, HUB, 9000, take)
        began = SystemClock().now().timestamp()
        processes = [start(folder, "hub", "run")]
        stack.callback(lambda: [process.kill() for process in processes])
        log = folder / "hub" / "log.txt"
        await until(lambda: "event=started" in log.read_text())
        for place, line in lines.items():
            state = str(folder / place / "state")
            processes.append(
                start(folder, place, "agent", "--state", state, f"http://{HUB}:8080", line=line)
            )
        await until(lambda: any("Shanghai" in title for title in told(bodies)), 300)
        await asyncio.sleep(15)
        before = await asyncio.to_thread(status, folder)
        sh("ip", "link", "set", "hk", "down")
        await asyncio.sleep(cut_s)
        during = await asyncio.to_thread(status, folder)
        sh("ip", "link", "set", "hk", "up")
        await until(lambda: any("heard again" in title for title in told(bodies)), 200)
        await asyncio.sleep(15)
        after = await asyncio.to_thread(status, folder)
        agents = await asyncio.to_thread(monitor, folder, "agent", "list")
        # while all are heard: a place that is silent recommends nothing
        best = {file.name: file.read_text() for file in (folder / "hub/page/best").glob("*.txt")}
        for process in processes[1:]:
            process.terminate()
        await asyncio.to_thread(lambda: [process.wait(30) for process in processes[1:]])
        processes[0].terminate()
        await asyncio.to_thread(processes[0].wait, 30)
    return {
        "began": began,
        "ended": SystemClock().now().timestamp(),
        "titles": told(bodies),
        "messages": [body["message"] for body in bodies],
        "before": before,
        "during": during,
        "after": after,
        "agents": agents,
        "best": best,
        "faked": FAKETIME is not None,
    }


def main() -> None:
    folder = Path(sys.argv[1])
    settle(folder)
    print(json.dumps(asyncio.run(live(folder, float(sys.argv[2])))))


if __name__ == "__main__":
    main()
