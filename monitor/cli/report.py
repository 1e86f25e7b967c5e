"""`monitor report`: report how a month was."""

import csv
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.table import Table
from rich.text import Text

from monitor import __version__
from monitor.cli import incidents
from monitor.cli.console import iso_time, plain_table, say, show, show_json
from monitor.cli.history_rows import csv_cell, rounded
from monitor.cli.options import AsJson, ConfigPath, load, option, unknown
from monitor.cli.whole_file import write_whole
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.language import ENGLISH, NAMES, Language, language, templates
from monitor.model import Month, Spend
from monitor.model.month import REPORTED_TIMINGS
from monitor.model.rollup import QUANTILES
from monitor.month_report import (
    EndpointReport,
    MonthReport,
    PlaceReport,
    ServiceReport,
    month_report,
    services_of,
)
from monitor.page.render import environment
from monitor.page.render_cache import RenderCache
from monitor.page.report_views import ReportTable, ReportView, report_view
from monitor.store import Store, read_month

FORMULA = "(up + degraded) / (up + degraded + down)"


def command(
    service: Annotated[
        str | None,
        typer.Argument(
            metavar="SERVICE", help="The id of a service. Default: all.", show_default=False
        ),
    ] = None,
    path: ConfigPath = None,
    month: Annotated[
        str | None, option("MONTH", "Such as 2026-11, in UTC. Default: the last one that is over.")
    ] = None,
    html: Annotated[Path | None, option("FILE", "Write one printable HTML file.", "--html")] = None,
    in_language: Annotated[
        str | None,
        option(
            "LANGUAGE", f"Of the HTML: {' or '.join(NAMES)}. Default: the page's.", "--language"
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how a month was: availability and what it leaves out, incidents, percentiles, spend."""
    if sum((as_csv, as_json, html is not None)) > 1:
        raise typer.BadParameter(
            "want one of them, not several", param_hint="--csv, --html, --json"
        )
    if in_language not in {None, *NAMES}:
        raise typer.BadParameter(
            f'got "{in_language}", want {" or ".join(NAMES)}', param_hint="'--language'"
        )
    loaded = load(path, secrets=Secrets.NONE)
    now = SystemClock().now()
    report = read_report(loaded, asked_month(month, now), service, now)
    if html is not None:
        write_html(html, loaded, report, language(in_language or loaded.page.languages[0]))
        say(f"wrote {html}")
    elif as_json:
        show_json(document(loaded, report))
    elif as_csv:
        write_csv(sys.stdout, loaded, report)
    else:
        show(tables(_view(loaded, report, ENGLISH, shows_urls=False)))


def asked_month(text: str | None, now: datetime) -> Month:
    """Return the month that is asked for, by default the last that is over. BadParameter where it has not begun."""
    if text is None:
        return Month.of(now).previous
    try:
        month = Month.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--month'") from None
    if month.begin > now:
        raise typer.BadParameter(f"{month} has not begun", param_hint="'--month'")
    return month


def read_report(config: Config, month: Month, service: str | None, now: datetime) -> MonthReport:
    """Report a month from the store. Raises MonitorError for a service that is not configured and has nothing in it."""
    with closing(Store.read_only(config.store)) as reader:
        record = read_month(reader, month, now)
    services = services_of(record, config.services)
    if service is not None:
        names = [known.id for known in services]
        if service not in names:
            raise unknown(service, "SERVICE", names)
        services = tuple(known for known in services if known.id == service)
    return month_report(
        month,
        record,
        services,
        config.checks,
        config.vantage,
        config.vantages,
        config.page.currency,
        now,
    )


def _view(config: Config, report: MonthReport, of: Language, *, shows_urls: bool) -> ReportView:
    places, title = config.places(of), config.page.title
    return report_view(report, places, of, __version__, title, shows_urls=shows_urls)


def tables(view: ReportView) -> Iterator[Table | Text | str]:
    """Show it to people, in the words of the page."""
    yield Text(view.title, style="bold")
    yield Text(view.period)
    yield from map(Text, view.notes)
    for service in view.services:
        yield ""
        yield Text(service.name, style="bold")
        for table in service.tables:
            yield _table(table)
            yield ""
        yield Text(service.spent)
    yield ""
    yield _table(view.incidents) if view.incidents else Text(view.incidents_note)
    yield ""
    yield from map(Text, view.formulas)


def _table(table: ReportTable) -> Table:
    rows = plain_table(*table.columns)
    for number, column in enumerate(rows.columns):
        column.justify = "left" if number < table.words else "right"
    for row in table.rows:
        rows.add_row(*map(Text, row))
    return rows


def write_html(to: Path, config: Config, report: MonthReport, of: Language) -> None:
    """Write one file that needs nothing else. Everything in it is escaped: names are an operator's, or older."""
    template = environment(templates(), of, RenderCache()).get_template("report.html")
    text = template.render(view=_view(config, report, of, shows_urls=True), home="", style="")
    write_whole(to, text)


def document(config: Config, report: MonthReport) -> dict[str, Any]:
    """Describe a report for programs. Lengths are in seconds, percentiles in milliseconds, shares from 0 to 1."""
    return {
        "month": str(report.month),
        "zone": "UTC",
        "begin": iso_time(report.month.begin),
        "end": iso_time(report.month.end),
        "at": iso_time(report.at),
        "in_progress": report.is_in_progress,
        "days": report.days,
        "days_measured": report.days_measured,
        "measured_since": report.measured_since and iso_time(report.measured_since),
        "formula": FORMULA,
        "services": [_service_document(config, report, service) for service in report.services],
        "incidents": [
            incidents.document(incident)
            | {
                "kinds": [kind.value for kind in incident.kinds],
                "seconds_in_month": round(report.within(incident).total_seconds()),
            }
            for incident in report.incidents
        ],
    }


def _service_document(
    config: Config, report: MonthReport, service: ServiceReport
) -> dict[str, Any]:
    return {
        "service": service.id,
        "name": service.name,
        "currency": report.currency,
        "spent": service.spent
        and {
            vantage: {"tokens": spend.tokens, "money": spend.money}
            for vantage, spend in service.spent.items()
        },
        "endpoints": [
            {
                "endpoint": endpoint.path,
                "name": endpoint.name,
                "url": endpoint.url,
                "down_s": _seconds(endpoint),
                "imported_until": _imported_until(endpoint),
                "places": [_place_document(config, place) for place in endpoint.places],
            }
            for endpoint in service.endpoints
        ],
    }


def _seconds(endpoint: EndpointReport) -> int | None:
    return None if endpoint.down is None else round(endpoint.down.total_seconds())


def _imported_until(endpoint: EndpointReport) -> str | None:
    return iso_time(endpoint.imported_until) if endpoint.imported_until else None


def _place_document(config: Config, place: PlaceReport) -> dict[str, Any]:
    outcomes = place.rollup.outcomes
    return {
        "vantage": place.vantage,
        "name": config.places(ENGLISH).get(place.vantage, place.vantage),
        "check": place.check,
        "availability": place.rollup.availability,
        "good": place.rollup.good,
        "days_measured": place.days,
        "runs": {name: outcomes.get(name, 0) for name in ("up", "degraded", "down")}
        | dict(place.left_out),
        "excluded": dict(place.excluded),
        "failures": dict(place.rollup.kinds),
        **{f"{figure}_ms": rounded(place.rollup, figure) for figure in REPORTED_TIMINGS},
    }


_COLUMNS = (
    *(
        "row",
        "month",
        "zone",
        "service",
        "endpoint",
        "name",
        "vantage",
        "check",
    ),
    *("availability", "good", "days", "days_measured", "up", "degraded", "down"),
    *("maintenance", "unknown", "missed", "down_s", "imported_until"),
    *(f"{figure}_ms_{name}" for figure in REPORTED_TIMINGS for name in QUANTILES),
    *("tokens", "money", "currency"),
    *("incident", "severity", "kinds", "opened", "closed", "seconds_in_month"),
)


def write_csv(out: TextIO, config: Config, report: MonthReport) -> None:
    """Write a row for each base URL and vantage, each spend and each incident; `row` says which it is."""
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in _csv_rows(config, report):
        every = {"month": str(report.month), "zone": "UTC"}
        writer.writerow({name: csv_cell(value) for name, value in (every | row).items()})


def _csv_rows(config: Config, report: MonthReport) -> Iterator[dict[str, object]]:
    for service in report.services:
        for endpoint in service.endpoints:
            for place in endpoint.places:
                yield _endpoint_row(config, report, service, endpoint, place)
        for vantage, spend in (service.spent or {}).items():
            yield _spend_row(service, vantage, spend, report.currency)
    for incident in report.incidents:
        yield {
            "row": "incident",
            "service": incident.service,
            "endpoint": " ".join(incident.endpoints),
            "incident": incident.id,
            "severity": incident.severity.value,
            "kinds": " ".join(kind.value for kind in incident.kinds),
            "opened": iso_time(incident.opened),
            "closed": incident.closed and iso_time(incident.closed),
            "seconds_in_month": round(report.within(incident).total_seconds()),
        }


def _endpoint_row(
    config: Config,
    report: MonthReport,
    service: ServiceReport,
    endpoint: EndpointReport,
    place: PlaceReport,
) -> dict[str, object]:
    told = _place_document(config, place)
    return {
        "row": "endpoint",
        "days": report.days,
        "service": service.id,
        "endpoint": endpoint.path,
        "name": endpoint.name,
        **{
            name: told[name]
            for name in ("vantage", "check", "availability", "good", "days_measured")
        },
        **told["runs"],
        "down_s": _seconds(endpoint),
        "imported_until": _imported_until(endpoint),
        **{
            f"{figure}_ms_{name}": value
            for figure in REPORTED_TIMINGS
            for name, value in told[f"{figure}_ms"].items()
        },
    }


def _spend_row(
    service: ServiceReport, vantage: str, spend: Spend, currency: str
) -> dict[str, object]:
    return {
        "row": "spend",
        "service": service.id,
        "vantage": vantage,
        "tokens": spend.tokens,
        "money": spend.money,
        "currency": currency,
    }
