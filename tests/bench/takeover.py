"""How fast a standby takes over, what it costs to follow, and what a cold start of the same store takes.

python tests/bench/takeover.py [CHECKS] [ROUNDS]. It needs Debian's postgresql.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from harness import Table, cpu_of
from rig import MONITOR, config_of, upstream
from seed import fill

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "store")]
from postgres import postgres
from tcp_proxies import CuttingProxy

from monitor.clock import SystemClock
from monitor.store.move import move

PATIENCE_S, FOLLOWED_S, TARGET_S = 240.0, 60.0, 15.0
TAKES_OVER = "event=takes_over"
SIGNS = {
    "that it has started": "event=started",
    "its first answer of a probe": "event=run ",
    "that the first page is written": "event=published",
}
FAILURES = ("kill -9", "SIGSTOP", "a cut of the network")
"""Who is killed is not waited for, and so looks alive, as if it had run on another machine."""


@dataclass
class Run:
    """A daemon, and since when it is watched, on the monotonic clock."""

    process: "subprocess.Popen[bytes]"
    log: Path
    since: float

    def until(self, words: str) -> float:
        """Wait for words in its log, and return how many seconds that took."""
        while words not in self.log.read_text():
            passed = time.monotonic() - self.since
            if passed > PATIENCE_S or self.process.poll() is not None:
                text = self.log.read_text()[-2000:]
                raise SystemExit(f"no {words!r} after {passed:.0f} s:\n{text}")
            time.sleep(0.01)
        return time.monotonic() - self.since

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(120)


@dataclass
class Bench:
    folder: Path
    configs: list[str]
    url: str
    port: int

    def start(self, which: int, url: str = "") -> Run:
        folder = self.folder / str(which)
        folder.mkdir(exist_ok=True)
        store = f'[monitor]\nstore = "{url or self.url}"\n'
        (folder / "monitor.toml").write_text(self.configs[which].replace("[monitor]\n", store, 1))
        with (folder / "log").open("wb") as log:
            words = [MONITOR, "run", "-c", folder / "monitor.toml"]
            process = subprocess.Popen(words, stderr=log, stdout=log)
        return Run(process, folder / "log", time.monotonic())

    def cold(self, table: Table, rounds: int) -> None:
        took, cpu = defaultdict[str, list[float]](list), []
        for _ in range(rounds):
            run = self.start(0)
            for sign, words in SIGNS.items():
                took[sign].append(run.until(words))
            cpu.append(cpu_of(run.process.pid))
            run.end(signal.SIGTERM)
        for sign, seconds in took.items():
            table.add(f"cold start: until it says {sign}", seconds, "s")
        table.add("cold start: CPU until then", cpu, "s")

    def follows(self, table: Table) -> None:
        leader = self.start(0)
        leader.until("event=published")
        other = self.start(1)
        other.until("event=followed")
        before = cpu_of(other.process.pid)
        time.sleep(FOLLOWED_S)
        share = (cpu_of(other.process.pid) - before) / FOLLOWED_S
        table.add("standby: CPU while it follows", 100 * share, "% of a core")
        for run in (other, leader):
            run.end(signal.SIGTERM)

    def takes_over(self, table: Table, failure: str, rounds: int) -> None:
        followed, lease, cpu = [], [], []
        took = defaultdict[str, list[float]](list)
        for _ in range(rounds):
            with CuttingProxy(self.port) as proxy:
                way = self.url.replace(str(self.port), str(proxy.port))
                leader = self.start(0, way if failure == FAILURES[2] else "")
                leader.until("event=published")
                other = self.start(1)
                followed.append(other.until("event=followed"))
                before, other.since = cpu_of(other.process.pid), time.monotonic()
                if failure == FAILURES[2]:
                    proxy.cut()
                else:
                    leader.process.send_signal(
                        signal.SIGKILL if failure == FAILURES[0] else signal.SIGSTOP
                    )
                lease.append(other.until(TAKES_OVER))
                for sign, words in SIGNS.items():
                    took[sign].append(other.until(words))
                cpu.append(cpu_of(other.process.pid) - before)
                if failure == FAILURES[1]:
                    leader.process.send_signal(signal.SIGCONT)
                leader.process.wait(120)
                other.end(signal.SIGTERM)
        table.add(f"{failure}: until the standby has the lease", lease, "s")
        for sign, seconds in took.items():
            most = TARGET_S if "probe" in sign else None
            table.add(f"{failure}: until it says {sign}", seconds, "s", at_most=most)
        table.add(f"{failure}: its CPU until then", cpu, "s")
        table.add("standby: from its start until it has the history", followed, "s")


def main() -> int:
    checks = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name, upstream() as asked, postgres() as server:
        file, url = Path(name) / "seeded.db", server.fresh()
        keys = [f"bench/e{number}/http" for number in range(checks)]
        fill(file, keys, SystemClock().now(), "http")
        move(f"sqlite:///{file}", url, clock=SystemClock())
        line = 'http = { every = "1m", path = "/v1/models" }'
        configs = [config_of(asked, checks, line) for _ in range(2)]
        bench = Bench(Path(name), configs, url, server.port)
        table = Table(f"Take-over with {checks:,} checks and 90 days of each, {rounds} rounds")
        bench.cold(table, rounds)
        bench.follows(table)
        for failure in FAILURES:
            bench.takes_over(table, failure, rounds)
        return table.print()


if __name__ == "__main__":
    sys.exit(bool(main()))
