"""Everything that programs read, as files: status, incidents, the best base URL, the feed, the calendar, badges.

The JSON of `published.py` and its schemas come from the same types, so they cannot differ.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from monitor.model import Point
from monitor.page import formatting
from monitor.page.badges import badges, shields, svg
from monitor.page.feed import atom
from monitor.page.llms import llms_text
from monitor.page.maintenance_calendar import calendar
from monitor.page.published import DayOfUse, EndpointDetail, HalfHour, Status
from monitor.page.render_cache import RenderCache
from monitor.page.states import State
from monitor.page.statuspage import statuspage
from monitor.page.view_models import (
    EndpointHistory,
    EndpointView,
    PageView,
    PickView,
    RetiredView,
    ServiceView,
)
from monitor.page.window_stats import rounded

_STATUS = TypeAdapter(Status)
_DETAIL = TypeAdapter(EndpointDetail)


def files(page: PageView, render_cache: RenderCache) -> Iterator[tuple[str, bytes]]:
    """Yield path below the page's folder and content, in the order of publishing."""
    for name, document in statuspage(page).items():
        yield f"api/v2/{name}.json", as_json(document)
    yield "status.schema.json", status_schema()
    yield "endpoint.schema.json", detail_schema()
    yield from _details(page, render_cache)
    yield "status.json", status_json(page)
    yield "best.json", as_json(best_document(page, page.for_users))
    yield "best.txt", best_text(page, page.for_users).encode()
    for vantage in page.vantages:
        yield f"best/{vantage.id}.json", as_json(best_document(page, vantage.services))
        yield f"best/{vantage.id}.txt", best_text(page, vantage.services).encode()
    for each in (page, *page.others):
        yield f"{each.path}feed.atom", atom(each)
        if each.calendar:
            yield f"{each.path}maintenance.ics", calendar(each, render_cache)
    if page.by_service:
        yield "names.json", names_json(page)
    yield "llms.txt", llms_text(page).encode()
    for path, label, state in badges(page):
        yield f"{path}.svg", svg(label, state)
        yield f"{path}.json", _shields(label, state)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON, made in pieces: one call for ten thousand base URLs would hold up all probes."""
    fields = (b"%s:%s" % (to_json(name), _in_pieces(value)) for name, value in document.items())
    return b"{%s}\n" % b",".join(fields)


def _in_pieces(value: object) -> bytes:
    if not isinstance(value, list):
        return to_json(value)
    return b"[%s]" % b",".join(to_json(entry) for entry in value)  # map() would let nobody between


@lru_cache(maxsize=4096)
def _shields(label: str, state: State) -> bytes:
    return as_json(shields(label, state))


def names_json(page: PageView) -> bytes:
    """Return service, name and address of each base URL: what the home page's search looks through."""
    return as_json(
        {
            endpoint.path: [service.name, endpoint.name, endpoint.url or ""]
            for service in page.services
            for endpoint in service.endpoints
        }
    )


# --- status.json ----------------------------------------------------------------------------------


def status_json(page: PageView) -> bytes:
    """Return the published fields of the page: those of several vantages only where there are several, and what
    one gets only where the operator shows it.
    """
    fields = {*(() if page.vantages else ("from_",)), *(() if page.shows_trust else ("trust",))}
    left_out: dict[str, Any] = {"services": {"__all__": {"endpoints": {"__all__": fields}}}}
    if not page.vantages:
        left_out["vantages"] = True
    return _STATUS.dump_json(page, by_alias=True, exclude=left_out) + b"\n"


@cache
def status_schema() -> bytes:
    return _schema(_STATUS)


@cache
def detail_schema() -> bytes:
    return _schema(_DETAIL)


def _schema(adapter: TypeAdapter[Any]) -> bytes:
    """Return a JSON Schema, 2020-12."""
    head: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema = head | adapter.json_schema(mode="serialization")
    return (json.dumps(schema, indent=1) + "\n").encode()


# --- the file of each endpoint, beside its page ---------------------------------------------------


def _details(page: PageView, render_cache: RenderCache) -> Iterator[tuple[str, bytes]]:
    for endpoint in page.endpoints:
        news, make = (endpoint.state, endpoint.trouble), partial(_detail_json, endpoint)
        yield endpoint.detail, render_cache.file(endpoint.detail, page, news, make)
    for service in page.services:
        for retired in service.retired:
            make = partial(_detail_json, retired)
            yield retired.detail, render_cache.file(retired.detail, page, retired.latest, make)


def _detail_json(endpoint: EndpointView | RetiredView) -> bytes:
    return _DETAIL.dump_json(detail(endpoint)) + b"\n"


def detail(endpoint: EndpointView | RetiredView) -> EndpointDetail:
    """Describe what a base URL has been like; of a retired one, what is still known."""
    probed = endpoint if isinstance(endpoint, EndpointView) else None
    return EndpointDetail(
        service=endpoint.path.split("/")[0],
        id=endpoint.id,
        name=endpoint.name,
        retired=probed is None,
        latest=endpoint.latest,
        phases_ms={name: round(value, 1) for name, value in probed.phases} if probed else {},
        windows=endpoint.history.windows,
        days=_days(endpoint.history),
        last_24h=tuple(map(_half_hour, probed.points)) if probed else (),
        runs=probed.runs if probed else (),
        errors=(probed.errors or None) if probed else None,
    )


def _days(history: EndpointHistory) -> tuple[DayOfUse, ...]:
    return tuple(
        DayOfUse(day=day.day, state=day.state, minutes=day.minutes) for day in history.days
    )


def _half_hour(point: Point) -> HalfHour:
    return HalfHour(
        at=formatting.whole_second(point.at),
        p50_ms=rounded(point.p50),
        p95_ms=rounded(point.p95),
        tokens_per_s=rounded(point.tokens_per_s),
    )


# --- best.txt, best.json --------------------------------------------------------------------------


def best_text(page: PageView, services: Sequence[ServiceView]) -> str:
    """Return one line a service of the page; an empty one where none works, or where nobody looks, now or at all."""
    best = {service.id: service.best for service in services}
    return "".join(f"{best.get(service.id) or ''}\n" for service in page.services)


def best_document(page: PageView, services: Sequence[ServiceView]) -> dict[str, Any]:
    return {
        "generated_at": formatting.iso(page.generated_at),
        "valid_until": formatting.iso(page.valid_until),
        "services": {service.id: _best(service) for service in services},
        "last": {
            service.id: service.chosen.split("/")[1] for service in services if service.chosen
        },
    }


def _best(service: ServiceView) -> dict[str, Any] | None:
    if not service.picks:
        return None
    pick: PickView = service.picks[0]
    return {
        "url": pick.url,
        "median_ms": pick.median_ms,
        "flaw": pick.flaw,
        "endpoint": pick.endpoint.split("/")[1],
    }
