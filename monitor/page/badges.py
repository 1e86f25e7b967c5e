"""Badges for other people's pages: flat SVG, and the JSON that shields.io draws from. Pure.

A badge that is fetched after the monitor stopped says "no data", like everything else.
"""

from collections.abc import Iterator
from functools import lru_cache
from html import escape
from unicodedata import east_asian_width

from monitor.page import formatting
from monitor.page.states import State
from monitor.page.view_models import PageView, VantageView

Document = dict[str, object]

COLOURS = {
    State.OPERATIONAL: "1f9d7a",
    State.DEGRADED: "c97700",
    State.PARTIAL: "b5400c",
    State.MAJOR: "8c0a3c",
    State.MAINTENANCE: "3c50b4",
    State.UNKNOWN: "616c79",
}
_CACHE_S = 300
_NARROW, _WIDE, _MARGIN = 7, 11, 7
"""Pixels. `textLength` makes fonts fit into them, whichever the reader has."""


def badges(page: PageView) -> Iterator[tuple[str, str, State]]:
    """Return path without its ending, label and state: of all, of each service, of each endpoint."""
    yield "badge", page.title, _now(page, page.state)
    for service in page.services:
        yield f"badge/{service.id}", service.name, _now(page, service.state)
    for endpoint in page.endpoints:
        yield f"badge/{endpoint.path}", endpoint.name, _now(page, endpoint.state)
    own = {service.id for service in page.services}
    for vantage in page.vantages:
        if vantage.id not in own:  # a service of this id has its badges there
            yield from _badges_from(vantage, page)


def _badges_from(vantage: VantageView, page: PageView) -> Iterator[tuple[str, str, State]]:
    """Return the badges as one vantage sees them."""
    yield f"badge/{vantage.id}", vantage.title, _now(page, vantage.state)
    for service in vantage.services:
        yield f"badge/{vantage.id}/{service.id}", service.name, _now(page, service.state)
    for path, endpoint in vantage.by_path.items():
        yield f"badge/{vantage.id}/{path}", endpoint.name, _now(page, endpoint.state)


def _now(page: PageView, state: State) -> State:
    return State.UNKNOWN if page.stopped_at else state


def shields(label: str, state: State) -> Document:
    """Return a badge in the endpoint schema of shields.io, version 1."""
    return {
        "schemaVersion": 1,
        "label": label,
        "message": formatting.LABELS[state].lower(),
        "color": COLOURS[state],
        "cacheSeconds": _CACHE_S,
    }


@lru_cache(maxsize=4096)
def svg(label: str, state: State) -> bytes:
    message = formatting.LABELS[state].lower()
    left, right = _width(label), _width(message)
    whole, text = left + right, escape(f"{label}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{text}">'
        f'<title>{text}</title><clipPath id="r"><rect width="{whole}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><path fill="#39424e" d="M0 0h{left}v20H0z"/>'
        f'<path fill="#{COLOURS[state]}" d="M{left} 0h{right}v20H{left}z"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11"'
        ' text-rendering="geometricPrecision">'
        f"{_text(label, 0, left)}{_text(message, left, right)}</g></svg>\n"
    ).encode()


def _text(text: str, start: int, width: int) -> str:
    room = width - 2 * _MARGIN
    return f'<text x="{start + _MARGIN}" y="14" textLength="{room}">{escape(text)}</text>'


def _width(text: str) -> int:
    wide = sum(east_asian_width(letter) in {"W", "F"} for letter in text)
    return 2 * _MARGIN + _WIDE * wide + _NARROW * (len(text) - wide)
