"""`monitor export`: write the history as CSV or JSON Lines.

It needs bounded memory, whatever the range.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from monitor.cli.console import json_text, progress, say
from monitor.cli.history import require_known_check, require_known_vantage
from monitor.cli.history_rows import Row, period_row, result_row, write_csv
from monitor.cli.options import ConfigPath, Until, load, one_of, option, time_argument, time_range
from monitor.cli.time_range import Granularity, TimeArgument
from monitor.cli.whole_file import written_whole
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import Result
from monitor.store import Reader, Store

_PROGRESS_STEP = 500


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


def command(
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
        Granularity,
        typer.Option(
            parser=one_of(Granularity),
            metavar=" | ".join(Granularity),
            help="Every run, or hours, days, months or years with percentiles.",
        ),
    ] = Granularity.RUNS,
    check: Annotated[str | None, option("CHECK", "Default: all of them.")] = None,
    since: Annotated[
        TimeArgument | None, option("WHEN", "Default: all there is.", parser=time_argument)
    ] = None,
    until: Until = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="VANTAGE",
            help="The place that measured. Default: all of them.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, option("FILE", "Default: standard output.", "--output", "-o")
    ] = None,
) -> None:
    """Write what the store remembers as CSV or JSON Lines."""
    now = SystemClock().now()
    if since and until:
        time_range(since, until)
    query = ExportQuery(
        granularity=by,
        check=check,
        since=since.at(now) if since else None,
        until=until.at(now) if until else None,
        vantage=place,
    )
    loaded = load(path, secrets=Secrets.NONE)
    if output is None and sys.stdout.isatty():  # the rows themselves show how it goes
        export(loaded, query, form, output)
        return
    with progress("rows", None) as advance:
        count = export(loaded, query, form, output, advance)
    if output:
        say(f"wrote {output}: {count} rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuery:
    granularity: Granularity
    check: str | None
    since: datetime | None
    until: datetime | None
    vantage: str | None
    """None stands for all."""


def export(
    config: Config,
    query: ExportQuery,
    form: Format,
    to: Path | None,
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """Return the number of rows; `advance` is called with the count of the latest rows.

    A file appears when it is complete, or not at all.
    """
    with closing(Store.read_only(config.store, vantage=query.vantage)) as reader:
        if query.vantage is not None:
            require_known_vantage(config, reader, query.vantage)
        if query.check is not None:
            require_known_check(config, reader, query.check)
        with nullcontext(sys.stdout) if to is None else written_whole(to, 0o600) as out:
            rows = _counted(_rows(reader, query), advance)
            return WRITERS[form](out, rows, query.granularity)


def _counted(rows: Iterable[Row], advance: Callable[[int], None]) -> Iterator[Row]:
    for number, row in enumerate(rows, 1):
        yield row
        if number % _PROGRESS_STEP == 0:
            advance(_PROGRESS_STEP)


def _rows(reader: Reader, query: ExportQuery) -> Iterator[Row]:
    span = {"since": query.since, "until": query.until}
    if query.granularity.resolution is None:
        return reader.each_result(query.check, **span)
    return reader.each_period(query.granularity.resolution, query.check, **span)


def _write_jsonl(out: TextIO, rows: Iterable[Row], _: Granularity) -> int:
    count = 0
    for row in rows:
        count += 1
        document = result_row(row) if isinstance(row, Result) else period_row(row)
        out.write(json_text(document) + "\n")
    return count


WRITERS: dict[Format, Callable[[TextIO, Iterable[Row], Granularity], int]] = {
    Format.CSV: write_csv,
    Format.JSONL: _write_jsonl,
}
