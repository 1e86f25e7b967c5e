"""`monitor check`: have the daemon run a check now.

It ends the pause that a check makes while its account is refused or its server is busy, and shows
what came of the run.
"""

import time
from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated

import typer

from monitor.cli.console import result_table, stdout
from monitor.cli.options import ConfigPath, load, one_check
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import Check, MonitorError, OperatorRequest, Outcome, RequestKind, Result
from monitor.store import Store

PICKUP = timedelta(seconds=20)
"""How long the daemon may take to see a request, beside the time that the run itself may take."""
_POLL_S = 0.2


def command(
    check: Annotated[
        str,
        typer.Argument(metavar="CHECK", help="SERVICE/ENDPOINT/PROBE, as `monitor status` has it."),
    ],
    path: ConfigPath = None,
) -> None:
    """Have the running daemon run one check now, also while it pauses. Exit 1 if it is down."""
    loaded = load(path, secrets=Secrets.NONE)
    wanted = one_check(loaded, check)
    if Store.holder(loaded.store) is None:
        raise MonitorError(
            f"no daemon runs; start one with `monitor run`, or try `monitor once {check}`"
        )
    now = SystemClock().now()
    request = OperatorRequest(at=now, what=RequestKind.CHECK, target=wanted.key)
    Store.request(loaded.store, request)
    result = wait_for_result(loaded, wanted, now)
    stdout().print(result_table([(wanted, result)]))
    raise typer.Exit(int(result.outcome is Outcome.DOWN))


def wait_for_result(config: Config, check: Check, since: datetime) -> Result:
    """Return the first run that began after `since`. Raises MonitorError where none comes."""
    patience = (check.probe.timeout * 2 + PICKUP).total_seconds()
    deadline = time.monotonic() + patience
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        while time.monotonic() < deadline:
            result = next(iter(reader.each_result(check.key, since=since)), None)
            if result is not None:
                return result
            time.sleep(_POLL_S)
    raise MonitorError(
        f"the daemon did not run {check.key} within {patience:.0f} s; its log says why"
    )
