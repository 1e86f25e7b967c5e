"""A site whose operator chose every name, title and address to hurt."""

from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser

from page_cast import CHECKS, SITE

from monitor.page import Site

HOSTILE = (
    """</title></script><script>alert(1)</script><img src=x onerror=alert(1)>"'`{{7*7}}&\u202e"""
)

ADDRESS = 'https://status.example/"><script>'


class Tags(HTMLParser):
    """What a browser would make elements and attributes of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, Mapping[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(content: bytes) -> list[tuple[str, Mapping[str, str | None]]]:
    parser = Tags()
    parser.feed(content.decode())
    return parser.seen


def hostile_site() -> Site:
    service = replace(SITE.services[0], name=HOSTILE)
    endpoints = tuple(
        replace(
            endpoint, name=HOSTILE, url=f'https://{endpoint.id}.example;script-src *;/?"><script>'
        )
        for endpoint in service.endpoints
    )
    named = {endpoint.id: endpoint for endpoint in endpoints}
    return replace(
        SITE,
        services=(replace(service, endpoints=endpoints),),
        checks=tuple(replace(check, endpoint=named[check.endpoint.id]) for check in CHECKS),
        settings=replace(SITE.settings, title=HOSTILE, url=ADDRESS),
        vantage=HOSTILE,
        version=HOSTILE,
    )
