"""`monitor once`: run checks once, now.

It works beside a running daemon, and stores nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from random import SystemRandom
from typing import Annotated, Any

import typer

from monitor.alerts import certificate_days
from monitor.budget import BudgetLedger
from monitor.cli.console import progress, result_table, show_json, stdout
from monitor.cli.options import AsJson, ConfigPath, load, matching_checks
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.cycle import with_explanation, with_listed
from monitor.daemon.components import make_path_diagnosis
from monitor.model import Check, Habit, Outcome, Redactor, Result
from monitor.model.result_json import result_document
from monitor.probes import Attempted, attempt
from monitor.probes.wire.client import Client

Answer = tuple[Check, Result]
MAX_REPEATS = 2
_AT_ONCE = 20
"""Runs side by side: enough to be quick, few enough that they do not slow each other."""
_APART_S = 0.01
"""Between the first starts: their handshakes, at one moment, would wait for each other."""


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE. Default: every check.",
            show_default=False,
        ),
    ] = None,
    path: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Run every check once, now, or those of some services and endpoints. Exit 1 if one is down."""
    loaded = load(path, secrets=Secrets.ENDPOINTS)
    checks = loaded.checks
    if targets:
        named = {check.key for target in targets for check in matching_checks(loaded, target)}
        checks = tuple(check for check in checks if check.key in named)
    with progress("asking", len(checks)) as advance:
        answers = asyncio.run(ask_all(loaded, checks, lambda: advance(1)))
    if as_json:
        show_json(document(loaded, answers))
    else:
        stdout().print(result_table(answers))
    raise typer.Exit(int(any(result.outcome is Outcome.DOWN for _, result in answers)))


async def ask_all(
    config: Config, checks: Iterable[Check], done: Callable[[], None] = lambda: None
) -> list[Answer]:
    client, gate, redact = Client(), asyncio.Semaphore(_AT_ONCE), Redactor(config.secrets)
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
            cert_days=certificate_days(config.alerts),
        )

    async def ask(check: Check, place: int) -> Attempted:
        """Repeat where one answer proves nothing: a burst, or a wrong answer."""
        async with gate:
            if place < _AT_ONCE:
                await asyncio.sleep(place * _APART_S)
            attempted = await ask_once(check, Habit())
            for _ in range(MAX_REPEATS):
                if is_suspicion(attempted):
                    attempted = await ask_once(check, attempted.habit)
            attempted = await with_explanation(doctor, check, attempted)
        done()
        return attempted

    asked = list(checks)
    try:
        runs = await asyncio.gather(*map(ask, asked, count()))
    finally:
        await client.close()
        await doctor.close()
    lists: defaultdict[str, list[Habit]] = defaultdict(list)
    for check, run in zip(asked, runs, strict=True):
        lists[check.endpoint.path].append(run.habit)
    told = (
        (check, with_listed(check, run, lists[check.endpoint.path]).result)
        for check, run in zip(asked, runs, strict=True)
    )
    return [(check, ledger.priced(check, result)) for check, result in told]


def is_suspicion(attempted: Attempted) -> bool:
    """Say whether something odd was seen that is no verdict yet; within three answers it is, or is gone."""
    habit = attempted.habit
    return attempted.result.failure is None and bool(habit.bursts or habit.mismatches)


def document(config: Config, answers: list[Answer]) -> dict[str, Any]:
    return {
        "vantage": config.vantage,
        "checks": [result_document(check, result) for check, result in answers],
    }
