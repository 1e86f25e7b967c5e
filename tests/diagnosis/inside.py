"""Runs alone in a network of its own, where port 53 is ours; prints what it saw as JSON.

    unshare --mount --net python inside.py FOLDER

`test_own_network.py` starts it and judges. Nothing here reaches another machine: there is no route.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import dns.rcode  # noqa: E402
from nameserver import Message, answer_of, coded, serving_names  # noqa: E402
from run_check import run_check  # noqa: E402
from street import Street, polite  # noqa: E402

from monitor.clock import SystemClock  # noqa: E402
from monitor.cycle import with_explanation  # noqa: E402
from monitor.diagnosis import DiagnosisSettings  # noqa: E402
from monitor.diagnosis.path_diagnosis import PathDiagnosis  # noqa: E402
from monitor.model import Check, Endpoint  # noqa: E402
from monitor.probes import PROBES  # noqa: E402
from monitor.probes.wire.client import Client  # noqa: E402

MONITOR = Path(sys.executable).parent / "monitor"
FACEBOOK, TRUE = "31.13.94.37", "93.184.216.34"
OTHER = "127.0.0.53"
HUNG = 50
HEALTHY = 20


def settle(folder: Path) -> None:
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:2\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    for command in (
        "mount --make-rprivate /",
        "ip link set lo up",
        f"ip address add {TRUE}/32 dev lo",
        "ip route add default dev lo",
        f"ip route add unreachable {FACEBOOK}",
        "ip route add unreachable 104.18.0.7",
        f"mount --bind {folder}/resolv.conf /etc/resolv.conf",
        f"mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf",
    ):
        subprocess.run(command.split(), check=True)


def system(question: Message) -> list[bytes | float]:
    """The resolver of /etc/resolv.conf."""
    name = question.question[0].name.to_text(omit_final_dot=True)
    if name.startswith("hung"):
        return []
    wait = 0.15 if name.startswith("slow") else 0.0
    zone = {name: ("127.0.0.1",)} | {
        "poisoned.test": (FACEBOOK,),
        "lost.test": (FACEBOOK,),
        "gone.test": ("104.18.0.7",),
    }
    return [wait, answer_of(question, zone).to_wire()]


def check(name: str, port: int, **settings: Any) -> Check:
    endpoint = Endpoint(id=name, service="s", url=f"http://{name}.test:{port}", name=name)
    return Check(
        service="s", endpoint=endpoint, probe=PROBES["http"](**{"timeout": "8s"} | settings)
    )


async def run(client: Client, asked: Check, doctor: PathDiagnosis | None = None) -> dict[str, Any]:
    attempted = await run_check(asked, client)
    result = (await with_explanation(doctor, asked, attempted) if doctor else attempted).result
    return {
        "outcome": result.outcome.value,
        "kind": result.failure and result.failure.kind.value,
        "dns": result.timings.dns,
    }


async def hung_names(street: Street) -> dict[str, Any]:
    """50 names whose servers never answer, and 20 healthy hosts asked again and again beside them."""
    sick = [check(f"hung-{n}", street.port) for n in range(HUNG)]
    well = [check(f"h-{n}", street.port) for n in range(HEALTHY)]
    doctor = PathDiagnosis(
        DiagnosisSettings(),
        [each.endpoint for each in (*sick, *well)],
        clock=SystemClock(),
        redact=str,
    )
    async with Client() as client:
        await asyncio.gather(*(run(client, each, doctor) for each in well))
        hung = asyncio.gather(*(run(client, each, doctor) for each in sick))
        healthy: list[dict[str, Any]] = []
        while not hung.done():
            healthy += await asyncio.gather(*(run(client, each, doctor) for each in well))
            await asyncio.sleep(0.2)
    await doctor.close()
    return {
        "healthy": len(healthy),
        "harmed": sum(row["outcome"] != "up" for row in healthy),
        "slowest_dns_ms": max(each["dns"] for each in healthy),
        "hung": sorted({each["kind"] for each in await hung}),
    }


async def slow_name(street: Street) -> list[float]:
    async with Client() as client:
        return [(await run(client, check("slow", street.port)))["dns"] for _ in range(3)]


async def command(folder: Path, *arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        MONITOR,
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"]},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return {"exit": process.returncode, **json.loads(out)}


def configure(folder: Path, port: int, ca_file: Path, resolvers: list[str], *hosts: str) -> None:
    lines = [
        "[monitor]",
        'listen = ""',
        f"resolvers = {json.dumps(resolvers)}",
        "[service.s.endpoints]",
    ]
    lines += [
        f'{host.split(".")[0]} = {{ url = "https://{host}:{port}", ca_file = "{ca_file}" }}'
        for host in hosts
    ]
    (folder / "monitor.toml").write_text("\n".join([*lines, ""]))


async def poisoned(folder: Path, street: Street) -> dict[str, Any]:
    context = street.context("poisoned.test")
    zone = {"poisoned.test": (TRUE,)}
    async with (
        street.house(TRUE, polite, context),
        serving_names(lambda q: [answer_of(q, zone).to_wire()], host=OTHER, port=53),
    ):
        configure(folder, street.port, street.ca_file, [OTHER], "poisoned.test")
        return await command(folder, "diagnose", f"https://poisoned.test:{street.port}", "--json")


async def offline(folder: Path, street: Street) -> dict[str, Any]:
    """Names resolve (a cache near us), and there is no way to any address."""
    configure(folder, street.port, street.ca_file, [], "lost.test", "gone.test")
    return await command(folder, "once", "--json")


async def no_resolver(folder: Path, street: Street) -> dict[str, Any]:
    """The system's resolver fails for every name, another one does not."""
    zone = {"one.test": (TRUE,), "two.test": (TRUE,)}
    async with serving_names(lambda q: [answer_of(q, zone).to_wire()], host=OTHER, port=53):
        configure(folder, street.port, street.ca_file, [OTHER], "one.test", "two.test")
        return await command(folder, "once", "--json")


async def main(folder: Path) -> None:
    street = Street(folder)
    seen: dict[str, Any] = {}
    began = time.monotonic()
    async with serving_names(system, port=53) as names:
        async with street.house("127.0.0.1", polite):
            seen["slow"] = await slow_name(street)
            seen["slow_asked"] = names.asked.count("udp A slow.test")
            seen["hung"] = await hung_names(street)
        seen["poisoned"] = await poisoned(folder, street)
        seen["offline"] = await offline(folder, street)
    async with serving_names(coded(dns.rcode.SERVFAIL), port=53):
        seen["no_resolver"] = await no_resolver(folder, street)
    seen["took"] = time.monotonic() - began
    print(json.dumps(seen))


if __name__ == "__main__":
    settle(Path(sys.argv[1]))
    ssl.create_default_context()
    asyncio.run(main(Path(sys.argv[1])))
