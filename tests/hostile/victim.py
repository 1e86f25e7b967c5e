"""The monitor's side: one behaviour at a time, each in a fresh fork, so that its memory is its own.

    python victim.py  <  one JSON object a line  >  one pickled `Felt` in base64 a line

Beside the check under attack another check asks a healthy neighbour, over the same client.
"""

import asyncio
import base64
import gc
import json
import logging
import os
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("hostile", "probes", ".")]

from behaviour import KEY, Behaviour, Felt  # noqa: E402
from rows import BY_NAME  # noqa: E402
from run_check import run_check  # noqa: E402

from monitor import logs  # noqa: E402
from monitor.model import Check, Endpoint, Habit, Redactor, Secret  # noqa: E402
from monitor.probes import PROBES  # noqa: E402
from monitor.probes.attempt import Attempted  # noqa: E402
from monitor.probes.wire.client import Client  # noqa: E402
from monitor.probes.wire.resolver import system_resolve  # noqa: E402

log = logging.getLogger(__name__)

_TICK_S = 0.01
_QUEUE = Path("/proc/thread-self/schedstat")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def check_of(row: Behaviour, order: Mapping[str, Any]) -> Check:
    endpoint = Endpoint(
        id="e",
        service="s",
        url=order["url"],
        name="E",
        key=Secret(KEY),
        ca_file=Path(order["ca_file"]) if order["ca_file"] else None,
    )
    return Check(
        service="s", endpoint=endpoint, probe=PROBES[row.probe](**row.settings), model="model-x"
    )


def neighbour_of(url: str) -> Check:
    endpoint = Endpoint(id="neighbour", service="s", url=url, name="N")
    return Check(service="s", endpoint=endpoint, probe=PROBES["http"](contains="I am well"))


async def suffer(order: Mapping[str, Any]) -> Felt:
    row = BY_NAME[order["name"]]
    meter = asyncio.create_task(_meter())
    elsewhere: set[str] = set()
    _watch_connects(elsewhere)
    neighbour: dict[str, int] = {}
    async with Client(row.resolve or system_resolve) as client:
        beside = asyncio.create_task(_visit(neighbour_of(order["neighbour"]), client, neighbour))
        memory = _rise_from()
        began = time.monotonic()
        found = await _attempt(check_of(row, order), row.habit, client)
        took = time.monotonic() - began
        log.debug("event=hostile name=%s key=%s found=%r", order["name"], KEY, found)
        risen = _mb("VmHWM") - memory
        while sum(neighbour.values()) < 2:
            await asyncio.sleep(_TICK_S)
        beside.cancel()
    meter.cancel()
    stall = (await asyncio.gather(meter, return_exceptions=True), _worst[0])[1]
    allowed = {order["address"], order["neighbour"].rpartition("/")[2]}
    return Felt(found, took, risen, stall, neighbour, tuple(sorted(elsewhere - allowed)))


async def _attempt(check: Check, habit: Habit, client: Client) -> Attempted:
    return await run_check(check, client, habit=habit, redact=Redactor([Secret(KEY)]))


async def _visit(check: Check, client: Client, seen: dict[str, int]) -> None:
    while True:
        outcome = (await _attempt(check, Habit(), client)).result.outcome.value
        seen[outcome] = seen.get(outcome, 0) + 1
        await asyncio.sleep(0.05)


_worst = [0.0]


async def _meter() -> None:
    while True:
        before, waited = time.monotonic(), _waited_s()
        await asyncio.sleep(_TICK_S)
        late = time.monotonic() - before - _TICK_S - (_waited_s() - waited)
        _worst[0] = max(_worst[0], late * 1000)


def _waited_s() -> float:
    """How long this thread stood in the queue for a processor: no fault of its own."""
    return int(_QUEUE.read_text().split()[1]) / 1e9


def _watch_connects(seen: set[str]) -> None:
    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple):
            seen.add(f"{args[1][0]}:{args[1][1]}")

    sys.addaudithook(hook)


def _rise_from() -> float:
    """Forgets the peak so far; the resident memory now, in MB."""
    gc.collect()
    _CLEAR.write_text("5")
    return _mb("VmRSS")


def _mb(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def log_to(path: str) -> None:
    """As the daemon logs, at DEBUG; what nobody catches is printed there too."""
    to = Path(path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  # for as long as we live
    logs.set_up(Redactor([Secret(KEY)]), level="DEBUG", to=to)
    os.dup2(to.fileno(), sys.stderr.fileno())


def main() -> None:
    if path := os.environ.get("HOSTILE_LOG"):
        log_to(path)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            felt = asyncio.run(suffer(json.loads(line)))
            sys.stdout.write(base64.b64encode(pickle.dumps(felt)).decode() + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.stdout.write("\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
