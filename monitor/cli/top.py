"""`monitor top`: watch checks, incidents and spend live.

It reads the store of a running daemon and asks it whether it is well, as `monitor status` does.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor.cli import incidents, status
from monitor.cli.agent_states import agent_states
from monitor.cli.console import SafeConsole, counted, milliseconds, plain_table, stdout
from monitor.cli.daemon_health import DaemonHealth, daemon_health
from monitor.cli.options import ConfigPath, load
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import Incident, Outcome, Snapshot, StoreError, Vantage
from monitor.model.duration import format_duration
from monitor.model.vantage import AgentState
from monitor.store import Reader, Store

_BEAT_S = 1.0
_SHARE = 0.05
"""A store that takes long to read is read as seldom, so that it takes no more of the time."""
_HEALTH_S = 10.0
"""The daemon is asked so often whether it is well."""
_WORST_FIRST = (Outcome.DOWN, Outcome.DEGRADED, Outcome.UNKNOWN, None, Outcome.UP)
_FEWEST_ROWS = 3
_WIDEST_NAME = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All that one frame shows."""

    config: Config
    snapshot: Snapshot
    daemon: DaemonHealth | None
    last_write: datetime | None
    agents: dict[str, AgentState]
    trouble: str = ""
    """Why the store could not be read since, where that is so."""


def command(
    path: ConfigPath = None,
    once: Annotated[bool, typer.Option("--once", help="One picture, as in a pipe.")] = False,
) -> None:
    """Watch what a running daemon does: checks, the worst first, open incidents, spend, lag. Ctrl-C ends it."""
    loaded = load(path, secrets=Secrets.NONE)
    with closing(Store.read_only(loaded.store, vantage=loaded.vantage)) as reader:
        if once or not sys.stdout.isatty():
            stdout().print(frame(look(loaded, reader, daemon_health(loaded)), SystemClock().now()))
        else:
            _watch(loaded, reader)


def _watch(config: Config, reader: Reader) -> None:
    """Show a frame each second until somebody ends it; the terminal is then as it was."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = SafeConsole()
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for shown in _looks(config, reader):
                now = SystemClock().now()
                live.update(frame(shown, now, height=console.height), refresh=True)
                time.sleep(_BEAT_S)
    except KeyboardInterrupt:
        return


def _looks(config: Config, reader: Reader) -> Iterator[Look]:
    """Yield what is known, read anew when it is time to; while the store cannot be read, what was known last."""
    clock = SystemClock()
    health_at = read_at = -_HEALTH_S
    took_s, daemon = 0.0, None
    last: Look | None = None
    while True:
        began = clock.monotonic()
        if began - health_at >= _HEALTH_S:
            daemon, health_at = daemon_health(config), began
        if last is None or began - read_at >= took_s / _SHARE:
            read_at = began
            try:
                last = look(config, reader, daemon)
            except StoreError as error:
                if last is None:
                    raise
                last = replace(last, daemon=daemon, trouble=str(error))
            took_s = clock.monotonic() - began
        yield last


def look(config: Config, reader: Reader, daemon: DaemonHealth | None) -> Look:
    """Read what a frame shows. Raises StoreError."""
    return Look(
        config=config,
        snapshot=reader.snapshot(SystemClock().now(), whole=False),
        daemon=daemon,
        last_write=reader.last_seen(),
        agents=dict(agent_states(config)),
    )


def frame(shown: Look, now: datetime, *, height: int | None = None) -> Group:
    """Draw a frame of at most `height` lines; without a height all there is."""
    bad = [incident for incident in shown.snapshot.incidents if incident.closed is None]
    below: list[RenderableType] = []
    most = len(bad) if height is None else max(1, height // 6)
    if bad:
        below += ["", _fitting(_incidents(shown, bad[:most], now), height)]
        if len(bad) > most:
            below.append(
                Text(f"… and {counted(len(bad) - most, 'more open incident')}", style="dim")
            )
    spend = status.spend_table(shown.config, shown.snapshot)
    if spend.row_count:
        below += ["", _fitting(spend, height)]
    head = [*_head(shown, now)]
    lines = (
        len(head) + 1 + sum(part.row_count + 1 if isinstance(part, Table) else 1 for part in below)
    )
    rows = None if height is None else max(_FEWEST_ROWS, height - lines - 2)
    return Group(*head, "", *_checks(shown, now, rows), *below)


def _head(shown: Look, now: datetime) -> Iterator[Text]:
    """Say whether a daemon runs, how checks do in numbers, how late it is, and what places are heard."""
    daemon = "No daemon runs; this is what the last one stored."
    if shown.daemon:
        daemon = status.daemon_line(shown.daemon, now)
    yield _line(f"{now:%H:%M:%S} UTC", daemon, style="bold")
    latest = [history.latest for history in shown.snapshot.checks.values() if history.latest]
    outcomes = Counter(result.outcome for result in latest)
    counts = ", ".join(f"{outcomes[each]} {each.value}" for each in Outcome if outcomes[each])
    late = max((result.late_ms for result in latest), default=None)
    written = "-" if shown.last_write is None else f"{_age(now, shown.last_write)} ago"
    yield _line(
        f"{counted(len(shown.config.checks), 'check')}: {counts or 'none asked yet'}",
        f"newest runs at most {milliseconds(late)} late",
        f"last write {written}",
    )
    if shown.trouble:
        age = _age(now, shown.snapshot.at)
        yield Text(f"This is {age} old: {shown.trouble}", style="bold red", no_wrap=True)
    if shown.config.vantages:
        places = (_place(vantage, shown.agents, now) for vantage in shown.config.vantages)
        yield _line("places", *places)


def _line(*parts: str, style: str = "") -> Text:
    return Text("  ".join(parts), style=style, no_wrap=True, overflow="ellipsis")


def _place(vantage: Vantage, agents: dict[str, AgentState], now: datetime) -> str:
    state = agents.get(vantage.id)
    if state is None:
        return f"{vantage.id} never heard"
    return f"{vantage.id} {'blind' if state.blind else 'heard'} {_age(now, state.heard)} ago"


def _age(now: datetime, at: datetime) -> str:
    return format_duration(max(timedelta(0), now - at))


def _checks(shown: Look, now: datetime, most: int | None) -> Iterator[RenderableType]:
    """Yield the checks, the worst first, and how many do not fit."""
    histories = shown.snapshot.checks

    def badness(key: str) -> tuple[int, str]:
        history = histories.get(key)
        latest = history.latest if history else None
        return _WORST_FIRST.index(latest.outcome if latest else None), key

    keys = sorted((check.key for check in shown.config.checks), key=badness)
    rows = plain_table(*status.CHECK_COLUMNS)
    for key in keys[:most]:
        rows.add_row(key, *status.cells(histories.get(key), now))
    yield _fitting(rows, most)
    if most is not None and len(keys) > most:
        yield Text(f"… and {counted(len(keys) - most, 'more check')}", style="dim")


def _incidents(shown: Look, bad: list[Incident], now: datetime) -> Table:
    until = min(now, shown.last_write) if shown.last_write else now
    snapshot = replace(shown.snapshot, agents=shown.agents)
    return incidents.table(bad, until, incidents.gaps_of(shown.config, bad, snapshot))


def _fitting(table: Table, height: int | None) -> Table:
    """Give each row of a screen one line, for which the last column gives way first; elsewhere nothing is cut."""
    if height is None:
        return table
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
        column.max_width = _WIDEST_NAME
    last = table.columns[-1]
    last.ratio, last.max_width = 1, None
    table.expand = True
    return table
