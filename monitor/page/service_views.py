"""One service as one vantage sees it: its base URLs, and which of them to use now. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.model import NO_SPEND, Check, Incident, Maintenance, Service, Snapshot
from monitor.page import formatting
from monitor.page.endpoint_views import endpoint_view, retired_views
from monitor.page.published import SpendView
from monitor.page.render_cache import RenderCache
from monitor.page.states import WORKING, call_state, service_state
from monitor.page.trust import comparable
from monitor.page.view_models import EndpointView, PickView, ServiceView, Site
from monitor.ranking import Candidate, Pick, candidates, choose, main_check

NEXT = 3
"""More base URLs that are named after the best."""


def service_view(
    service: Service,
    site: Site,
    snapshot: Snapshot,
    incidents: Mapping[str, Sequence[Incident]],
    before: Pick,
    cache: RenderCache,
) -> tuple[ServiceView, Pick]:
    """Return a service with its base URLs, and which one is recommended now.

    `incidents` are those of each endpoint; `before` is what was recommended last.
    """
    checks_of_all = [check for check in site.checks if check.service == service.id]
    peers = comparable(checks_of_all, snapshot.habits)
    by_path: dict[str, list[Check]] = {endpoint.path: [] for endpoint in service.endpoints}
    for check in checks_of_all:
        by_path[check.endpoint.path].append(check)
    measured = {path: checks for path, checks in by_path.items() if checks}
    paused = {path for path in measured if _is_paused(site.maintenance, path, snapshot.at)}
    endpoints = tuple(
        endpoint_view(
            checks,
            snapshot,
            site.settings,
            incidents.get(path, ()),
            cache,
            vantage=site.vantage,
            paused=path in paused,
            peers=peers,
        )
        for path, checks in measured.items()
    )
    mains = [main_check(checks) for path, checks in measured.items() if path not in paused]
    ranked = candidates(mains, snapshot.checks, snapshot.at, snapshot.incidents, site.vantage)
    pick = choose(before, ranked)
    picks, following = _picks(service, endpoints, ranked, pick.endpoint)
    if snapshot.stopped_at:
        picks = following = ()
    calls = {
        probe: call_state(
            endpoint.checks[probe].state for endpoint in endpoints if probe in endpoint.checks
        )
        for probe in dict.fromkeys(check.probe.id for check in checks_of_all)
    }
    view = ServiceView(
        id=service.id,
        name=formatting.name(service.name, service.id),
        state=service_state(
            [endpoint.state for endpoint in endpoints],
            [endpoint.main_state for endpoint in endpoints],
        ),
        calls=calls,
        main_call=call_state(endpoint.main_state for endpoint in endpoints),
        best=picks[0].url if picks else None,
        endpoints=endpoints,
        picks=picks,
        next=following,
        chosen=pick.endpoint,
        retired=tuple(retired_views(service, checks_of_all, snapshot)),
        spend=_spend(service.id, snapshot, site.settings.currency) if site.settings.spend else None,
    )
    return view, pick


def _is_paused(maintenance: Sequence[Maintenance], path: str, now: datetime) -> bool:
    return any(plan.covers(path) and plan.window_at(now) for plan in maintenance)


def _spend(service: str, snapshot: Snapshot, currency: str) -> SpendView:
    today = snapshot.spent_today.get(service, NO_SPEND)
    return SpendView(today, snapshot.spent_month.get(service, NO_SPEND), currency)


def _picks(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    chosen: str | None,
) -> tuple[tuple[PickView, ...], tuple[PickView, ...]]:
    """Return the base URL to use now, with the best for long calls where it cuts those off; then the next.

    Only those whose main call is answered now; one with a flaw only where nothing else is left.
    """
    views = {endpoint.path: endpoint for endpoint in endpoints}
    usable = [candidate for candidate in ranked if views[candidate.endpoint].main_state in WORKING]
    usable = [candidate for candidate in usable if candidate.flaw == usable[0].flaw]
    best = [candidate for candidate in usable if candidate.endpoint == chosen] or usable[:1]
    whole = [candidate for candidate in usable if views[candidate.endpoint].cut_after is None]
    shown = best + whole[:1] if best and views[best[0].endpoint].cut_after else best

    def pick(candidate: Candidate) -> PickView:
        view = views[candidate.endpoint]
        return PickView(
            service=formatting.name(service.name, service.id),
            endpoint=candidate.endpoint,
            name=view.name,
            url=view.url,
            host=view.shown,
            median_ms=round(candidate.milliseconds, 1),
            long_call=candidate in shown and candidate not in best,
            flaw=candidate.flaw,
            cut_after=view.cut_after,
        )

    others = [candidate for candidate in usable if candidate not in shown]
    return tuple(map(pick, shown)), tuple(map(pick, others[:NEXT]))
