"""Reports of November 2026: of the founding example from two places, and of one whose names are hostile."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from page_cast import CHECKS, SERVICE

from monitor.language import language, templates
from monitor.model import (
    Failure,
    FailureKind,
    Incident,
    Month,
    MonthCounts,
    MonthRecord,
    Rollup,
    Service,
    Severity,
    Spend,
    Vantage,
)
from monitor.month_report import MonthReport, month_report
from monitor.page.render import Renderer, environment
from monitor.page.render_cache import RenderCache
from monitor.page.report_views import ListedMonth, ReportView, report_view

NOVEMBER = Month(2026, 11)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATER = NOVEMBER.end + 5 * DAY
HOSTILE = '=cmd|"<script>alert(1)</script>"\x1b[31m\u202e'
PLACES = {"sfo": "San Francisco", "cn": "Shanghai"}
MONTH_OF = tuple(date(2026, 11, number) for number in range(1, 31))


def counts(path: str, vantage: str, days: int = 30, **runs: int) -> MonthCounts:
    figures = {"ttft": {323: 90, 350: 9, 400: 1}, "total": {357: 90, 400: 10}}
    more = {name: runs.pop(name) for name in ("maintenance", "missed") if name in runs}
    rollup = Rollup(outcomes=runs, figures=figures if runs.get("up") else {}, **more)
    return MonthCounts(
        check=f"{path}/chat", vantage=vantage, rollup=rollup, measured=frozenset(MONTH_OF[:days])
    )


def incident(number: int, paths: Sequence[str], service: str | None, **changes: Any) -> Incident:
    given: dict[str, Any] = {
        "id": number,
        "service": service,
        "severity": Severity.DOWN,
        "opened": NOVEMBER.begin + number * DAY,
        "closed": NOVEMBER.begin + number * DAY + 3 * HOUR,
        "checks": tuple(f"{path}/chat" for path in paths),
        "active": frozenset(),
        "failure": Failure(FailureKind.BAD_GATEWAY, f"got HTTP 502: {HOSTILE!r}, want 200"),
    }
    return Incident(**{**given, **changes})


def founding(**changes: Any) -> MonthReport:
    """Two base URLs measured, from two places; the other four were not."""
    a, b = (endpoint.path for endpoint in SERVICE.endpoints[:2])
    given: dict[str, Any] = {
        "counts": (
            counts(a, "sfo", up=9000, degraded=900, down=100, unknown=50, missed=25),
            counts(a, "cn", 3, up=90, down=10, maintenance=100),
            counts(b, "sfo", 0, unknown=7),
        ),
        "incidents": (
            incident(9, [a], "ohmygpt"),
            incident(4, [e.path for e in SERVICE.endpoints], "ohmygpt", severity=Severity.DEGRADED),
            incident(2, [], None, severity=Severity.MONITOR),
        ),
        "spent": {("sfo", "ohmygpt"): Spend(12_345, 1.5), ("cn", "ohmygpt"): Spend(55, 0.25)},
        "measured_since": NOVEMBER.begin,
        "seen_until": LATER,
    }
    record = MonthRecord(**{**given, **changes})
    vantages = (Vantage(id="cn", public_keys=("k",)),)
    return month_report(NOVEMBER, record, (SERVICE,), CHECKS, "sfo", vantages, "EUR", LATER)


def hostile() -> MonthReport:
    """Every name that an operator, an agent or an older configuration gave."""
    endpoint = replace(SERVICE.endpoints[0], name=HOSTILE, url="https://x.example/?a=<b>&c='d'")
    service = Service(id="ohmygpt", name=HOSTILE, endpoints=(endpoint,))
    record = MonthRecord(
        counts=(
            counts(endpoint.path, HOSTILE, up=9, down=1),
            counts(f"ohmygpt/{HOSTILE}", "sfo", up=9),
        ),
        incidents=(incident(3, [endpoint.path], "ohmygpt"),),
        spent={(HOSTILE, "ohmygpt"): Spend(1), ("sfo", "ohmygpt"): Spend(1)},
        measured_since=NOVEMBER.begin,
        seen_until=LATER,
    )
    return month_report(NOVEMBER, record, (service,), (), "sfo", (), "EUR", LATER)


def said(report: MonthReport, code: str = "en", **options: Any) -> ReportView:
    return report_view(report, PLACES, language(code), "1.0", HOSTILE, **options)


def listed(code: str) -> Mapping[str, bytes]:
    """Return the list of months with its stylesheet, by name."""
    renderer = Renderer()
    months = [ListedMonth("2026-11", "November 2026", "3 incidents"), ListedMonth("x", HOSTILE, "")]
    name, style = renderer.report_style
    return {
        f"list-{code}.html": renderer.months(months, HOSTILE, language(code), ""),
        name: style,
    }


def html(report: MonthReport, code: str = "en", **options: Any) -> str:
    env = environment(templates(), language(code), RenderCache())
    view = said(report, code, **options)
    return env.get_template("report.html").render(view=view, home="", style="")
