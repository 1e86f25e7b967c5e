"""Everything that programs read, as files: documents, the feed, badges."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.page import documents
from monitor.page.badges import badges, shields, svg
from monitor.page.feed import atom
from monitor.page.nouns import PageView


def files(page: PageView) -> Iterator[tuple[str, bytes]]:
    """Path below the page's folder and content, in the order of publishing."""
    for name, document in documents.statuspage(page).items():
        yield f"api/v2/{name}.json", as_json(document)
    yield "status.json", as_json(documents.status(page))
    yield "best.json", as_json(documents.best(page))
    yield "best.txt", documents.best_text(page).encode()
    yield "feed.atom", atom(page)
    for path, label, state in badges(page):
        yield f"{path}.svg", svg(label, state).encode()
        yield f"{path}.json", as_json(shields(label, state))


def as_json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
