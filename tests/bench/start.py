"""From `exec` to the first answer of an endpoint, with an empty store.

python tests/bench/start.py [ROUNDS] [CHECKS]
"""

import sys
import time
from pathlib import Path

from harness import Table, cpu_of
from rig import Daemon, daemon, upstream

TARGET_S = 2.0
PATIENCE_S = 60.0


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    checks = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    ready, first, all_of_them, cpu = [], [], [], []
    with upstream() as asked:
        for _ in range(rounds):
            with daemon(asked, checks, 'http = { every = "1m", path = "/v1/models" }') as running:
                ready.append(until(running, "event=started", 1))
                first.append(until(running, "event=run ", 1))
                cpu.append(cpu_of(running.pid))
                all_of_them.append(until(running, "event=run ", checks))
                running.stop()
    table = Table(f"Start with {checks:,} checks, {rounds} starts")
    table.add("until the daemon says that it has started", ready, "s")
    table.add("until the first probe has its answer", first, "s", at_most=TARGET_S)
    table.add("CPU until then", cpu, "s")
    table.add("until each check has run (they are spread over 10 s)", all_of_them, "s")
    return table.print()


def until(running: Daemon, words: str, times: int) -> float:
    """Seconds since the process began."""
    while Path(running.log).read_text().count(words) < times:
        passed = time.monotonic() - running.born
        if passed > PATIENCE_S or running.process.poll() is not None:
            raise SystemExit(
                f"no {words!r} after {passed:.0f} s:\n{running.log.read_text()[-2000:]}"
            )
        time.sleep(0.01)
    return time.monotonic() - running.born


if __name__ == "__main__":
    sys.exit(bool(main()))
