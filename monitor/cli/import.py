"""`monitor import`: write a config from another program's.

It says of each thing that could not be carried over where it stands there, and what to do about it.
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.console import counted, progress, say
from monitor.cli.import_draft import Draft, draft_of
from monitor.cli.import_history import add_history
from monitor.cli.options import load, option
from monitor.cli.whole_file import write_whole
from monitor.config import Secrets
from monitor.imports import KumaDatabase, Plan, open_source, plan, read_sources, toml_text
from monitor.imports.imported import without_secrets
from monitor.model import Check, MonitorError, Redactor, Secret
from monitor.model.secret import printable

_STDOUT = Path("-")


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="What the other program keeps: a backup or kuma.db of Uptime Kuma, YAML of Gatus, blackbox.yml with prometheus.yml, openstatus.yaml.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help='Where to write it; "-" prints it.'),
    ] = Path("monitor.toml"),
    credentials: Annotated[
        Path | None,
        option(
            "FOLDER",
            'Where keys and tokens go, a file each. Default: "credentials" beside the output.',
        ),
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Also add the heartbeats of kuma.db to the store. A config that is there stays as it is, and gets them.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that are there.")
    ] = False,
) -> None:
    """Write a monitor.toml from what another program watches, and say what could not be carried over."""
    to_stdout = output == _STDOUT
    if history and (to_stdout or len(files) != 1 or not open_source(files[0]).is_database):
        raise typer.BadParameter("wants one kuma.db, and a file to write", param_hint="'--history'")
    planned = plan(read_sources(files))
    is_there = not to_stdout and output.exists()
    if is_there and not force and not history:
        raise MonitorError(
            f"{output} is there already and stays as it is; name another with --output, or write over it with --force"
        )
    if force or not is_there:
        names = ", ".join(map(str, files))
        folder = credentials or (None if to_stdout else output.parent / "credentials")
        _write_config(draft_of(planned, output, os.environ), names, output, folder, force=force)
    if history:
        _add_history(files[0], planned, output)


def _write_config(
    draft: Draft, files: str, output: Path, folder: Path | None, *, force: bool
) -> None:
    imported = draft.plan.imported
    text = toml_text(draft.document, imported.program, files, draft.remarks)
    used = {name: value for name, value in imported.secrets.items() if f"${{{name}}}" in text}
    if used and folder is not None:
        _write_credentials(folder, used, force=force)
    if output == _STDOUT:
        sys.stdout.write(text)
        _report(draft, used, folder, None)
    else:
        write_whole(output, text, 0o640)
        _report(draft, used, folder, output)


def _add_history(file: Path, planned: Plan, path: Path) -> None:
    """Add the heartbeats to the store of the configuration at `path`, and say what came of it."""
    loaded = load(path, secrets=Secrets.NONE, known=planned.imported.secrets)
    monitors: dict[str, str] = {}
    for monitor, place in planned.places.items():
        monitors.setdefault("/".join(place), monitor)
    retired = {endpoint.path for endpoint in loaded.endpoints if endpoint.retired}
    for key in sorted(monitors.keys() - {check.key for check in loaded.checks}):
        if key.rpartition("/")[0] in retired:
            say(f"no history: {key} is of a base URL that is retired, and is not asked")
        else:
            say(f"no history: {path} has no check {key}; it was renamed or left out")
    before, now = (
        _addresses(draft_of(planned, path, os.environ).config.checks),
        _addresses(loaded.checks),
    )
    shown = Redactor((*loaded.secrets, *map(Secret, planned.imported.secrets.values())))
    for key in sorted(monitors.keys() & before.keys() & now.keys()):
        if before[key] != now[key]:
            del monitors[key]
            asked, asks = (without_secrets(shown(address)) for address in (before[key], now[key]))
            say(
                f"no history: {key} is of {asks} in {path}, and Uptime Kuma measured {asked}; give a base URL of"
                " another address another id"
            )
    with (
        closing(KumaDatabase(file)) as database,
        progress("heartbeats", database.count_heartbeats()) as advance,
    ):
        added = asyncio.run(add_history(loaded, database, monitors, advance))
    for one in added:
        if not one.has_heartbeats:
            say(f"no history: {file} has no heartbeat of {one.check}")
        elif one.first is None:
            say(f"no history: nothing of {one.check} is older than what the store has")
        else:
            counts = f", and what was counted in {one.hours} hours and {one.days} days"
            counts = counts if one.hours or one.days else ""
            since = f"{one.first:%Y-%m-%d %H:%M} UTC"
            say(f"history: {one.runs} runs of {one.check}{counts}, since {since}")


def _addresses(checks: Iterable[Check]) -> dict[str, str]:
    """Return what each check asks, by its key."""
    return {check.key: check.endpoint.url + getattr(check.probe, "path", "") for check in checks}


def _write_credentials(folder: Path, secrets: Mapping[str, str], *, force: bool) -> None:
    """Write each secret into a file that only we can read. Raises MonitorError, before anything is written over."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, value in secrets.items():
            path = folder / name
            if (
                path.exists()
                and not force
                and path.read_text(encoding="utf-8", errors="replace").strip() != value
            ):
                raise MonitorError(
                    f"{path} is there already and holds something else; name another folder with --credentials, or"
                    " write over it with --force"
                )
        for name, value in secrets.items():
            write_whole(folder / name, f"{value}\n", 0o600, keeps_rights=False)
    except OSError as error:
        raise MonitorError(f"{folder} cannot be written: {error.strerror}") from None


def _report(
    draft: Draft, used: Mapping[str, str], folder: Path | None, output: Path | None
) -> None:
    """Say what was written, line by line what was not, and what comes next; beside a printed file on standard error."""
    services = draft.document["service"].values()
    endpoints = sum(len(table["endpoints"]) for table in services)
    lines = [f"not carried over: {remark}" for remark in draft.remarks]
    if output is not None:
        counts = (
            counted(len(services), "service"),
            counted(endpoints, "base URL"),
            counted(len(draft.document["channel"]), "channel"),
        )
        lines.append(f"wrote {output}: {', '.join(counts)}")
    if used and folder is not None:
        lines += [
            f"wrote {counted(len(used), 'secret')} into {folder}, a file each",
            "  a service has them in /etc/monitor/credentials; in a shell:",
            f"  export CREDENTIALS_DIRECTORY={folder}",
        ]
    elif used:
        lines.append(f"secrets are to be given as {', '.join(sorted(used))}")
    if draft.missing:
        lines.append(
            f"variables that it names and that are not set here: {', '.join(draft.missing)}"
        )
    if output is not None:
        lines += [
            "  monitor validate      # is all of it right?",
            "  monitor once          # everything one time, now",
        ]
        for line in lines:
            say(line)
    else:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
