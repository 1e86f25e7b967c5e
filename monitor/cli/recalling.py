"""`monitor history`: one check over a range of time, as runs, hours, days, months or years."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli import rows
from monitor.cli.ranges import By
from monitor.cli.words import COLOURS, milliseconds
from monitor.config import Config
from monitor.model import Evidence, MonitorError, Outcome, Period, Result, Rollup
from monitor.model.rollup import merge
from monitor.store import Reader, Store

_AT_ONCE = 64
_FIGURES = ("ttft", "ttfb", "total", "tokens_per_s")
_PHASES = ("dns", "connect", "tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    check: str
    vantage: str
    since: datetime
    until: datetime
    by: By
    runs: tuple[Result, ...] = ()
    periods: tuple[Period, ...] = ()
    evidence: Mapping[datetime, Evidence]
    """By the begin of the run that left it."""
    total: Rollup


def recall(config: Config, check: str, since: datetime, until: datetime, by: By) -> Recollection:
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        must_be_known(reader, check)
        runs, periods, total = _rows(reader, check, since, until, by)
        found = reader.each_evidence(check, since=since, until=until)
        return Recollection(
            check=check,
            vantage=config.vantage,
            since=since,
            until=until,
            by=by,
            runs=runs,
            periods=periods,
            evidence={at: evidence for _, at, evidence in found},
            total=total,
        )


def must_be_known(reader: Reader, check: str) -> None:
    known = [each.check for each in reader.checks()]
    if check in known:
        return
    close = get_close_matches(check, known, 1)
    hint = f'did you mean "{close[0]}"?' if close else "`monitor status` lists them"
    raise MonitorError(f'the store knows no check "{check}"; {hint}')


def _rows(
    reader: Reader, check: str, since: datetime, until: datetime, by: By
) -> tuple[tuple[Result, ...], tuple[Period, ...], Rollup]:
    """Runs or periods, and their sum."""
    if by.resolution is not None:
        periods = reader.rollups(check, by.resolution, since=since, until=until)
        return (), periods, merge(each.rollup for each in periods)
    runs: list[Result] = []
    total = _sum(_shares(reader.each_counted(check, since=since, until=until), runs))
    return tuple(runs), (), total


def _shares(counted: Iterable[tuple[Result, Rollup]], runs: list[Result]) -> Iterator[Rollup]:
    for run, share in counted:
        runs.append(run)
        yield share


def _sum(shares: Iterator[Rollup]) -> Rollup:
    """In short pieces: to merge copies."""
    return merge(iter(lambda: merge(islice(shares, _AT_ONCE)), Rollup()))


def document(found: Recollection) -> dict[str, Any]:
    return {
        "check": found.check,
        "vantage": found.vantage,
        "since": rows.utc(found.since),
        "until": rows.utc(found.until),
        "by": found.by.value,
        "summary": rows.rollup(found.total),
        "rows": [rows.run(each, found.evidence.get(each.at)) for each in found.runs]
        + [rows.period(each) for each in found.periods],
        "evidence": [
            {"at": rows.utc(at), **rows.evidence_document(each)}
            for at, each in found.evidence.items()
        ],
    }


def tables(found: Recollection, *, evidence: bool) -> Iterator[Table | Text | str]:
    yield Text(f"{found.check}, {_moment(found.since)} to {_moment(found.until)} UTC", style="bold")
    if not found.runs and not found.periods:
        yield "Nothing was measured in that time."
        return
    yield _runs(found.runs) if found.runs else _periods(found.periods)
    yield ""
    yield _sums(found.total)
    if (figures := _figures(found.total)).row_count:
        yield ""
        yield figures
    if found.total.kinds:
        yield ""
        yield _kinds(found.total)
    if evidence:
        yield from _evidence(found)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _plain(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)


def _runs(runs: Iterable[Result]) -> Table:
    shown = _plain("at (UTC)", "outcome", "status", "ttft", "total", "why")
    for run in runs:
        shown.add_row(
            _moment(run.at),
            Text(run.outcome.value, style=COLOURS[run.outcome]),
            str(run.http_status or "-"),
            milliseconds(run.timings.ttft),
            milliseconds(run.timings.total),
            Text(f"{run.failure.kind.value}: {run.failure.message}" if run.failure else ""),
        )
    return shown


def _periods(periods: Iterable[Period]) -> Table:
    shown = _plain("from (UTC)", "runs", "up", "could not see", "ttft p50", "ttft p95", "total p50", "total p95", "failures")  # fmt: skip
    for each in periods:
        rollup = each.rollup
        shown.add_row(
            f"{each.at:%Y-%m-%d %H:%M}",
            str(rollup.counted + rollup.unknown),
            _share(rollup.availability),
            _share(rollup.excluded),
            *(milliseconds(rollup.quantile(name, q)) for name in ("ttft", "total") for q in (0.5, 0.95)),
            Text(", ".join(f"{kind} {count}" for kind, count in rows.by_count(rollup.kinds).items())),
        )  # fmt: skip
    return shown


def _share(share: float | None) -> str:
    """Never rounded up to 100 %."""
    if share is None:
        return "-"
    return f"{share:.0%}" if share in {0, 1} else f"{min(share, 0.9999):.2%}"


def _sums(total: Rollup) -> str:
    counts = [f"{total.outcomes[each.value]} {each.value}" for each in Outcome if total.outcomes.get(each.value)]  # fmt: skip
    more = {"in maintenance": total.maintenance, "late": total.late, "missed": total.missed}
    counts += [f"{count} {what}" for what, count in more.items() if count]
    return (
        f"up {_share(total.availability)}, could not see {_share(total.excluded)}: "
        f"{', '.join(counts) or 'no runs'}"
    )


def _figures(total: Rollup) -> Table:
    shown = _plain("", "p50", "p95", "p99")
    for name in (*_PHASES, *_FIGURES):
        values = [total.quantile(name, q) for q in (0.5, 0.95, 0.99)]
        if values[0] is not None:
            speed = name == "tokens_per_s"
            shown.add_row(
                "tokens/s" if speed else name,
                *(f"{value:.0f}" if speed and value else milliseconds(value) for value in values),
            )
    return shown


def _kinds(total: Rollup) -> Table:
    shown = _plain("failure", "runs")
    for kind, count in rows.by_count(total.kinds).items():
        shown.add_row(kind, str(count))
    return shown


def _evidence(found: Recollection) -> Iterator[Text | str]:
    """Already redacted and cleaned when it was kept."""
    for at, each in found.evidence.items():
        yield ""
        yield Text(f"evidence of {_moment(at)}", style="bold")
        for name, value in each.headers:
            yield Text(f"  {name}: {value}")
        if each.body:
            yield Text(f"  {each.body}")
        if each.events:
            first, last = each.events[0], each.events[-1]
            yield f"  {len(each.events)} events, the first after {first[0]:.0f} ms, the last after {last[0]:.0f} ms"
        if each.note:
            yield Text(f"  {each.note}")
