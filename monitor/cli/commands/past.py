"""What the store remembers: to look at, to take along, to publish."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import exporting, incidents, looking, recalling, saving, vitals, voice
from monitor.cli.exporting import Format
from monitor.cli.options import (
    AsJson,
    ConfigPath,
    Since,
    Until,
    load,
    number,
    one_of,
    show,
    show_json,
    span,
    when,
)
from monitor.cli.ranges import By, When, fitting
from monitor.clock import SystemClock

A_DAY = When("1d", timedelta(days=1))
NINETY_DAYS = When("90d", timedelta(days=90))


def status(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show what the store knows: every check, open incidents, undelivered messages, spend."""
    loaded = load(path, speaks=False)
    daemon = vitals.look(loaded)
    if daemon and daemon.trouble and not as_json:
        typer.echo(f"The daemon (process {daemon.pid}) is not well: {daemon.trouble}\n")
    snapshot = looking.snapshot(loaded)
    if as_json:
        show_json(looking.document(loaded, snapshot, daemon))
    else:
        for part in looking.tables(loaded, snapshot):
            voice.out().print(part)
        if trouble := looking.trouble_of(looking.carried(loaded)):
            voice.out().print(f"\n{trouble}", markup=False, highlight=False, soft_wrap=True)


def show_history(
    check: Annotated[
        str,
        typer.Argument(metavar="CHECK", help="SERVICE/ENDPOINT/PROBE, as `monitor status` has it."),
    ],
    path: ConfigPath = None,
    since: Since = A_DAY,
    until: Until = None,
    by: Annotated[
        By | None,
        typer.Option(
            parser=one_of(By),
            metavar=" | ".join(By),
            help="Default: what fits the range.",
            show_default=False,
        ),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also what failing runs got: headers, body, events.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="One line a row instead of a table.")
    ] = False,
) -> None:
    """Show one check over a range of time: outcomes, percentiles, failures by kind."""
    if as_json and as_csv:
        raise typer.BadParameter("want --json or --csv, not both", param_hint="'--csv'")
    first, last = span(since, until)
    found = recalling.recall(
        load(path, speaks=False), check, first, last, by or fitting(last - first)
    )
    if as_json:
        show_json(recalling.document(found))
    elif as_csv:
        exporting.write_csv(sys.stdout, found.runs or found.periods, found.by)
    else:
        show(recalling.tables(found, evidence=evidence))


def show_incidents(
    which: Annotated[
        int | None,
        typer.Argument(
            parser=number,
            metavar="N",
            help="The number of one: its timeline.",
            show_default=False,
        ),
    ] = None,
    path: ConfigPath = None,
    since: Since = NINETY_DAYS,
    until: Until = None,
    still: Annotated[bool, typer.Option("--open", help="Only those that go on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what went wrong: open incidents and past ones, or the timeline of one."""
    loaded, now = load(path, speaks=False), SystemClock().now()
    if which is not None:
        found = incidents.one(loaded, which)
        if as_json:
            show_json(incidents.whole(found))
        else:
            show(incidents.timeline(found, now))
        return
    first, last = span(since, until)
    all_found = incidents.listed(loaded, since=first, until=last, still=still)
    if as_json:
        show_json({"incidents": [incidents.whole(each) for each in all_found]})
    elif all_found:
        voice.out().print(incidents.table(all_found, now))
    else:
        typer.echo("No incident goes on." if still else "There was no incident in that time.")


def export_history(
    path: ConfigPath = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            parser=one_of(Format),
            metavar=" | ".join(Format),
            help="CSV, or JSON Lines.",
        ),
    ] = Format.CSV,
    by: Annotated[
        By,
        typer.Option(
            parser=one_of(By),
            metavar=" | ".join(By),
            help="Every run, or hours, days, months or years with percentiles.",
        ),
    ] = By.RUNS,
    check: Annotated[
        str | None, typer.Option(metavar="CHECK", help="Default: all of them.", show_default=False)
    ] = None,
    since: Annotated[
        When | None,
        typer.Option(
            parser=when, metavar="WHEN", help="Default: all there is.", show_default=False
        ),
    ] = None,
    until: Until = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Default: standard output.", show_default=False
        ),
    ] = None,
) -> None:
    """Write what the store remembers as CSV or JSON Lines."""
    now = SystemClock().now()
    if since and until:
        span(since, until)
    wanted = exporting.Wanted(
        by=by,
        check=check,
        since=since.at(now) if since else None,
        until=until.at(now) if until else None,
    )
    loaded = load(path, speaks=False)
    if output is None and sys.stdout.isatty():  # the rows themselves show how it goes
        exporting.export(loaded, wanted, form, output)
        return
    with voice.progress("rows", None) as steps:
        count = exporting.export(loaded, wanted, form, output, steps.done)
    if output:
        typer.echo(f"wrote {output}: {count} rows")


def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="An older copy there is replaced.")],
    path: ConfigPath = None,
) -> None:
    """Copy the store, whole and checked, also while the daemon runs."""
    loaded = load(path, speaks=False)
    with voice.progress("copying", None):
        size = saving.backup(loaded, to)
    typer.echo(f"wrote {to}: {size} bytes, checked")


def render(
    path: ConfigPath = None,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Say on the page that monitoring has stopped.")
    ] = False,
) -> None:
    """Write the page from the store, once."""
    loaded = load(path, speaks=False)
    asyncio.run(looking.render(loaded, stopped=stopped))
    typer.echo(f"wrote {loaded.page.dir}")
