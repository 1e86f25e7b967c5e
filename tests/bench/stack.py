"""CPU and memory per HTTPS check of the whole daemon, beside blackbox_exporter, Prometheus and Alertmanager.

    python tests/bench/stack.py [SECONDS] [CHECKS]

Both watch the same server at the same time, every check every 20 seconds; theirs are Debian's packages
with a rule that alerts on a failing probe. Where they are not installed, ours alone is measured.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import Table, cpu_of, rss_mb
from rig import Daemon, Upstream, daemon, free_port, upstream, versions

EVERY_S = 20
WARM_UP_S = 30.0
MOST_CPU = 1.5
"""Of theirs: ours has the page, percentiles and alerts in it."""
PROGRAMS = ("prometheus-blackbox-exporter", "prometheus", "prometheus-alertmanager")


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100
    checks = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with (
        upstream() as asked,
        their_stack(asked, checks) as theirs,
        daemon(asked, checks, 'http = { every = "20s", path = "/v1/models" }') as ours,
    ):
        everybody = {"ours": ours.pid, **theirs}
        time.sleep(WARM_UP_S)
        rounds = [
            one_round(everybody, ours, checks) for _ in range(max(5, round(seconds / EVERY_S)))
        ]
        memory = {name: rss_mb(pid) for name, pid in everybody.items()}
    return report(checks, rounds, memory)


def one_round(everybody: dict[str, int], ours: Daemon, checks: int) -> dict[str, float]:
    """Milliseconds of CPU per check, while each check runs once."""
    before, ran = {name: cpu_of(pid) for name, pid in everybody.items()}, ours.runs()
    time.sleep(EVERY_S)
    ran = ours.runs() - ran
    return {
        name: (cpu_of(pid) - before[name]) * 1000 / (ran if name == "ours" else checks)
        for name, pid in everybody.items()
    }


def report(checks: int, rounds: list[dict[str, float]], memory: dict[str, float]) -> int:
    table = Table(
        f"The whole of it: {checks} HTTPS checks every {EVERY_S} s, {len(rounds)} rounds",
        versions(*PROGRAMS),
    )
    ours = [cpu.pop("ours") for cpu in rounds]
    table.add("CPU per check: ours", ours, "ms")
    for name in rounds[0]:
        table.add(f"CPU per check: {name}", [cpu[name] for cpu in rounds], "ms")
    if rounds[0]:
        ratios = [mine / sum(cpu.values()) for mine, cpu in zip(ours, rounds, strict=True)]
        table.add("CPU: ours to the three together", ratios, at_most=MOST_CPU)
    table.add("memory: ours", memory.pop("ours"), "MB", at_most=sum(memory.values()) or None)
    if memory:
        table.add("memory: the three together", sum(memory.values()), "MB")
    return table.print()


@contextlib.contextmanager
def their_stack(asked: Upstream, checks: int) -> Iterator[dict[str, int]]:
    """Process by name; nothing where one is not installed."""
    gone = [name for name in PROGRAMS if not shutil.which(name)]
    if gone:
        print(f"not installed: {', '.join(gone)}; only our own is measured")
        yield {}
        return
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        started = {}
        setup = Setup(Path(name), asked, checks)
        for program, arguments in setup.commands().items():
            process = subprocess.Popen(
                [program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            started[program] = process
        time.sleep(3)
        dead = [program for program, process in started.items() if process.poll() is not None]
        if dead:
            raise SystemExit(f"did not start: {', '.join(dead)}")
        yield {program: process.pid for program, process in started.items()}
        setup.must_succeed()


@dataclass(frozen=True)
class Setup:
    folder: Path
    asked: Upstream
    checks: int
    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    """Of Prometheus."""

    def must_succeed(self) -> None:
        """Ask Prometheus whether each check succeeds: one that fails costs less."""
        query = urllib.parse.urlencode({"query": "sum(probe_success)"})
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{query}") as answer:
            value = json.load(answer)["data"]["result"][0]["value"][1]
        if int(value) != self.checks:
            raise SystemExit(f"got {value} checks of theirs that succeed, want {self.checks}")

    def commands(self) -> dict[str, list[str]]:
        exporter, manager = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        blackbox = self.write(
            "blackbox.yml",
            "modules: {http: {prober: http, http: {preferred_ip_protocol: ip4, "
            f"tls_config: {{ca_file: {self.asked.ca_file}}}}}}}}}\n",
        )
        routes = self.write(
            "alertmanager.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
        )
        rules = self.write(
            "rules.yml",
            "groups: [{name: g, rules: [{alert: Down, expr: probe_success == 0, for: 1m}]}]\n",
        )
        settings = self.write("prometheus.yml", self.prometheus(exporter, manager, rules))
        return dict(
            zip(
                PROGRAMS,
                (
                    [f"--config.file={blackbox}", f"--web.listen-address={exporter}"],
                    [
                        f"--config.file={settings}",
                        f"--storage.tsdb.path={self.folder / 'data'}",
                        f"--web.listen-address={self.address}",
                    ],
                    [
                        f"--config.file={routes}",
                        f"--storage.path={self.folder / 'am'}",
                        f"--web.listen-address={manager}",
                        "--cluster.listen-address=",
                    ],
                ),
                strict=True,
            )
        )

    def prometheus(self, exporter: str, manager: str, rules: Path) -> str:
        targets = ", ".join(f'"{self.asked.url}/v1/models?{n}"' for n in range(self.checks))
        return (
            f"global: {{scrape_interval: {EVERY_S}s, evaluation_interval: {EVERY_S}s}}\n"
            f"rule_files: [{rules}]\n"
            f'alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{manager}"]}}]}}]}}\n'
            "scrape_configs:\n- job_name: probes\n  metrics_path: /probe\n  params: {module: [http]}\n"
            f"  static_configs: [{{targets: [{targets}]}}]\n  relabel_configs:\n"
            "  - {source_labels: [__address__], target_label: __param_target}\n"
            "  - {source_labels: [__param_target], target_label: instance}\n"
            f'  - {{target_label: __address__, replacement: "{exporter}"}}\n'
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


if __name__ == "__main__":
    sys.exit(bool(main()))
