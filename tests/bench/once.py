"""How true the timings of `monitor once` are with many checks: each is answered 150 ms after its request.

    python tests/bench/once.py [ROUNDS] [CHECKS]

The time to the first byte begins before the look-up, the connection and TLS, which are truly a part of it.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import Table, quantile
from rig import MONITOR, config_of, upstream

WAIT_MS = 150
MOST_MS = 171.0
PHASES = ("dns", "connect", "tls")


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    checks = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    took_s: list[float] = []
    first_byte_ms: list[list[float]] = []
    alone_ms: list[list[float]] = []
    with upstream() as asked, tempfile.TemporaryDirectory() as name:
        config = Path(name) / "monitor.toml"
        config.write_text(config_of(asked, checks, f'http = {{ path = "/{WAIT_MS}ms/" }}'))
        for _ in range(rounds):
            began = time.monotonic()
            timings = once(config)
            took_s.append(time.monotonic() - began)
            first_byte_ms.append([timing["ttfb"] for timing in timings])
            alone_ms.append([timing["ttfb"] - sum(map(timing.get, PHASES)) for timing in timings])
    table = Table(f"`monitor once`: {checks} checks, answered after {WAIT_MS} ms, {rounds} rounds")
    for what, by_round, target in (
        ("first byte", first_byte_ms, MOST_MS),
        ("first byte after the TLS handshake", alone_ms, None),
    ):
        for name, q in (("least", 0), ("p50", 0.5), ("p99", 0.99), ("worst", 1)):
            table.add(
                f"{what}, {name}",
                quantile([ms for values in by_round for ms in values], q),
                "ms",
                at_most=target if name == "p99" else None,
                of_rounds=[quantile(values, q) for values in by_round],
            )
    table.add("until all have run", took_s, "s")
    return table.print()


def once(config: Path) -> list[dict[str, float]]:
    """The timings of each run, in milliseconds; all must be up."""
    command = [MONITOR, "once", "--json", "-c", config]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [check["timings_ms"] for check in json.loads(done.stdout)["checks"]]


if __name__ == "__main__":
    sys.exit(bool(main()))
