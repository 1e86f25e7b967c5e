"""A `PageView` -> files. The only file that knows Jinja.

Autoescape is on for every template; values go into quoted attributes or text, nowhere else.
"""

import hashlib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from monitor.language import templates
from monitor.page import drawings, programs, words
from monitor.page.feed import robots, sitemap
from monitor.page.nouns import PageView
from monitor.page.states import State


class Renderer:
    """Templates and assets are read once."""

    def __init__(self) -> None:
        folder = templates()
        self._env = Environment(
            loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.globals.update(
            words=words, drawings=drawings, State=State, labels=words.LABELS, icons=_icons(folder)
        )
        self._assets = dict(
            _hashed((folder / name).read_bytes(), name) for name in ("style.css", "status.js")
        )
        self._env.globals["assets"] = {name.split(".", 1)[0]: name for name in self._assets}

    def files(self, page: PageView) -> Mapping[str, bytes]:
        """Path below the page's folder -> content, in the order of publishing: the home page last."""
        found: dict[str, bytes] = dict(self._assets)
        found |= programs.files(page)
        found["favicon.svg"] = self._html(
            "favicon.svg", page, "", state=State.UNKNOWN if page.stopped else page.state
        )
        found["favicon-unknown.svg"] = self._html("favicon.svg", page, "", state=State.UNKNOWN)
        for story in page.stories:
            found[f"incidents/{story.id}/index.html"] = self._html(
                "incident.html", page, "../../", story=story
            )
        for endpoint in page.endpoints:
            path = f"endpoints/{endpoint.path}/index.html"
            found[path] = self._html("endpoint.html", page, "../../../", endpoint=endpoint)
        found["index.html"] = self._html("index.html", page, "")
        return _signposts(page, found) | found

    def _html(self, name: str, page: PageView, root: str, **more: Any) -> bytes:
        """`root` leads back to the home page: the page works under any sub-path."""
        return self._env.get_template(name).render(page=page, root=root, **more).encode()


def _signposts(page: PageView, found: Mapping[str, bytes]) -> dict[str, bytes]:
    """For search engines, where the page has an address."""
    if page.url is None:
        return {}
    return {"robots.txt": robots(page.url), "sitemap.xml": sitemap(page.url, found)}


def _icons(folder: Traversable) -> str:
    return (folder / "icons.svg").read_text("utf-8")


def _hashed(content: bytes, name: str) -> tuple[str, bytes]:
    stem, ending = name.rsplit(".", 1)
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{ending}", content
