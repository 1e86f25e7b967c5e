"""Incidents and announcements as an Atom feed (RFC 4287), and the map of the site. Pure.

Nothing in the feed depends on when it was written: it changes when an incident or announcement does, so
readers fetch it again only then.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from xml.sax.saxutils import escape as xml

from monitor.page import formatting
from monitor.page.view_models import AnnouncementView, IncidentView, PageView

ENTRIES = 50
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without incidents changed last: Atom wants a time, and rendering is no change."""
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_URLSET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot carry, even escaped."""


def atom(page: PageView) -> bytes:
    """Return the feed in the language of the page; it lies beside its home page."""
    path = page.path
    incidents = sorted(page.incidents, key=lambda incident: incident.opened, reverse=True)[:ENTRIES]
    feed = Element("feed", {"xmlns": "http://www.w3.org/2005/Atom", "xml:lang": page.language.code})
    _text(feed, "title", page.title)
    _text(feed, "id", _tag(page, "2026", f"{path}feed"))
    times = [*map(changed, incidents), *(each.at for each in page.announcements)]
    _text(feed, "updated", formatting.iso(max(times, default=NEVER)))
    SubElement(
        feed,
        "link",
        rel="self",
        type="application/atom+xml",
        href=_address(page, f"{path}feed.atom", "feed.atom"),
    )
    SubElement(feed, "link", rel="alternate", type="text/html", href=_address(page, path, "./"))
    _text(SubElement(feed, "author"), "name", page.title)
    SubElement(feed, "generator", version=page.version).text = "monitor"
    for announcement in page.announcements:
        _announcement(feed, page, announcement)
    for incident in incidents:
        _entry(feed, page, incident)
    return _file(feed)


def changed(incident: IncidentView) -> datetime:
    """Return when something last happened to an incident."""
    known = [incident.opened, *(update.at for update in incident.updates)]
    return max([*known, incident.closed] if incident.closed else known)


def _entry(feed: Element, page: PageView, incident: IncidentView) -> None:
    entry = SubElement(feed, "entry")
    own = f"incidents/{incident.id}/"
    _text(entry, "id", _incident_tag(page, incident))
    _text(entry, "title", f"{incident.title} · {incident.phase}")
    _text(entry, "published", formatting.iso(incident.opened))
    _text(entry, "updated", formatting.iso(changed(incident)))
    SubElement(
        entry,
        "link",
        rel="alternate",
        type="text/html",
        href=_address(page, f"{page.path}{own}", own),
    )
    SubElement(entry, "category", term=incident.state.value)
    SubElement(entry, "content", type="html").text = _clean(_content(page, incident))


def _announcement(feed: Element, page: PageView, announcement: AnnouncementView) -> None:
    """Add an announcement while it stands. It has no page of its own, and no category: that is a state."""
    entry, say = SubElement(feed, "entry"), page.language.gettext
    day = f"{announcement.at:%Y-%m-%d}"
    own = f"{page.path}announcements/{announcement.id}/{announcement.at:%H%M%S}"
    _text(entry, "id", _tag(page, day, own))
    title = say("Announcement, %(name)s", name=announcement.name) if announcement.name else None
    _text(entry, "title", title or say("Announcement"))
    for when in ("published", "updated"):
        _text(entry, when, formatting.iso(announcement.at))
    href = _address(page, page.path, "./")
    SubElement(entry, "link", rel="alternate", type="text/html", href=href)
    _text(entry, "content", announcement.text)


def _content(page: PageView, incident: IncidentView) -> str:
    """Say what it is and, while it goes on, what to do; then the updates, newest first."""
    said = f"{incident.what} {incident.do}".rstrip()
    head = f"<p>{escape(said)}</p>"
    updates = (
        f'<p><time datetime="{formatting.iso(update.at)}">{formatting.moment(update.at, page.language)}</time> '
        f"<b>{escape(update.label)}</b>: {escape(update.text)}</p>"
        for update in incident.updates
    )
    return "\n".join((head, *updates))


def _incident_tag(page: PageView, incident: IncidentView) -> str:
    """Name an incident, with its second: numbers begin anew where the history was lost."""
    opened = incident.opened.astimezone(UTC)
    return _tag(page, f"{opened:%Y-%m-%d}", f"{page.path}incidents/{incident.id}/{opened:%H%M%S}")


def _tag(page: PageView, day: str, what: str) -> str:
    """Return a tag URI (RFC 4151) below the page's address; of this machine where it has none."""
    parts = urlsplit(page.url or "")
    return f"tag:{parts.hostname or 'localhost'},{day}:{parts.path}/{what}"


def _address(page: PageView, path: str, relative: str) -> str:
    return f"{page.url}/{path}" if page.url else relative


def _file(root: Element) -> bytes:
    indent(root)
    return _HEAD.encode() + bytes(tostring(root, "utf-8")) + b"\n"


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _clean(text)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def sitemap(url: str, pages: Iterable[str]) -> bytes:
    """Return the sitemap. `pages` are the paths of HTML files; those that are no folder's page are left out."""
    folders = (path.removesuffix("index.html") for path in pages if _is_home(path))
    places = [
        f"  <url>\n    <loc>{xml(_clean(url + '/' + folder))}</loc>\n  </url>\n"
        for folder in folders
    ]
    return "".join((_HEAD, _URLSET, *places, "</urlset>\n")).encode()


def _is_home(path: str) -> bool:
    return path == "index.html" or path.endswith("/index.html")


def robots(url: str) -> bytes:
    return f"User-agent: *\nAllow: /\nSitemap: {url}/sitemap.xml\n".encode()
