"""Maintenance as a calendar to subscribe to (iCalendar, RFC 5545). Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from monitor.model import clean_text
from monitor.page.render_cache import RenderCache
from monitor.page.view_models import MaintenanceView, PageView

LONGEST_TEXT = 1000
"""Characters of a description, which names all that is affected."""
_LINE_BYTES = 75
_HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//monitor//maintenance//EN")


def calendar(page: PageView, cache: RenderCache) -> bytes:
    """Return the calendar in the language of the page. It changes only when a window does."""
    name = _text(f"{page.title}: {page.language.gettext('Maintenance')}")
    lines = [*_HEAD, f"NAME:{name}", f"X-WR-CALNAME:{name}", "REFRESH-INTERVAL;VALUE=DURATION:PT1H"]
    for window in page.calendar:
        lines += _event(page, window, cache)
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"]).encode()


def _event(page: PageView, window: MaintenanceView, cache: RenderCache) -> Iterator[str]:
    """Yield an event. Its stamp is when the monitor first saw it so, for that is when it was revised."""
    uid = _uid(page, window)
    lines = (*_content(page, window),)
    stamp = cache.keep(("maintenance", page.path, uid), lines, lambda: page.generated_at)
    yield from ("BEGIN:VEVENT", f"UID:{_text(uid)}", f"DTSTAMP:{_time(stamp)}")
    yield from lines
    yield "END:VEVENT"


def _content(page: PageView, window: MaintenanceView) -> Iterator[str]:
    say = page.language.gettext
    affected = say("Affects %(names)s.", names=page.language.listed(window.names))
    if window.whole:
        affected = say("Affects all base URLs.")
    uncounted = say("Failures during it are not counted.")
    yield f"DTSTART:{_time(window.begins)}"
    yield f"DTEND:{_time(window.ends)}"
    yield f"SUMMARY:{_text(say('Scheduled maintenance: %(title)s', title=window.title))}"
    yield f"DESCRIPTION:{_text(f'{affected}{page.language.space}{uncounted}')}"
    if page.url:
        yield f"URL:{page.url}/{page.path}"
    yield "TRANSP:TRANSPARENT"  # nobody is busy meanwhile


def _uid(page: PageView, window: MaintenanceView) -> str:
    """Name a window below the page's address: by its id where it comes once, so that it may be moved, else by its begin too."""
    parts = urlsplit(page.url or "")
    begins = f"-{_time(window.begins)}" if window.recurs else ""
    return f"{window.id}{begins}@{parts.hostname or 'localhost'}{parts.path}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """Escape a text, of one line (3.3.11)."""
    text = clean_text(text, LONGEST_TEXT)
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> str:
    """Break a line into pieces of at most 75 octets, never within a character (3.1)."""
    pieces, room = [""], _LINE_BYTES
    for char in line:
        size = len(char.encode())
        if size > room:
            pieces.append("")
            room = _LINE_BYTES - 1  # a space begins it
        pieces[-1] += char
        room -= size
    return "\r\n ".join(pieces)
