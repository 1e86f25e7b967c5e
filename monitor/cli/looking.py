"""`monitor status`, `validate`'s summary and `render`: reading only, also beside a running daemon."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor import __version__
from monitor.cli import incidents
from monitor.cli.vitals import Vitals
from monitor.cli.words import COLOURS, milliseconds
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.daemon.publish_command import NOTE
from monitor.model import (
    NO_SPEND,
    Check,
    CheckHistory,
    DailyBudget,
    Evidence,
    OutboxMessage,
    Snapshot,
    Spend,
)
from monitor.model.delivery import remedy
from monitor.model.duration import format_duration
from monitor.model.result_json import result_document
from monitor.publisher import Publisher
from monitor.store import Store

SHOWN = 20
"""Incidents in a table; `monitor incidents` has them all."""


def summary(config: Config) -> str:
    endpoints = sum(len(service.endpoints) for service in config.services)
    parts = (
        _count(len(config.services), "service"),
        _count(endpoints, "endpoint"),
        _count(len(config.checks), "check"),
        _count(len(config.channels), "channel"),
    )
    keyless = sorted({check.service for check in config.checks if _lacks_key(check)})
    hint = f' No key for {", ".join(keyless)}: what needs one shows "no key".' if keyless else ""
    return ", ".join(parts) + "." + hint


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lacks_key(check: Check) -> bool:
    return check.endpoint.key is None and getattr(check.probe, "needs_key", False)


def snapshot(config: Config) -> Snapshot:
    """What a daemon has committed so far."""
    reader = Store.read_only(config.store, vantage=config.vantage)
    try:
        return reader.snapshot(SystemClock().now())
    finally:
        reader.close()


def carried(config: Config) -> dict[str, Any] | None:
    """How the publish command went last, where there is one."""
    if config.page.publish is None:
        return None
    reader = Store.read_only(config.store)
    try:
        found: dict[str, Any] | None = json.loads(reader.note(NOTE) or "null")
    finally:
        reader.close()
    return found


class _Still:
    """The store as the publisher wants it, without a daemon behind it."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def snapshot(self, now: datetime) -> Snapshot:  # noqa: ARG002  # one look, now
        return snapshot(self._config)

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        reader = Store.read_only(self._config.store, vantage=self._config.vantage)
        try:
            return reader.evidence(check, at)
        finally:
            reader.close()


async def render(config: Config, *, stopped: bool) -> None:
    publisher = Publisher(
        _Still(config),
        config.services,
        config.checks,
        config.page,
        clock=SystemClock(),
        vantage=config.vantage,
        version=__version__,
        maintenance=config.maintenance,
    )
    await publisher.publish(stopped=stopped)


def tables(config: Config, seen: Snapshot) -> Iterator[Table | str]:
    yield _checks(config, seen)
    if seen.incidents:
        yield ""
        yield incidents.table(seen.incidents[:SHOWN], seen.at)
    if seen.outbox:
        yield ""
        yield _outbox(seen)
    if seen.dead:
        yield ""
        yield _given_up(seen)
    if seen.silences:
        yield ""
        yield _silences(seen)
    if seen.spent_month:
        yield ""
        yield _spent(config, seen)


def trouble_of(run: dict[str, Any] | None) -> str | None:
    """Of the publish command, in a line."""
    if run is None or not run["trouble"]:
        return None
    return f"The page was not carried at {run['at']}: {run['trouble']}"


def _checks(config: Config, seen: Snapshot) -> Table:
    shown = Table(
        "check", "outcome", "asked", "ttft p50", "up, 24 h", "why", box=None, pad_edge=False
    )
    for check in config.checks:
        shown.add_row(check.key, *_cells(seen.checks.get(check.key), seen.at))
    return shown


def _cells(history: CheckHistory | None, now: datetime) -> tuple[str | Text, ...]:
    if history is None or history.latest is None:
        return (Text("never asked", style="dim"), "-", "-", "-", "")
    latest, day = history.latest, history.last_24h
    why = f"{latest.failure.kind.value}: {latest.failure.message}" if latest.failure else ""
    return (
        Text(latest.outcome.value, style=COLOURS[latest.outcome]),
        f"{format_duration(now - latest.at)} ago",
        milliseconds(day.quantile("ttft", 0.5)),
        "-" if day.availability is None else f"{day.availability:.2%}",
        Text(why),
    )


