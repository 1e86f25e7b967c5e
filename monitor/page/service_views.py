"""One service as the page shows it: its base URLs, and which of them to use now. Pure."""

from collections.abc import Sequence

from monitor.model import NO_SPEND, Check, Service, Snapshot
from monitor.page import formatting
from monitor.page.endpoint_nouns import EndpointView
from monitor.page.endpoint_views import EndpointViews, main_check
from monitor.page.maintenance import paused_now
from monitor.page.ranking import Candidate, Pick, candidates, choose
from monitor.page.retired import retired
from monitor.page.states import WORKING, State, service_state
from monitor.page.view_models import PickView, ServiceView, Site, SpendView

NEXT = 3
"""More base URLs that are named after the best."""


def service_view(
    service: Service, site: Site, snapshot: Snapshot, known: EndpointViews, before: Pick
) -> tuple[ServiceView, Pick]:
    """`before` is what was recommended last; returned as it is now."""
    checks = [check for check in site.checks if check.service == service.id]
    grouped: dict[str, list[Check]] = {endpoint.path: [] for endpoint in service.endpoints}
    for check in checks:
        grouped[check.endpoint.path].append(check)
    measured = {path: found for path, found in grouped.items() if found}
    paused = {path for path in measured if paused_now(site.maintenance, path, snapshot.at)}
    endpoints = tuple(
        known.view(found, snapshot, site.settings, paused=path in paused)
        for path, found in measured.items()
    )
    mains = [main_check(found) for path, found in measured.items() if path not in paused]
    ranked = candidates(mains, snapshot.checks, snapshot.at)
    pick = choose(before, ranked)
    picks, following = _picks(service, endpoints, ranked, pick.endpoint)
    view = ServiceView(
        id=service.id,
        name=formatting.name(service.name, service.id),
        state=service_state([each.state for each in endpoints], carried=_carried(endpoints)),
        endpoints=endpoints,
        picks=picks,
        next=following,
        retired=tuple(retired(service, checks, snapshot)),
        probes=tuple(dict.fromkeys(check.probe.id for check in checks)),
        spend=_spend(service.id, snapshot, site.settings.currency) if site.settings.spend else None,
    )
    return view, pick


def _spend(service: str, snapshot: Snapshot, currency: str) -> SpendView:
    today = snapshot.spent_today.get(service, NO_SPEND)
    return SpendView(today, snapshot.spent_month.get(service, NO_SPEND), currency)


def _carried(endpoints: Sequence[EndpointView]) -> bool:
    """Every kind of call that was measured at all works through one endpoint at least."""
    seen: dict[str, set[State]] = {}
    for endpoint in endpoints:
        for probe, cell in endpoint.cells.items():
            if cell.state not in {State.UNKNOWN, State.MAINTENANCE}:
                seen.setdefault(probe, set()).add(cell.state)
    return all(states & WORKING for states in seen.values())


def _picks(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    chosen: str | None,
) -> tuple[tuple[PickView, ...], tuple[PickView, ...]]:
    """The base URL to use now, and where that one cuts long calls off, the best that does not; the next."""
    views = {each.path: each for each in endpoints}
    best = [each for each in ranked if each.endpoint == chosen]
    whole = [each for each in ranked if views[each.endpoint].cut_after is None]
    shown = best + whole[:1] if best and views[best[0].endpoint].cut_after else best

    def pick(each: Candidate) -> PickView:
        view = views[each.endpoint]
        return PickView(
            service=formatting.name(service.name, service.id),
            endpoint=each.endpoint,
            name=view.name,
            url=view.url,
            host=view.shown,
            milliseconds=each.milliseconds,
            long_call=each in shown and each not in best,
            cut_after=view.cut_after,
        )

    others = [each for each in ranked if each not in shown]
    return tuple(map(pick, shown)), tuple(map(pick, others[:NEXT]))
