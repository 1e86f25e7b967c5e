"""Everything that programs read, as files: status, incidents, the best base URL, the feed, badges."""

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from pydantic_core import to_json

from monitor.page.badges import badges, shields, svg
from monitor.page.best_files import best, best_text
from monitor.page.endpoint_nouns import EndpointView, RetiredView
from monitor.page.feed import atom
from monitor.page.render_cache import RenderCache
from monitor.page.schema import detail_json, detail_schema, status_json, status_schema
from monitor.page.states import State
from monitor.page.status import Statuses, detail, detail_path, retired_detail, status
from monitor.page.statuspage import statuspage
from monitor.page.view_models import PageView


def files(page: PageView, statuses: Statuses, keeper: RenderCache) -> Iterator[tuple[str, bytes]]:
    """Path below the page's folder and content, in the order of publishing."""
    for name, document in statuspage(page).items():
        yield f"api/v2/{name}.json", as_json(document)
    yield "status.schema.json", status_schema()
    yield "endpoint.schema.json", detail_schema()
    yield from _details(page, keeper)
    yield "status.json", status_json(status(page, statuses))
    yield "best.json", as_json(best(page))
    yield "best.txt", best_text(page).encode()
    for each in (page, *page.others):
        yield f"{each.path}feed.atom", atom(each)
    for path, label, state in badges(page):
        yield f"{path}.svg", svg(label, state)
        yield f"{path}.json", _shields(label, state)


def _details(page: PageView, keeper: RenderCache) -> Iterator[tuple[str, bytes]]:
    """Of each endpoint, beside its page."""
    for endpoint in page.endpoints:
        name = detail_path(endpoint.path)
        news = endpoint.state, endpoint.trouble
        make = partial(_detail, endpoint)
        yield name, keeper.file(name, page, news, make, source=endpoint, paced=page.crowded)
    for service in page.services:
        for gone in service.retired:
            name = detail_path(gone.path)
            yield name, keeper.file(name, page, gone.latest, partial(_retired, gone))


def _detail(endpoint: EndpointView) -> bytes:
    return detail_json(detail(endpoint))


def _retired(endpoint: RetiredView) -> bytes:
    return detail_json(retired_detail(endpoint))


@lru_cache(maxsize=4096)
def _shields(label: str, state: State) -> bytes:
    return as_json(shields(label, state))


def as_json(document: Mapping[str, Any]) -> bytes:
    return to_json(document) + b"\n"
