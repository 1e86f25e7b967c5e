"""Every command and its options; what a command does stands in the file named after its verb."""

import asyncio
import faulthandler
import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__, config, logs
from monitor.alerts.chats import TELEGRAM
from monitor.cli import (
    acking,
    alerting,
    asking,
    demonstration,
    diagnosing,
    exporting,
    failing,
    incidents,
    looking,
    noting,
    places,
    recalling,
    reloading,
    saving,
    silencing,
    starting,
    voice,
)
from monitor.cli.exporting import Format
from monitor.cli.ranges import By, When, fitting, parse_when
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.daemon import Daemon
from monitor.model import MonitorError, Redactor
from monitor.model.duration import parse_duration

app = typer.Typer(
    name="monitor",
    help="Asks every base URL of an LLM service the real questions, and says what broke, why, and which URL to use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local values would show keys
    context_settings={"help_option_names": ["-h", "--help"]},
)
incident = typer.Typer(no_args_is_help=True, help="What people say of an incident.")
app.add_typer(incident, name="incident")
A_DAY = When("1d", timedelta(days=1))
NINETY_DAYS = When("90d", timedelta(days=90))


def _when(text: str | When) -> When:
    try:
        return parse_when(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Default: ./monitor.toml, then /etc/monitor/monitor.toml.",
        show_default=False,
    ),
]
Since = Annotated[
    When,
    typer.Option(
        parser=_when,
        metavar="WHEN",
        help='How long ago ("6h", "30d"), or a moment ("2026-11-23T12:00", in UTC).',
    ),
]
Until = Annotated[
    When | None,
    typer.Option(parser=_when, metavar="WHEN", help="Default: now.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def _load(path: Path | None, *, level: str = "WARNING") -> Config:
    found = config.find(path)
    loaded = config.load(found, places.environment(found, os.environ))
    journal = "JOURNAL_STREAM" in os.environ or "INVOCATION_ID" in os.environ
    logs.set_up(Redactor(loaded.secrets), level=level, journal=journal)
    return loaded


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        typer.echo(f"monitor {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[  # noqa: ARG001  # its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an internal error.")
    ] = False,
) -> None:
    voice.Debug.on = debug


