"""`monitor once`: every check one time, beside a running daemon if there is one; stores nothing."""

import asyncio
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.budget import BudgetLedger
from monitor.cli.words import COLOURS, milliseconds
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.cycle import explained
from monitor.daemon.components import make_path_diagnosis
from monitor.model import Check, Habit, Outcome, Redactor, Result
from monitor.model.result_json import result_document
from monitor.probes import Attempted, Client, attempt

Answer = tuple[Check, Result]
_TO_BE_SURE = 2
AT_ONCE = 20
"""Runs side by side: enough to be quick, few enough that they do not slow each other."""


async def ask_all(config: Config, done: Callable[[], None] = lambda: None) -> list[Answer]:
    client, gate, redact = Client(), asyncio.Semaphore(AT_ONCE), Redactor(config.secrets)
    doctor = make_path_diagnosis(config, SystemClock(), redact)
    ledger = BudgetLedger(config.services, config.budgets, config.prices, {})

    async def ask_once(check: Check, habit: Habit) -> Attempted:
        return await attempt(
            check,
            habit=habit,
            client=client,
            clock=SystemClock(),
            rng=SystemRandom(),
            vantage=config.vantage,
            redact=redact,
        )

    async def ask(check: Check) -> Answer:
        """Once more where one answer proves nothing: a burst, or a wrong answer."""
        async with gate:
            attempted = await ask_once(check, Habit())
            for _ in range(_TO_BE_SURE):
                if _is_suspicion(attempted):
                    attempted = await ask_once(check, attempted.habit)
            attempted = await explained(doctor, check, attempted)
        done()
        return check, ledger.priced(check, attempted.result)

    try:
        return await asyncio.gather(*map(ask, config.checks))
    finally:
        await client.close()
        await doctor.close()


def _is_suspicion(attempted: Attempted) -> bool:
    """Something odd that is no verdict yet; it becomes one, or goes away, within three answers."""
    habit = attempted.habit
    return attempted.result.failure is None and bool(habit.bursts or habit.mismatches)


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
