"""`monitor once`: every check one time, beside a running daemon if there is one; stores nothing."""

import asyncio
from random import SystemRandom
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli.words import COLOURS, milliseconds
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.model import Check, Habit, Outcome, Redactor, Result
from monitor.model.document import result_document
from monitor.probes import Client, attempt

Answer = tuple[Check, Result]
AT_ONCE = 20
"""Runs side by side: enough to be quick, few enough that they do not slow each other."""


async def ask_all(config: Config) -> list[Answer]:
    client, gate = Client(), asyncio.Semaphore(AT_ONCE)

    async def ask(check: Check) -> Answer:
        async with gate:
            attempted = await attempt(
                check,
                habit=Habit(),
                client=client,
                clock=SystemClock(),
                rng=SystemRandom(),
                vantage=config.vantage,
                redact=Redactor(config.secrets),
            )
        return check, attempted.result

    try:
        return await asyncio.gather(*map(ask, config.checks))
    finally:
        await client.close()


def document(config: Config, answers: list[Answer]) -> dict[str, Any]:
    return {
        "vantage": config.vantage,
        "checks": [result_document(check, result) for check, result in answers],
    }


def exit_code(answers: list[Answer]) -> int:
    return int(any(result.outcome is Outcome.DOWN for _, result in answers))


def table(answers: list[Answer]) -> Table:
    shown = Table("check", "outcome", "ttft", "total", "why", box=None, pad_edge=False)
    for check, result in answers:
        shown.add_row(
            check.key,
            Text(result.outcome.value, style=COLOURS[result.outcome]),
            milliseconds(result.timings.ttft),
            milliseconds(result.timings.total),
            Text(
                f"{result.failure.kind.value}: {result.failure.message}" if result.failure else ""
            ),
        )
    return shown
