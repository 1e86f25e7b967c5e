"""A `PageView` -> files. The only file that knows Jinja.

Autoescape is on for every template; values go into quoted attributes or text, nowhere else.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from zlib import crc32

from jinja2 import Environment, FunctionLoader, StrictUndefined

from monitor.language import Language, templates
from monitor.page import drawings, programs, words
from monitor.page.feed import robots, sitemap
from monitor.page.nouns import EndpointView, PageView
from monitor.page.states import State
from monitor.page.status import Windows


@dataclass(frozen=True, slots=True)
class Assets:
    """What every page loads: file names with a hash of their content, so that they may be kept for ever."""

    files: Mapping[str, bytes]
    style: str
    script: str
    own_style: str | None = None
    logo: str | None = None


class Renderer:
    """Templates and our own assets are read once."""

    def __init__(self) -> None:
        self._folder = templates()
        self._ours = tuple(_hashed(self._folder / name) for name in ("style.css", "status.js"))
        self._env: dict[str, Environment] = {}
        self._windows = Windows()
        self._kept: dict[str, Kept] = {}

    def files(self, page: PageView) -> Mapping[str, bytes]:
        """Path below the page's folder -> content, in the order of publishing: home pages last."""
        assets = self._assets(page)
        found: dict[str, bytes] = dict(assets.files)
        found |= programs.files(page, self._windows)
        state = State.UNKNOWN if page.stopped else page.state
        favicon = self._environment(page.language).get_template("favicon.svg")
        found["favicon.svg"] = favicon.render(state=state).encode()
        found["favicon-unknown.svg"] = favicon.render(state=State.UNKNOWN).encode()
        all_pages = (page, *page.others)
        for each in (*page.others, page):
            env = self._environment(each.language)
            pages = Pages(env, each, assets, all_pages, self._kept)
            found |= pages.below()
            found |= pages.home()
        self._kept = {name: kept for name, kept in self._kept.items() if name in found}
        return _signposts(page, found) | found

    def _assets(self, page: PageView) -> Assets:
        (style, style_bytes), (script, script_bytes) = self._ours
        own, logo = _own(page.css, "own"), _own(page.logo, "logo")
        return Assets(
            files={style: style_bytes, script: script_bytes, **dict(each for each in (own, logo) if each)},
            style=style,
            script=script,
            own_style=own and own[0],
            logo=logo and logo[0],
        )  # fmt: skip

    def _environment(self, language: Language) -> Environment:
        if language.code not in self._env:
            self._env[language.code] = _environment(self._folder, language)
        return self._env[language.code]


@dataclass(frozen=True, slots=True)
class Kept:
    """A page of one of very many base URLs: made again when it has news, and before it is old."""

    at: datetime
    news: object
    content: bytes


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one language."""

    env: Environment
    page: PageView
    assets: Assets
    all: tuple[PageView, ...]
    """Every language, the default one first."""
    kept: dict[str, Kept] = field(default_factory=dict)

    def home(self) -> Iterator[tuple[str, bytes]]:
        yield self._file("index.html", "")

    def below(self) -> Iterator[tuple[str, bytes]]:
        for story in self.page.stories:
            yield self._file("incident.html", f"incidents/{story.id}/", story=story)
        for endpoint in self.page.endpoints:
            yield self._endpoint(endpoint)
        yield self._file("method.html", "method.html")
        if (
            self.page.url and not self.page.path
        ):  # served at any depth, so its links need an address
            yield "404.html", self._html("404.html", f"{self.page.url}/", f"{self.page.url}/", "")

    def _endpoint(self, endpoint: EndpointView) -> tuple[str, bytes]:
        here, page = f"endpoints/{endpoint.path}/", self.page
        name = f"{page.path}{here}index.html"
        if not page.crowded:
            return self._file("endpoint.html", here, endpoint=endpoint)
        stories = [each.updates for each in page.stories if endpoint.path in each.endpoints]
        news = (page.stopped, endpoint.state, endpoint.trouble, stories, self.assets.style)
        kept = self.kept.get(name)
        if kept is None or kept.news != news or page.generated - kept.at > _patience(page, name):
            _, content = self._file("endpoint.html", here, endpoint=endpoint)
            kept = self.kept[name] = Kept(page.generated, news, content)
        return name, kept.content

    def _file(self, template: str, here: str, **more: Any) -> tuple[str, bytes]:
        """`here` lies below the home page of this language; links are relative, so any sub-path will do."""
        root = "../" * here.count("/")
        base = f"{root}../" if self.page.path else root
        name = here if here.endswith(".html") else f"{here}index.html"
        return f"{self.page.path}{name}", self._html(template, root, base, here, **more)

    def _html(self, template: str, root: str, base: str, here: str, **more: Any) -> bytes:
        """`root` leads to the home page of this language, `base` to the folder of all."""
        return (
            self.env.get_template(template)
            .render(page=self.page, pages=self.all, assets=self.assets, root=root, base=base, here=here, **more)
            .encode()
        )  # fmt: skip


def _patience(page: PageView, name: str) -> timedelta:
    """How old a page may grow: a part of the time after which it is stale, not all pages the same."""
    return page.stale_after * (0.1 + 0.2 * crc32(name.encode()) / 2**32)


def _environment(folder: Traversable, language: Language) -> Environment:
    env = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    said = language.catalogue
    env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        said.gettext, said.ngettext, newstyle=True, pgettext=said.pgettext, npgettext=said.npgettext
    )
    env.globals.update(
        words=words.in_language(language),
        language=language,
        drawings=drawings,
        State=State,
        icons=(folder / "icons.svg").read_text("utf-8"),
    )
    return env


def _signposts(page: PageView, found: Mapping[str, bytes]) -> dict[str, bytes]:
    """For search engines, where the page has an address."""
    if page.url is None:
        return {}
    return {"robots.txt": robots(page.url), "sitemap.xml": sitemap(page.url, found)}


def _own(path: Path | None, name: str) -> tuple[str, bytes] | None:
    """An operator's file under a name of ours; one that has vanished meanwhile is left out."""
    if path is None:
        return None
    with contextlib.suppress(OSError):
        return _hashed(path, name)
    return None


def _hashed(file: Traversable, name: str = "") -> tuple[str, bytes]:
    content = file.read_bytes()
    stem, _, ending = file.name.rpartition(".")
    return f"{name or stem}.{hashlib.sha256(content).hexdigest()[:10]}.{ending}", content
