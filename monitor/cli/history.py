"""`monitor history`: show one check, or changes of a service."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from monitor.cli import service_history
from monitor.cli.console import (
    COLOURS,
    iso_time,
    milliseconds,
    plain_table,
    show,
    show_json,
    utc_time,
)
from monitor.cli.history_rows import (
    by_count,
    evidence_document,
    period_row,
    result_row,
    rollup_document,
    write_csv,
)
from monitor.cli.options import (
    AsJson,
    ConfigPath,
    Until,
    load,
    one_of,
    option,
    time_argument,
    time_range,
)
from monitor.cli.service_history import read_service_history
from monitor.cli.time_range import Granularity, TimeArgument, granularity_for
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.language import ENGLISH
from monitor.model import Evidence, MonitorError, Outcome, Period, Result, Rollup
from monitor.model.rollup import QUANTILES, merge
from monitor.store import Reader, Store

_A_DAY = TimeArgument("1d", timedelta(days=1))
_A_MONTH = TimeArgument("30d", timedelta(days=30))
_MERGED_AT_ONCE = 64
_FIGURES = ("dns", "connect", "tls", "ttft", "ttfb", "total", "tokens_per_s")


def command(
    check: Annotated[
        str,
        typer.Argument(
            metavar="CHECK",
            help="SERVICE/ENDPOINT/PROBE, as `monitor status` has it; or SERVICE, for what changed there.",
        ),
    ],
    path: ConfigPath = None,
    since: Annotated[
        TimeArgument | None,
        option(
            "WHEN",
            'How long ago ("6h", "30d"), or a moment ("2026-11-23T12:00", in UTC). Default: 1d, of a'
            " service 30d.",
            parser=time_argument,
        ),
    ] = None,
    until: Until = None,
    place: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="VANTAGE",
            help="The place that measured. Default: the daemon's own.",
            show_default=False,
        ),
    ] = "",
    by: Annotated[
        Granularity | None,
        typer.Option(
            parser=one_of(Granularity),
            metavar=" | ".join(Granularity),
            help="One row for each. Default: what fits the range.",
            show_default=False,
        ),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also what failing runs got: headers, body, events.")
    ] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """Show one check over a range of time: outcomes, percentiles, failures by kind.

    Of a SERVICE: which models appeared or vanished, which prices and which marks of its answers changed, and its incidents.
    """
    if as_json and as_csv:
        raise typer.BadParameter("want --json or --csv, not both", param_hint="'--csv'")
    first, last = time_range(since or (_A_DAY if "/" in check else _A_MONTH), until)
    loaded = load(path, secrets=Secrets.NONE)
    if any(check == service.id for service in loaded.services):
        _refuse_of_service({"--from": place, "--by": by, "--evidence": evidence, "--csv": as_csv})
        history = read_service_history(loaded, check, first, last, SystemClock().now())
        if as_json:
            show_json(service_history.document(history))
        else:
            show(service_history.tables(history))
        return
    granularity = by or granularity_for(last - first)
    vantage = place or loaded.vantage
    report = read_history(loaded, check, first, last, granularity, vantage=vantage)
    if as_json:
        show_json(document(report))
    elif as_csv:
        write_csv(sys.stdout, report.runs or report.periods, report.granularity)
    else:
        show(tables(report, evidence=evidence, place=loaded.places(ENGLISH).get(place, place)))


def _refuse_of_service(options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value:
            raise typer.BadParameter(
                "is for one check: SERVICE/ENDPOINT/PROBE", param_hint=f"'{name}'"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """One check over a range of time: its runs or its periods, and their sum."""

    check: str
    vantage: str
    since: datetime
    until: datetime
    granularity: Granularity
    runs: tuple[Result, ...] = ()
    periods: tuple[Period, ...] = ()
    evidence: Mapping[datetime, Evidence]
    """What failing runs left, by the time at which the run began."""
    total: Rollup


def read_history(
    config: Config,
    check: str,
    since: datetime,
    until: datetime,
    granularity: Granularity,
    *,
    vantage: str,
) -> HistoryReport:
    """Raises MonitorError for a check or a vantage that the store does not know."""
    with closing(Store.read_only(config.store, vantage=vantage)) as reader:
        require_known_vantage(config, reader, vantage)
        require_known_check(config, reader, check)
        runs, periods, total = _rows(reader, check, since, until, granularity)
        evidence = reader.each_evidence(check, since=since, until=until)
        return HistoryReport(
            check=check,
            vantage=vantage,
            since=since,
            until=until,
            granularity=granularity,
            runs=runs,
            periods=periods,
            evidence={at: left for _, at, left in evidence},
            total=total,
        )


def require_known_vantage(config: Config, reader: Reader, vantage: str) -> None:
    """Raises MonitorError for a vantage that is neither configured nor has a history; `reader` reads its."""
    places = config.places(ENGLISH)
    if vantage not in places and not reader.checks():
        raise MonitorError(
            f'nothing was ever measured from "{vantage}"; want the id of a vantage: {", ".join(places)}'
        )


def require_known_check(config: Config, reader: Reader, check: str) -> None:
    """Raises MonitorError for a check of which nothing is stored."""
    known = [row.check for row in reader.checks()]
    if check in known:
        return
    if any(check == configured.key for configured in config.checks):
        where = f" from {reader.vantage}" if reader.vantage not in {None, config.vantage} else ""
        raise MonitorError(f"there is no history yet of {check}{where}: it was never asked")
    close = get_close_matches(check, known, 1)
    hint = f'did you mean "{close[0]}"?' if close else "`monitor status` lists them"
    raise MonitorError(f'the store knows no check "{check}"; {hint}')


def _rows(
    reader: Reader, check: str, since: datetime, until: datetime, granularity: Granularity
) -> tuple[tuple[Result, ...], tuple[Period, ...], Rollup]:
    if granularity.resolution is not None:
        periods = reader.rollups(check, granularity.resolution, since=since, until=until)
        return (), periods, merge(period.rollup for period in periods)
    runs: list[Result] = []
    counted = reader.each_counted(check, since=since, until=until)
    total = _sum(_collecting(counted, runs))
    return tuple(runs), (), total


def _collecting(counted: Iterable[tuple[Result, Rollup]], runs: list[Result]) -> Iterator[Rollup]:
    """Yield each run's rollup, and keep the run itself in `runs`."""
    for run, rollup in counted:
        runs.append(run)
        yield rollup


