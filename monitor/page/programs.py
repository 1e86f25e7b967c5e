"""Everything that programs read, as files: status, incidents, the best base URL, the feed, badges."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.page.badges import badges, shields, svg
from monitor.page.best_files import best, best_text
from monitor.page.feed import atom
from monitor.page.nouns import PageView
from monitor.page.schema import status_json, status_schema
from monitor.page.status import Windows, status
from monitor.page.statuspage import statuspage


def files(page: PageView, windows: Windows) -> Iterator[tuple[str, bytes]]:
    """Path below the page's folder and content, in the order of publishing."""
    for name, document in statuspage(page).items():
        yield f"api/v2/{name}.json", as_json(document)
    yield "status.schema.json", status_schema()
    yield "status.json", status_json(status(page, windows))
    yield "best.json", as_json(best(page))
    yield "best.txt", best_text(page).encode()
    for each in (page, *page.others):
        yield f"{each.path}feed.atom", atom(each)
    for path, label, state in badges(page):
        yield f"{path}.svg", svg(label, state).encode()
        yield f"{path}.json", as_json(shields(label, state))


def as_json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
