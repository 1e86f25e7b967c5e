"""Every link within the page leads to a file that is published, below any path."""

import re
from dataclasses import replace
from html import unescape
from posixpath import dirname, join, normpath
from urllib.parse import urlsplit

import pytest
from rendering import rendered
from worlds import SITES, WORLDS

from monitor.page import view

LINK = re.compile(r'(?:href|src|data-src)="([^"#][^"]*)"')


@pytest.mark.parametrize("world", WORLDS)
def test_every_relative_link_leads_to_a_published_file(world: str) -> None:
    files = rendered(view(SITES[world], WORLDS[world](), {})[0])
    checked, broken = 0, set()
    for name, content in files.items():
        if not name.endswith(".html") or name.endswith("404.html"):
            continue
        for link in map(unescape, LINK.findall(content.decode())):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            assert not link.startswith("/"), f"{name}: {link} does not work below a path"
            target = normpath(join(dirname(name), parts.path))
            checked += 1
            if not {target, normpath(f"{target}/index.html")} & set(files):
                broken.add(f"{name}: {link}")
    assert broken == set()
    assert checked > 50


def test_addresses_that_must_be_whole_keep_the_path_of_the_page() -> None:
    site = SITES["mock"]
    settings = replace(site.settings, url="https://example.org/a/status")
    page = view(replace(site, settings=settings), WORLDS["mock"](), {})[0]
    files = rendered(page)
    for name in ("sitemap.xml", "robots.txt", "feed.atom"):
        whole = set(re.findall(r"https://example\.org[^\s<\"]*", files[name].decode()))
        assert whole != set(), name
        assert {
            address for address in whole if not address.startswith("https://example.org/a/status/")
        } == set()