def _sum(rollups: Iterator[Rollup]) -> Rollup:
    """Merge a few at a time, because each merge copies what it has so far."""
    return merge(iter(lambda: merge(islice(rollups, _MERGED_AT_ONCE)), Rollup()))


def document(report: HistoryReport) -> dict[str, Any]:
    return {
        "check": report.check,
        "vantage": report.vantage,
        "since": iso_time(report.since, "milliseconds"),
        "until": iso_time(report.until, "milliseconds"),
        "by": report.granularity.value,
        "summary": rollup_document(report.total),
        "rows": [result_row(run, report.evidence.get(run.at)) for run in report.runs]
        + [period_row(period) for period in report.periods],
        "evidence": [
            {"at": iso_time(at, "milliseconds"), **evidence_document(evidence)}
            for at, evidence in report.evidence.items()
        ],
    }


def tables(
    report: HistoryReport, *, evidence: bool, place: str = ""
) -> Iterator[Table | Text | str]:
    """Show it to people; `place` is the name of the vantage, where it is not the daemon's own."""
    where = f" from {place}" if place else ""
    title = f"{report.check}{where}, {utc_time(report.since)} to {utc_time(report.until)} UTC"
    yield Text(title, style="bold")
    if not report.runs and not report.periods:
        yield "Nothing was measured in that time."
        return
    yield _run_table(report.runs) if report.runs else _period_table(report.periods)
    yield ""
    yield _summary(report.total)
    if (figures := _figure_table(report.total)).row_count:
        yield ""
        yield figures
    if report.total.kinds:
        yield ""
        yield _failure_table(report.total)
    if evidence:
        yield from _evidence(report)


def _run_table(runs: Iterable[Result]) -> Table:
    rows = plain_table("at (UTC)", "outcome", "status", "ttft", "total", "why")
    for run in runs:
        rows.add_row(
            utc_time(run.at),
            Text(run.outcome.value, style=COLOURS[run.outcome]),
            str(run.http_status or "-"),
            milliseconds(run.timings.ttft),
            milliseconds(run.timings.total),
            Text(f"{run.failure.kind.value}: {run.failure.message}" if run.failure else ""),
        )
    return rows


def _period_table(periods: Iterable[Period]) -> Table:
    rows = plain_table(
        *("from (UTC)", "runs", "up", "could not see"),
        *("ttft p50", "ttft p95", "total p50", "total p95", "failures"),
    )
    for period in periods:
        rollup = period.rollup
        failures = by_count(rollup.kinds).items()
        rows.add_row(
            f"{period.at:%Y-%m-%d %H:%M}",
            str(rollup.counted + rollup.unknown),
            _percent(rollup.availability),
            _percent(rollup.excluded),
            *(milliseconds(rollup.quantile("ttft", q)) for q in (0.5, 0.95)),
            *(milliseconds(rollup.quantile("total", q)) for q in (0.5, 0.95)),
            Text(", ".join(f"{kind} {count}" for kind, count in failures)),
        )
    return rows


def _percent(share: float | None) -> str:
    """Format a share, which is never rounded up to 100 %."""
    if share is None:
        return "-"
    return f"{share:.0%}" if share in {0, 1} else f"{min(share, 0.9999):.2%}"


def _summary(total: Rollup) -> str:
    counts = {outcome.value: total.outcomes.get(outcome.value, 0) for outcome in Outcome} | {
        "in maintenance": total.maintenance,
        "late": total.late,
        "missed": total.missed,
    }
    parts = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return (
        f"up {_percent(total.availability)}, could not see {_percent(total.excluded)}: "
        f"{parts or 'no runs'}"
    )


def _figure_table(total: Rollup) -> Table:
    rows = plain_table("", *QUANTILES)
    for name in _FIGURES:
        values = [*total.quantiles(name).values()]
        if values[0] is not None:
            is_speed = name == "tokens_per_s"
            rows.add_row(
                "tokens/s" if is_speed else name,
                *(
                    f"{value:.0f}" if is_speed and value else milliseconds(value)
                    for value in values
                ),
            )
    return rows


def _failure_table(total: Rollup) -> Table:
    rows = plain_table("failure", "runs")
    for kind, count in by_count(total.kinds).items():
        rows.add_row(kind, str(count))
    return rows


def _evidence(report: HistoryReport) -> Iterator[Text | str]:
    """Show what was redacted and cleaned when it was stored."""
    for at, evidence in report.evidence.items():
        yield ""
        yield Text(f"evidence of {utc_time(at)}", style="bold")
        for name, value in evidence.headers:
            yield Text(f"  {name}: {value}")
        if evidence.body:
            yield Text(f"  {evidence.body}")
        if evidence.events:
            first, last = evidence.events[0], evidence.events[-1]
            yield f"  {len(evidence.events)} events, the first after {first[0]:.0f} ms, the last after {last[0]:.0f} ms"
        if evidence.note:
            yield Text(f"  {evidence.note}")
