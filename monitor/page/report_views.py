"""A month's report -> the sentences and tables that people read, in one language. Pure.

The terminal, the printable file and the page show the same ones.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from monitor.language import Language
from monitor.model import NO_SPEND, Incident, Month
from monitor.model.month import REPORTED_TIMINGS
from monitor.model.rollup import QUANTILES
from monitor.month_report import EndpointReport, MonthReport, PlaceReport, ServiceReport
from monitor.page import formatting
from monitor.page.incident_views import STATES
from monitor.page.window_stats import real

_MOST_NAMES = 3
_LATE = timedelta(minutes=5)
"""A monitor that was alive so shortly ago is alive."""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table: the first `words` columns hold words, the others numbers."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int
    links: tuple[str, ...] = ()
    """By row, where its first cell leads to; "" for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedService:
    name: str
    tables: tuple[ReportTable, ...]
    spent: str
    """What it cost; empty where that is not shown."""


@dataclass(frozen=True, slots=True)
class ListedMonth:
    """A line of the list of months."""

    number: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """All that a report says."""

    site: str
    title: str
    period: str
    notes: tuple[str, ...]
    """How much is known, and of when."""
    services: tuple[ReportedService, ...]
    incidents: ReportTable | None
    """None where nothing that was measured was in one."""
    incidents_note: str
    formulas: tuple[str, ...]
    version: str
    at: str
    """When it was made, in UTC."""


def report_view(
    report: MonthReport,
    places: Mapping[str, str],
    language: Language,
    version: str,
    site: str,
    *,
    shows_urls: bool = True,
    shows_spend: bool = True,
    link: Callable[[Incident], str] = lambda _: "",
) -> ReportView:
    """Say a report. `places` are the names of vantages, `site` that of the page; `link` finds the page of an incident, or "" for none."""
    say = language.gettext
    names = {
        endpoint.path: formatting.name(endpoint.name, endpoint.path)
        for service in report.services
        for endpoint in service.endpoints
    }
    rows = [_incident(report, incident, names, language) for incident in report.incidents]
    return ReportView(
        site=formatting.name(site, "Status"),
        title=say("Report of %(month)s", month=month_name(report.month, language)),
        period=say(
            "%(begin)s to %(end)s, time zone UTC",
            begin=_utc(report.month.begin),
            end=_utc(report.month.end),
        ),
        notes=tuple(_notes(report, names, language)),
        services=tuple(
            _service(service, report, places, language, shows_urls, shows_spend)
            for service in report.services
        ),
        incidents=ReportTable(
            say("All that was open at some time of this month"),
            (
                say("Incident"),
                say("State"),
                say("Where"),
                say("Why"),
                say("Began"),
                say("Ended"),
                say("In this month"),
            ),
            tuple(rows),
            4,
            tuple(link(incident) for incident in report.incidents),
        )
        if rows
        else None,
        incidents_note=_no_incidents(report, language) if not rows else "",
        formulas=_formulas(language),
        version=version,
        at=_utc(report.at),
    )


def month_name(month: Month, language: Language) -> str:
    """Return `November 2026`."""
    name = language.gettext(formatting.MONTHS[month.number - 1])
    return language.gettext("%(month)s %(year)s", month=name, year=month.year)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _notes(report: MonthReport, names: Mapping[str, str], language: Language) -> Iterator[str]:
    """Say how much of the month is known."""
    say, month = language.gettext, report.month
    if report.is_in_progress:
        yield say(
            "This month is in progress: it is told as of %(at)s, and that day counts as one.",
            at=_utc(report.at),
        )
    if report.days_measured:
        yield say(
            "Days on which something was measured: %(days)s.",
            days=_days(report, report.days_measured, language),
        )
    else:
        yield say("Nothing was measured in this month.")
        if report.measured_since is None:
            yield say("Nothing was ever measured.")
        elif report.measured_since >= month.end:
            first = f"{report.measured_since:%Y-%m-%d}"
            yield say("The first day of which anything is kept is %(day)s.", day=first)
    yield from _imported(report, names, language)
    is_open = any(incident.closed is None for incident in report.incidents)
    if is_open and report.seen_until < min(report.at - _LATE, month.end):
        yield say(
            "The monitor was last alive at %(at)s: how open incidents went on is not known.",
            at=_utc(report.seen_until),
        )


def _imported(report: MonthReport, names: Mapping[str, str], language: Language) -> Iterator[str]:
    """Say of which base URLs another program has measured, and until when: it tells of no incidents."""
    by_end: dict[str, list[str]] = {}
    for path, until in sorted(report.imported_until.items()):
        by_end.setdefault(_utc(until), []).append(names.get(path, path))
    for end, some in by_end.items():
        yield language.gettext(
            "What is known of %(names)s before %(at)s was imported from another program: incidents of that time are not known.",
            names=language.listed(some)
            if len(some) <= _MOST_NAMES
            else language.ngettext("%(num)s base URL", "%(num)s base URLs", len(some)),
            at=end,
        )


def _days(report: MonthReport, measured: int, language: Language) -> str:
    """Return `3 of 30`: UTC days on which something was measured, of those that have begun."""
    return language.gettext("%(days)s of %(all)s", days=measured, all=report.days)


def _no_incidents(report: MonthReport, language: Language) -> str:
    if report.imported_until:
        return language.gettext("No incident is known.")
    if report.days_measured:
        return language.gettext("No incident was open in what was measured.")
    return language.gettext("No incident is known, because nothing was measured.")


