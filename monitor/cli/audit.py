"""`monitor audit`: ask everything once, before you pay.

It wants no configuration and stores nothing. What it asks is announced before anything is asked.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from monitor import logs
from monitor.cli import identity_compare
from monitor.cli.audit_html import page
from monitor.cli.audit_plan import AuditStep, expected, planned
from monitor.cli.audit_report import WORDS, document, parts
from monitor.cli.audit_run import Audit, AuditRun, StepResult
from monitor.cli.console import plain_table, show, show_json, stderr
from monitor.cli.identity_record import endpoint_at
from monitor.cli.options import CaFile, Yes, agree_to_spend, check_new_file, key_in, option
from monitor.cli.whole_file import write_whole
from monitor.clock import SystemClock
from monitor.diagnosis import DiagnosisSettings
from monitor.diagnosis.path_diagnosis import PathDiagnosis
from monitor.model import Endpoint, MonitorError, Redactor, Secret
from monitor.probes.answer.identity_reference import IdentityReference
from monitor.probes.wire.client import Client


def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The base URL of an API.")],
    key_env: Annotated[
        str,
        option(
            "NAME",
            "The variable of the environment that holds the key. Default: it is asked for, unseen.",
        ),
    ] = "",
    model: Annotated[
        str, option("M", "The model to ask for. Default: one that the base URL lists.")
    ] = "",
    alias: Annotated[
        list[str] | None,
        option("NAME", "Another name under which the model may answer, with *; may be repeated."),
    ] = None,
    reference: Annotated[
        Path | None,
        option("FILE", "Compare one-word answers with this file of `monitor identity record`."),
    ] = None,
    ca_file: CaFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document instead of a report.")
    ] = False,
    html: Annotated[
        Path | None,
        option("FILE", "Write the report as one HTML file too, with nothing secret in it."),
    ] = None,
    with_balance: Annotated[
        bool, typer.Option("--with-balance", help="Put the balance into the JSON document too.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Ask a base URL everything once, and say what works, what does not, and whose fault it is. About 7,500 tokens.

    Exit 1 if something is wrong.
    """
    if with_balance and not as_json:
        raise typer.BadParameter("wants --json", param_hint="'--with-balance'")
    endpoint = endpoint_at(url, _key(key_env), ca_file)
    known = identity_compare.read(reference) if reference else None
    if html is not None:
        check_new_file(html)
    steps = planned(model, alias or ())
    console = stderr()
    for part in announcement(endpoint, model, steps):
        console.print(part, highlight=False, soft_wrap=True)
    agree_to_spend(yes=yes)

    def tell(step: StepResult) -> None:
        console.print(Text(progress_line(step)), highlight=False, soft_wrap=True)

    audit = asyncio.run(_run(endpoint, model, steps, known, tell))
    if as_json:
        show_json(document(audit, with_balance=with_balance))
    else:
        show(parts(audit))
    if html is not None:
        write_whole(html, page(audit))
    raise typer.Exit(int(not audit.is_well))


def _key(key_env: str) -> Secret:
    """Return the key, from the environment or from a person who types it unseen: never from an argument."""
    if key_env:
        return key_in(key_env)
    if not sys.stdin.isatty():
        raise MonitorError("name the variable that holds the key: --key-env NAME")
    typed: str = typer.prompt("Key (not shown)", hide_input=True, err=True).strip()
    if not typed:
        raise MonitorError("without a key there is nothing to audit")
    return Secret(typed)


def announcement(endpoint: Endpoint, model: str, steps: list[AuditStep]) -> Iterator[object]:
    """Yield what will be asked, and what it costs where every API is spoken and no answer is in doubt."""
    cost = expected(steps)
    table = plain_table("what", "requests", "tokens")
    for step in steps:
        table.add_row(
            step.name,
            str(max(step.cost.questions, 1)),
            f"{step.cost.tokens:,}" if step.cost.tokens else "free",
        )
    yield table
    yield Text(
        f"This is asked of {model or 'a model that it lists'} at {endpoint.url}: about {cost.questions} requests and"
        f" {cost.tokens:,} tokens, less where it does not speak every API. What an answer leaves in doubt is asked"
        " again, twice at most; a model that thinks costs more."
    )


def progress_line(step: StepResult) -> str:
    time = f"{step.took_s:6.1f} s" if step.runs else "       -"
    return f"{time}  {step.step.name}: {WORDS[step.finding]}"


async def _run(
    endpoint: Endpoint,
    model: str,
    steps: list[AuditStep],
    known: IdentityReference | None,
    tell: Callable[[StepResult], None],
) -> Audit:
    redact = Redactor([endpoint.key] if endpoint.key else [])
    logs.set_up(redact, level="WARNING", journal=False)
    clock = SystemClock()
    doctor = PathDiagnosis(DiagnosisSettings(), [endpoint], clock=clock, redact=redact)
    try:
        async with Client() as client:
            run = AuditRun(
                endpoint=endpoint,
                model=model,
                steps=steps,
                client=client,
                clock=clock,
                explain=doctor,
                redact=redact,
                reference=known,
                on_step=tell,
            )
            return await run.run()
    finally:
        await doctor.close()
