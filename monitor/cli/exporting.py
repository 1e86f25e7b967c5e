"""`monitor export`: everything of a range of time as CSV or JSON Lines, in bounded memory."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from monitor.cli import rows
from monitor.cli.ranges import By
from monitor.cli.recalling import must_be_known
from monitor.config import Config
from monitor.model import MonitorError, Outcome, Period, Resolution, Result, Rollup
from monitor.store import Reader, Store

Row = Result | Period
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_A_TIME = 500


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    by: By
    check: str | None
    since: datetime | None
    until: datetime | None


def export(
    config: Config,
    wanted: Wanted,
    form: Format,
    to: Path | None,
    progressed: Callable[[int], None] = lambda _: None,
) -> int:
    """How many rows; `progressed` hears of some at a time. A file appears whole or not at all."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        if wanted.check is not None:
            must_be_known(reader, wanted.check)
        with _file(to) as out:
            return WRITERS[form](out, _counted(_each(reader, wanted), progressed), wanted.by)


def _counted(found: Iterable[Row], progressed: Callable[[int], None]) -> Iterator[Row]:
    for number, row in enumerate(found, 1):
        yield row
        if number % _AT_A_TIME == 0:
            progressed(_AT_A_TIME)


def _each(reader: Reader, wanted: Wanted) -> Iterator[Row]:
    span = {"since": wanted.since, "until": wanted.until}
    if wanted.by.resolution is None:
        return reader.each_result(wanted.check, **span)
    return reader.each_period(wanted.by.resolution, wanted.check, **span)


def write_csv(out: TextIO, found: Iterable[Row], by: By) -> int:
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(_flat(_nothing(by)))
    for row in found:
        writer.writerow(map(rows.cell, _flat(row).values()))
        count += 1
    return count


def write_jsonl(out: TextIO, found: Iterable[Row], _: By) -> int:
    count = 0
    for row in found:
        count += 1
        document = rows.run(row) if isinstance(row, Result) else rows.period(row)
        out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    return count


WRITERS: dict[Format, Callable[[TextIO, Iterable[Row], By], int]] = {
    Format.CSV: write_csv,
    Format.JSONL: write_jsonl,
}


def _flat(row: Row) -> dict[str, Any]:
    return rows.flat_run(row) if isinstance(row, Result) else rows.flat_period(row)


def _nothing(by: By) -> Row:
    """A row whose names head the file, also where no row follows."""
    if by.resolution is None:
        return Result(check="", vantage="", at=_EPOCH, outcome=Outcome.UNKNOWN)
    return Period(check="", vantage="", at=_EPOCH, resolution=Resolution.HOUR, rollup=Rollup())


@contextmanager
def _file(to: Path | None) -> Iterator[TextIO]:
    if to is None:
        yield sys.stdout
        return
    opened = to.open("w", encoding="utf-8", newline="") if _is_device(to) else _fresh(to.resolve())
    try:
        with opened as out:
            yield out
    except OSError as error:
        raise MonitorError(f"{to} cannot be written: {error.strerror}") from error


def _is_device(to: Path) -> bool:
    """Or a pipe: it is written to, and no file takes its place."""
    return to.exists() and not to.is_file() and not to.is_dir()


@contextmanager
def _fresh(to: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
        fresh.replace(to)
    finally:
        fresh.unlink(missing_ok=True)