def _formulas(language: Language) -> tuple[str, ...]:
    say = language.gettext
    return (
        say(
            "Availability = (up + degraded) / (up + degraded + down). Good share = up / (up + degraded + down)."
        ),
        say(
            "They leave out runs in maintenance, runs that say nothing about the base URL (our key, our account, our budget, our network), and runs that were due and did not happen: the share of each, of all runs that were due, stands beside them."
        ),
        say(
            "Days measured are UTC days on which at least one run counted; of the other days nothing is known."
        ),
        say(
            "Down is how long the incidents of a base URL lasted, from as many places as it takes to count as down where several measure, maintenance included. Where little was measured, little can be known of it."
        ),
        say(
            "Half of all calls that were answered are faster than p50, 1 in 100 is slower than p99."
        ),
    )


def _service(
    service: ServiceReport,
    report: MonthReport,
    places: Mapping[str, str],
    language: Language,
    shows_urls: bool,  # noqa: FBT001  # passed on
    shows_spend: bool,  # noqa: FBT001  # passed on
) -> ReportedService:
    say = language.gettext
    rows = [(endpoint, place) for endpoint in service.endpoints for place in endpoint.places]

    def begin(endpoint: EndpointReport, place: PlaceReport) -> tuple[str, ...]:
        return _endpoint_name(endpoint, shows_urls=shows_urls), _named(places, place.vantage)

    two = say("Base URL"), say("Measured from")
    availability = ReportTable(
        say("Availability"),
        (
            *two,
            *(say("Availability"), say("Good share"), say("Days measured"), say("Runs")),
            *(say("Maintenance"), say("Says nothing"), say("Missed"), say("Down")),
        ),
        tuple((*begin(*row), *_shares(report, *row, language)) for row in rows),
        2,
    )
    times = ReportTable(
        say("Times"),
        (
            *two,
            *(say("First token, %(q)s", q=q) for q in QUANTILES),
            *(say("Whole answer, %(q)s", q=q) for q in QUANTILES),
        ),
        tuple((*begin(*row), *_times(row[1], language)) for row in rows if _is_timed(row[1])),
        2,
    )
    return ReportedService(
        name=formatting.name(service.name, service.id),
        tables=tuple(table for table in (availability, times) if table.rows),
        spent=_spent(service, report.currency, places, language) if shows_spend else "",
    )


def _named(places: Mapping[str, str], vantage: str) -> str:
    return formatting.name(places.get(vantage, vantage), vantage)


def _endpoint_name(endpoint: EndpointReport, *, shows_urls: bool) -> str:
    name = formatting.name(endpoint.name, endpoint.path)
    return f"{name} ({endpoint.url})" if shows_urls and endpoint.url else name


def _shares(
    report: MonthReport, endpoint: EndpointReport, place: PlaceReport, language: Language
) -> Iterator[str]:
    share = partial(formatting.percent, language=language)
    yield share(place.rollup.availability)
    yield share(place.rollup.good)
    yield _days(report, place.days, language)
    yield f"{place.rollup.counted:,}"
    yield from map(share, place.excluded.values())
    yield share(None) if endpoint.down is None else formatting.duration(endpoint.down, language)


def _is_timed(place: PlaceReport) -> bool:
    return any(place.percentiles(figure)["p50"] is not None for figure in REPORTED_TIMINGS)


def _times(place: PlaceReport, language: Language) -> Iterator[str]:
    for figure in REPORTED_TIMINGS:
        for value in place.percentiles(figure).values():
            yield formatting.seconds(real(value), language)


def _spent(
    service: ServiceReport, currency: str, places: Mapping[str, str], language: Language
) -> str:
    say = language.gettext
    whole = service.spent_in_all
    if whole is None or service.spent is None:
        return say("What was spent is not kept any more.")
    if whole == NO_SPEND:
        return say("No spend is recorded.")
    amount = partial(formatting.amount, currency=currency, language=language)
    sentence = say("The probes spent %(amount)s.", amount=amount(whole))
    if len(service.spent) < 2:
        return sentence
    parts = language.listed(
        [
            say("%(amount)s at %(place)s", amount=amount(spend), place=_named(places, vantage))
            for vantage, spend in service.spent.items()
        ]
    )
    return sentence + language.space + say("Of that, %(parts)s.", parts=parts)


def _incident(
    report: MonthReport, incident: Incident, names: Mapping[str, str], language: Language
) -> tuple[str, ...]:
    say = language.gettext
    paths = incident.endpoints
    where = language.listed([names.get(path, path) for path in paths])
    if len(paths) > _MOST_NAMES:
        where = language.ngettext("%(num)s base URL", "%(num)s base URLs", len(paths))
    if len(report.services) > 1:  # a base URL may have the same name in several
        services = {service.id: service for service in report.services}
        if service := services.get(incident.service or ""):
            name = formatting.name(service.name, service.id)
            where = say("%(where)s: %(why)s", where=name, why=where)
    return (
        f"#{incident.id}",
        formatting.label(STATES[incident.severity], language),
        where if incident.service else say("the monitor itself"),
        language.reasons(incident.kinds),
        _utc(incident.opened),
        _utc(incident.closed) if incident.closed else say("Ongoing"),
        formatting.duration(report.within(incident), language),
    )
