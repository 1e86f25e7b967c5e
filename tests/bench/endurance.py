"""A long run of the real daemon: 100 endpoints x 2 checks over TLS against the simulated service.

    python tests/bench/endurance.py [MINUTES] [ENDPOINTS]

Prints a line a minute and, at the end, what must hold: no error in the log, no late or missed run,
flat memory. Exit 1 if one does not.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from harness import Table, cpu_of, rss_mb
from rig import PHONE

from monitor.clock import SystemClock
from monitor.demo.launcher import Simulation

BIN = Path(sys.executable).parent / "monitor"
REPEATED = "is the same base URL as"
"""The simulation has six base URLs, and each is asked many times."""
GROWTH_MB = 15
"""Memory may grow by so much after the first third of the run."""


def config(simulation: Simulation, endpoints: int, port: int) -> str:
    urls = list(simulation.addresses.endpoints.values())
    lines = [
        f'e-{n:03} = {{ url = "{urls[n % len(urls)]}", ca_file = "{simulation.ca_file}" }}'
        for n in range(endpoints)
    ]
    return (
        f'[monitor]\nlisten = "127.0.0.1:{port}"\n[service.demo]\nkey = "${{DEMO_KEY}}"\nmodel = "sim-chat-1"\n'
        "[service.demo.endpoints]\n"
        + "\n".join(lines)
        + '\n[service.demo.probes]\nmodels = "10s"\nchat = "20s"\n'
        + PHONE
    )


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    endpoints = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as name:
        return run(Path(name), minutes, endpoints)


def run(folder: Path, minutes: float, endpoints: int) -> int:
    port = 8099
    with Simulation(folder, clock=SystemClock(), port=port, is_calm=True) as simulation:
        model = re.search(r'^model = "(.+)"', simulation.config_path.read_text(), re.MULTILINE)
        assert model
        text = config(simulation, endpoints, port).replace("sim-chat-1", model[1])
        (folder / "load.toml").write_text(text)
        log = folder / "load.log"
        with log.open("w") as out:
            daemon = subprocess.Popen(
                [BIN, "run", "-c", folder / "load.toml"],
                stderr=out,
                env={**simulation.env, "PATH": "/usr/bin:/bin"},
            )
        rss = watch(daemon, log, minutes)
        seen = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/status.json").read())
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(60)
        title = f"{endpoints} base URLs, `models` every 10 s and `chat` every 20 s"
        return verdict(title, log.read_text(), rss, code, seen)


def watch(daemon: "subprocess.Popen[bytes]", log: Path, minutes: float) -> list[float]:
    rss: list[float] = []
    end = time.monotonic() + minutes * 60
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(60, left))
        rss.append(rss_mb(daemon.pid))
        lines = log.read_text().splitlines()
        runs = sum("event=run" in line for line in lines)
        print(
            f"{len(rss):3} min  {runs:6} runs  {rss[-1]:6.1f} MB  {cpu_of(daemon.pid):6.1f} s CPU",
            flush=True,
        )
    return rss


def verdict(title: str, log: str, rss: list[float], code: int, seen: dict[str, object]) -> int:
    runs = Counter(re.findall(r"event=run .*outcome=(\w+)", log))
    errors = [
        line
        for line in log.splitlines()
        if re.search(r" (WARNING|ERROR|CRITICAL) |Traceback", line) and REPEATED not in line
    ]
    drained = re.search(r"event=drained cut_off=(\d+) late=(\d+) missed=(\d+)", log)
    late, missed = (int(drained[2]), int(drained[3])) if drained else (-1, -1)
    growth = max(rss[len(rss) // 3 :]) - rss[len(rss) // 3]
    checks = {
        "exit code 0": code == 0,
        "no warning or error in the log": not errors,
        "the page says all is well": seen["state"] == "operational",
    }
    table = Table(f"{title}, {len(rss)} minutes, {runs.total():,} runs")
    table.add("memory after the first minute", rss[0], "MB")
    table.add("memory at the end", rss[-1], "MB")
    table.add("growth after the first third", growth, "MB", at_most=GROWTH_MB)
    table.add("runs over a second late", late, at_most=0)
    table.add("runs missed", missed, at_most=0)
    missed_targets = table.print()
    for text, held in checks.items():
        print(f"{'ok  ' if held else 'FAIL'} {text}")
    print("\n".join(errors[:20]))
    return 0 if all(checks.values()) and not missed_targets else 1


if __name__ == "__main__":
    sys.exit(main())