@app.command()
def run(
    path: ConfigPath = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    level = log_level.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise typer.BadParameter(
            f"got {log_level}, want DEBUG, INFO, WARNING or ERROR", param_hint="--log-level"
        )
    loaded = _load(path, level=level)
    env = places.environment(loaded.path, os.environ)
    faulthandler.enable()  # a daemon that hangs is ended with SIGABRT: the log shows where it hung
    asyncio.run(Daemon(loaded, env=env).run())


@app.command()
def once(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Run every check once, now. Exit 1 if one is down."""
    loaded = _load(path)
    with voice.progress("asking", len(loaded.checks)) as steps:
        answers = asyncio.run(asking.ask_all(loaded, steps.done))
    if as_json:
        _print_json(asking.document(loaded, answers))
    else:
        voice.out().print(asking.table(answers))
    raise typer.Exit(asking.exit_code(answers))


@app.command()
def diagnose(
    url: Annotated[str, typer.Argument(help="A base URL; one of the config's is known by it.")],
    path: ConfigPath = None,
    as_json: AsJson = False,
    resolver: Annotated[
        list[str] | None,
        typer.Option(help="Compare DNS with this one too: an https:// URL or an address."),
    ] = None,
) -> None:
    """Where the way to a URL breaks, step by step, and whose fault it is. Exit 1 if it does."""
    loaded = _load(path) if path or any(each.is_file() for each in config.USUAL) else None
    try:
        endpoint = diagnosing.endpoint_of(url, loaded)
        settings = diagnosing.settings_of(loaded, resolver or ())
    except ValueError as error:
        raise typer.BadParameter(diagnosing.complaint(error)) from None
    found = asyncio.run(diagnosing.diagnose(endpoint, settings, loaded))
    if as_json:
        _print_json(diagnosing.document(found))
    else:
        voice.out().print(diagnosing.tree(found))
    raise typer.Exit(0 if found.is_fine else 1)


@app.command()
def validate(path: ConfigPath = None) -> None:
    """Read the config and print every problem. Exit 78 if there is one."""
    loaded = _load(path)
    alerting.check(loaded)
    typer.echo(f"{loaded.path}: good. {looking.summary(loaded)}")


@app.command()
def status(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """What the store knows: every check, open incidents, undelivered messages, spend."""
    loaded = _load(path)
    snapshot = looking.snapshot(loaded)
    if as_json:
        _print_json(looking.document(loaded, snapshot))
    else:
        for part in looking.tables(loaded, snapshot):
            voice.out().print(part)
        if trouble := looking.trouble_of(looking.carried(loaded)):
            voice.out().print(f"\n{trouble}", markup=False, highlight=False, soft_wrap=True)


@app.command("history")
def show_history(
    check: Annotated[
        str, typer.Argument(help="SERVICE/ENDPOINT/PROBE, as `monitor status` has it.")
    ],
    path: ConfigPath = None,
    since: Since = A_DAY,
    until: Until = None,
    by: Annotated[
        By | None, typer.Option(help="Default: what fits the range.", show_default=False)
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also what failing runs got: headers, body, events.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="One line a row instead of a table.")
    ] = False,
) -> None:
    """One check over a range of time: outcomes, percentiles, failures by kind."""
    if as_json and as_csv:
        raise typer.BadParameter("is one too many beside --json", param_hint="--csv")
    first, last = _span(since, until)
    found = recalling.recall(_load(path), check, first, last, by or fitting(last - first))
    if as_json:
        _print_json(recalling.document(found))
    elif as_csv:
        exporting.write_csv(sys.stdout, found.runs or found.periods, found.by)
    else:
        _print(recalling.tables(found, evidence=evidence))


@app.command("incidents")
def show_incidents(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", help="One of them, as a timeline.", show_default=False),
    ] = None,
    path: ConfigPath = None,
    since: Since = NINETY_DAYS,
    until: Until = None,
    still: Annotated[bool, typer.Option("--open", help="Only those that go on.")] = False,
    as_json: AsJson = False,
) -> None:
    """What went wrong: open incidents and past ones, or the timeline of one."""
    loaded, now = _load(path), SystemClock().now()
    if number is not None:
        found = incidents.one(loaded, number)
        if as_json:
            _print_json(incidents.whole(found))
        else:
            _print(incidents.timeline(found, now))
        return
    first, last = _span(since, until)
    all_found = incidents.listed(loaded, since=first, until=last, still=still)
    if as_json:
        _print_json({"incidents": [incidents.whole(each) for each in all_found]})
    elif all_found:
        voice.out().print(incidents.table(all_found, now))
    else:
        typer.echo("No incident goes on." if still else "There was no incident in that time.")


@app.command("export")
def export_history(
    path: ConfigPath = None,
    form: Annotated[Format, typer.Option("--format", help="CSV, or JSON Lines.")] = Format.CSV,
    by: Annotated[By, typer.Option(help="Every run, or hours or days with percentiles.")] = By.RUNS,
    check: Annotated[
        str | None, typer.Option(help="Default: all of them.", show_default=False)
    ] = None,
    since: Annotated[
        When | None,
        typer.Option(
            parser=_when, metavar="WHEN", help="Default: all there is.", show_default=False
        ),
    ] = None,
    until: Until = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: standard output.", show_default=False),
    ] = None,
) -> None:
    """Write what the store remembers as CSV or JSON Lines."""
    now = SystemClock().now()
    wanted = exporting.Wanted(
        by=by,
        check=check,
        since=since.at(now) if since else None,
        until=until.at(now) if until else None,
    )
    count = exporting.export(_load(path), wanted, form, output)
    if output:
        typer.echo(f"wrote {output}: {count} rows")


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="An older copy there is replaced.")],
    path: ConfigPath = None,
) -> None:
    """Copy the store, whole and checked, also while the daemon runs."""
    size = saving.backup(_load(path), to)
    typer.echo(f"wrote {to}: {size} bytes, checked")


@app.command()
def render(
    path: ConfigPath = None,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Say on the page that monitoring has stopped.")
    ] = False,
) -> None:
    """Write the page from the store, once."""
    loaded = _load(path)
    asyncio.run(looking.render(loaded, stopped=stopped))
    typer.echo(f"wrote {loaded.page.dir}")


@app.command("reload")
def ask_to_reload(path: ConfigPath = None) -> None:
    """Ask the running daemon to read its config again. Exit 78 if it refuses."""
    typer.echo(f"reloaded: {reloading.reload(_load(path))}")


@app.command()
def silence(
    target: Annotated[
        str, typer.Argument(help='"all", SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE.')
    ],
    lasts: Annotated[str, typer.Option("--for", help='For so long, e.g. "2h".')] = "2h",
    why: Annotated[str, typer.Option(help="Kept with what is muted.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    path: ConfigPath = None,
) -> None:
    """Tell nobody of a check, endpoint or service for a while. What is still bad then is told."""
    loaded = _load(path)
    try:
        duration = timedelta(0) if end else parse_duration(lasts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    typer.echo(silencing.silence(loaded, target, duration, why, SystemClock().now()))


@app.command()
def ack(
    number: Annotated[int, typer.Argument(help="The number of the incident, without #.")],
    why: Annotated[str, typer.Option(help="Kept in its timeline.")] = "",
    path: ConfigPath = None,
) -> None:
    """Somebody knows of an incident: no more reminders. Its end is told."""
    typer.echo(acking.ack(_load(path), number, why, SystemClock().now()))


@incident.command("note")
def note_incident(
    number: Annotated[int, typer.Argument(help="The number of the incident, without #.")],
    text: Annotated[str, typer.Argument(help="What everybody may read.")],
    path: ConfigPath = None,
) -> None:
    """Write something into an incident's timeline, and onto its page."""
    typer.echo(noting.note(_load(path), number, text, SystemClock().now()))


@app.command("test-alert")
def send_test(path: ConfigPath = None) -> None:
    """Send one test message to every channel, and say which failed and why."""
    loaded = _load(path)
    failed = asyncio.run(alerting.test_every_channel(loaded, typer.echo))
    raise typer.Exit(1 if failed else 0)


@app.command("report-failure")
def report_failure(path: ConfigPath = None) -> None:
    """Tell every channel that the service has ended for good; systemd starts this."""
    found = config.find(path)
    failed = failing.report(found, places.environment(found, os.environ), typer.echo)
    raise typer.Exit(1 if failed else 0)


@app.command("init")
def write_first_config(
    path: Annotated[
        Path, typer.Option("--config", "-c", help="Where to write it; never over a file.")
    ] = Path("monitor.toml"),
    url: Annotated[
        list[str] | None,
        typer.Option(
            help="A base URL; may be repeated. Without any, questions are asked.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the service.", show_default=False)] = "",
    key: Annotated[
        str, typer.Option(help="Name of the variable that holds the key.", show_default=False)
    ] = "",
    model: Annotated[str, typer.Option(help="Model to ask.", show_default=False)] = "",
    telegram: Annotated[
        bool,
        typer.Option(
            "--telegram", help="Alert the chat that the bot of $TELEGRAM_TOKEN heard from last."
        ),
    ] = False,
    chat: Annotated[
        int | None, typer.Option(help="Alert this Telegram chat.", show_default=False)
    ] = None,
    telegram_api: Annotated[str, typer.Option(help="An own Bot API server.")] = TELEGRAM,
) -> None:
    """Ask a few questions and write a first monitor.toml."""
    if path.exists():
        raise MonitorError(
            f"{path} is there already and stays as it is; move it away, or name another with --config"
        )
    if url:
        if telegram and chat is None:
            chat = starting.heard_from(telegram_api)
        answers = starting.Answers(
            urls=tuple(url), name=name, key=key, model=model, chat=chat, telegram_api=telegram_api
        )
    elif sys.stdin.isatty():
        answers = starting.ask(telegram_api)
    else:
        raise typer.BadParameter("want at least one where nobody can be asked", param_hint="--url")
    starting.write(path, answers)
    typer.echo(starting.next_steps(path, answers))


@app.command()
def schema() -> None:
    """Print the JSON Schema of monitor.toml."""
    _print_json(config.schema())


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Where the page is served on 127.0.0.1.")] = 8080,
    seconds: Annotated[
        float | None, typer.Option(help="Stop by itself after so long.", show_default=False)
    ] = None,
) -> None:
    """Run the whole product against a bundled simulated service: no network, no key."""
    demonstration.run(port=port, seconds=seconds)


def _span(since: When, until: When | None) -> tuple[datetime, datetime]:
    now = SystemClock().now()
    first, last = since.at(now), until.at(now) if until else now
    if first >= last:
        raise typer.BadParameter("is not before --until", param_hint="--since")
    return first, last


def _print(parts: Iterable[object]) -> None:
    for part in parts:
        voice.out().print(part, highlight=False)


def _print_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
