"""The reports of months as files of the page: the archive of what happened.

A month is read from the store and rendered again only when something of it can have changed: while it is in
progress and shortly after it once an hour, whenever an incident of it changed, and when the site did.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.language import Language
from monitor.language import language as language_of
from monitor.model import Incident, Month, MonthRecord, Snapshot
from monitor.month_report import MonthReport, month_report
from monitor.page import formatting
from monitor.page.render import Renderer
from monitor.page.render_cache import UNCHANGED
from monitor.page.report_views import ListedMonth, ReportView, month_name, report_view
from monitor.page.vantage_looks import own_name
from monitor.page.view_models import Site

MONTHS = 13
"""The months that are reported, that in progress included: the ledger goes back no further."""
_LATE = timedelta(days=3)
"""How long after its end results of a month may still come in from other places."""


@dataclass(slots=True)
class _Kept:
    news: object
    report: MonthReport
    files: dict[str, bytes] = field(default_factory=dict)


class MonthPages:
    """Holds which months are written, and the files of those that are not yet."""

    def __init__(self, templates: Renderer) -> None:
        self._templates = templates
        self._site: Site | None = None
        self._kept: dict[Month, _Kept] = {}
        self._list: dict[str, bytes] = {}

    def wanted(self, site: Site, snapshot: Snapshot) -> list[Month]:
        """Return the months that must be read, newest first; the one in progress shows how far back they go."""
        if site is not self._site:
            self.forget()
            self._site = site
        months = [Month.of(snapshot.at)]
        newest = self._kept.get(months[0])
        since = newest.report.measured_since if newest else None
        while since and months[-1].begin > since and len(months) < MONTHS:
            months.append(months[-1].previous)
        for gone in self._kept.keys() - set(months):
            del self._kept[gone]
        return [
            month
            for month in months
            if month not in self._kept or self._kept[month].news != _news(month, snapshot)
        ]

    def put(self, site: Site, snapshot: Snapshot, month: Month, record: MonthRecord) -> None:
        """Report a month as the store has it, of what the page shows."""
        services = [service for service in site.services if service.public]
        shown = {endpoint.path for service in services for endpoint in service.endpoints}
        places = {site.vantage, *(vantage.id for vantage in site.vantages)}
        public = replace(
            record,
            counts=tuple(
                counts
                for counts in record.counts
                if counts.check.rpartition("/")[0] in shown and counts.vantage in places
            ),
        )
        report = month_report(
            month,
            public,
            services,
            site.checks,
            site.vantage,
            site.vantages,
            site.settings.currency,
            snapshot.at,
        )
        linked = {incident.id for incident in snapshot.incidents}
        kept = _Kept(_news(month, snapshot), _light(report))
        for path, language in _languages(site):
            view = _view(site, report, language, linked)
            root = "../../" + ("../" if path else "")
            name = f"{path}reports/{month}/index.html"
            kept.files[name] = self._templates.report(view, language, root)
        self._kept[month] = kept
        self._list = self._listed(site)

    def files(self) -> Mapping[str, bytes]:
        """Return path below the page's folder -> content, `UNCHANGED` for what is written already."""
        months = (kept.files for kept in self._kept.values())
        return {name: content for files in (*months, self._list) for name, content in files.items()}

    def written(self, lost: AbstractSet[str]) -> None:
        """Let go of what is on the disk now; what is `lost` is made anew the next time."""
        if not lost.isdisjoint(self._list):
            self.forget()
        self._list = dict.fromkeys(self._list, UNCHANGED)
        for month, kept in [*self._kept.items()]:
            kept.files = dict.fromkeys(kept.files, UNCHANGED)
            if not lost.isdisjoint(kept.files):
                del self._kept[month]

    def forget(self) -> None:
        """Make all of them anew the next time."""
        self._kept, self._list = {}, {}

    def _listed(self, site: Site) -> dict[str, bytes]:
        reports = [self._kept[month].report for month in sorted(self._kept, key=_begin)][::-1]
        return {
            f"{path}reports/index.html": self._templates.months(
                [_line(report, language) for report in reports],
                formatting.name(site.settings.title, "Status"),
                language,
                "../" + ("../" if path else ""),
            )
            for path, language in _languages(site)
        }


def _begin(month: Month) -> datetime:
    return month.begin


def _languages(site: Site) -> Iterable[tuple[str, Language]]:
    """Yield each language, and where its pages lie below the folder of the page."""
    for number, code in enumerate(site.settings.languages):
        yield f"{code}/" if number else "", language_of(code)


def _news(month: Month, snapshot: Snapshot) -> object:
    """Return what makes a report another one. Incidents older than a snapshot have no page to lead to."""
    incidents = [
        (incident.id, incident.closed, len(incident.timeline))
        for incident in snapshot.incidents
        if incident.opened < month.end and (incident.closed or snapshot.at) >= month.begin
    ]
    may_change = snapshot.at < month.end + _LATE
    return incidents, snapshot.at.replace(minute=0, second=0, microsecond=0) if may_change else None


def _light(report: MonthReport) -> MonthReport:
    """Keep what the list of months says; the counts of many base URLs are large."""
    return replace(report, services=())


def _view(site: Site, report: MonthReport, language: Language, linked: set[int]) -> ReportView:
    def page_of(incident: Incident) -> str:
        return f"../../incidents/{incident.id}/" if incident.id in linked else ""

    places = {vantage.id: vantage.name(language.code) for vantage in site.vantages}
    return report_view(
        report,
        {site.vantage: own_name(site, language)} | places,
        language,
        site.version,
        site.settings.title,
        shows_urls=site.settings.hosts,
        shows_spend=site.settings.spend,
        link=page_of,
    )


def _line(report: MonthReport, language: Language) -> ListedMonth:
    text = language.gettext("nothing measured")
    if report.days_measured or report.incidents:
        number = len(report.incidents)
        text = language.ngettext("%(num)s incident", "%(num)s incidents", number)
        if report.imported_until:
            unknown = language.gettext("not all incidents are known")
            text = f"{text} · {unknown}" if number else unknown
    if report.is_in_progress:
        going_on = language.gettext("in progress")
        text = f"{text} · {going_on}"
    return ListedMonth(str(report.month), month_name(report.month, language), text)