def _outbox(seen: Snapshot) -> Table:
    shown = Table("undelivered", "to", "tries", "why", box=None, pad_edge=False)
    for row in seen.outbox:
        shown.add_row(
            f"{row.what.value} #{row.incident or '-'}",
            row.channel,
            str(row.attempts),
            Text(row.last_error),
        )
    return shown


def _given_up(seen: Snapshot) -> Table:
    """Of the last week: what nobody was told."""
    shown = Table("given up", "to", "since (UTC)", "why", "to do", box=None, pad_edge=False)
    for row in seen.dead[:20]:
        shown.add_row(
            f"{row.what.value} #{row.incident or '-'}",
            row.channel,
            f"{row.created.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            Text(row.last_error),
            remedy(row.last_error),
        )
    return shown


def _silences(seen: Snapshot) -> Table:
    shown = Table("silenced", "until (UTC)", "why", box=None, pad_edge=False)
    for silence in seen.silences:
        until = f"{silence.until.astimezone(UTC):%Y-%m-%d %H:%M}"
        shown.add_row(silence.target, until, Text(silence.why))
    return shown


def _spent(config: Config, seen: Snapshot) -> Table:
    """Days and months are UTC."""
    shown = Table("spent", "today", "this month", "budget", "left today", box=None, pad_edge=False)
    currency = next((price.currency for price in config.prices.values()), "USD")
    for service, month in sorted(seen.spent_month.items()):
        today, budget = seen.spent_today.get(service, NO_SPEND), config.budgets.get(service)
        shown.add_row(
            service,
            _amount(today, currency),
            _amount(month, currency),
            _budget(budget),
            "-" if budget is None else f"{max(0.0, 1 - budget.share(today)):.0%}",
        )
    return shown


def _amount(spent: Spend, currency: str) -> str:
    money = f", {spent.money:.4f} {currency}" if spent.money else ""
    return f"{spent.tokens} tokens{money}"


def _budget(budget: DailyBudget | None) -> str:
    if budget is None:
        return "-"
    if budget.tokens is not None:
        return f"{budget.tokens} tokens"
    return f"{budget.money} {budget.currency}"


def document(config: Config, seen: Snapshot, daemon: Vitals | None) -> dict[str, Any]:
    return {
        "vantage": config.vantage,
        "daemon": daemon and {"pid": daemon.pid, "trouble": daemon.trouble},
        "at": _utc(seen.at),
        "checks": [_check(check, seen.checks.get(check.key)) for check in config.checks],
        "incidents": [incidents.document(incident) for incident in seen.incidents],
        "undelivered": [_message(row) for row in seen.outbox],
        "given_up": [_message(row) for row in seen.dead],
        "silences": [
            {"target": each.target, "since": _utc(each.since), "until": _utc(each.until), "why": each.why}
            for each in seen.silences
        ],
        "publish": carried(config),
        "spent_today": _spend_document(seen.spent_today),
        "spent_month": _spend_document(seen.spent_month),
    }  # fmt: skip


def _message(row: OutboxMessage) -> dict[str, Any]:
    return {
        "channel": row.channel,
        "what": row.what.value,
        "incident": row.incident,
        "created": _utc(row.created),
        "attempts": row.attempts,
        "last_error": row.last_error,
        "remedy": remedy(row.last_error) if row.last_error else None,
    }


def _spend_document(spent: Mapping[str, Spend]) -> dict[str, Any]:
    return {
        service: {"tokens": each.tokens, "money": each.money} for service, each in spent.items()
    }


def _check(check: Check, history: CheckHistory | None) -> dict[str, Any]:
    if history is None or history.latest is None:
        return {"check": check.key, "latest": None}
    return {
        "check": check.key,
        "latest": result_document(check, history.latest),
        "phases": {state.rule: state.phase.value for state in history.states},
        "availability_24h": history.last_24h.availability,
        "excluded_24h": history.last_24h.excluded,
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
