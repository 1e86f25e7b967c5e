"""A `PageView` -> files. The only file that knows Jinja.

Autoescape is on for every template; values go into quoted attributes or text, nowhere else.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache as cached
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup

from monitor.language import ENGLISH, Language, templates
from monitor.page import formatting, machine_files, svg_charts
from monitor.page.feed import robots, sitemap
from monitor.page.html_files import WIDGET, Assets, HtmlFiles
from monitor.page.render_cache import RenderCache
from monitor.page.report_views import ListedMonth, ReportView
from monitor.page.states import State
from monitor.page.view_models import PageView, ServiceView

_NO_FILES: Mapping[str, bytes] = MappingProxyType({})


class Renderer:
    """Renders pages. Templates and our own assets are read once; files without news are kept."""

    def __init__(self, cache: RenderCache | None = None) -> None:
        """`cache` holds what has no news since the last page."""
        self._folder = templates()
        self._ours = tuple(
            _hashed(self._folder / name)
            for name in ("style.css", "status.js", "find.js", "names.js", "embed.css")
        )
        self.report_style = _hashed(self._folder / "report.css")
        """The name and content of the stylesheet of reports."""
        self._env: dict[str, Environment] = {}
        self._cache = cache or RenderCache()

    def files(self, page: PageView) -> Mapping[str, bytes]:
        """Return all of `each_file`."""
        return dict(self.each_file(page))

    def each_file(
        self, page: PageView, reports: Mapping[str, bytes] = _NO_FILES
    ) -> Iterator[tuple[str, bytes]]:
        """Yield path below the page's folder and content, each made when it is asked for: a crowd has hundreds of megabytes.

        They come in the order of publishing: a page after all that it points at, the home page last. `reports` are
        pages too.
        """
        assets, files = self._assets(page)
        yield from files.items()
        yield from machine_files.files(page, self._cache)
        state = State.UNKNOWN if page.stopped_at else page.state
        yield from self._icons("favicon", state).items()
        yield from self._icons("favicon-unknown", State.UNKNOWN).items()
        yield "apple-touch-icon.png", self._png(f"{state.value}-180.png")
        if page.url:
            for each in State:
                yield f"card-{each.value}.png", self._card(each)
            yield "robots.txt", robots(page.url)
        yield from reports.items()
        names, last = [], ("", b"")
        for name, content in self._pages(page, assets):
            if last[0]:
                yield last
            names.append(name)
            last = name, content
        if page.url:
            yield "sitemap.xml", _sitemap(page, page.url, names)
        yield last

    def _pages(self, page: PageView, assets: Assets) -> Iterator[tuple[str, bytes]]:
        """Yield the pages of each language, those of the first one last, and its home page last of all."""
        for view in (*page.others, page):
            templates = _Templates(self._environment(view.language))
            pages = HtmlFiles(templates, view, assets, (page, *page.others), self._cache)
            yield from pages.below()
            yield from pages.home()

    def report(self, view: ReportView, language: Language, root: str) -> bytes:
        """Render the report of a month; `root` leads to the folder of all languages."""
        template = self._environment(language).get_template("report.html")
        style = f"{root}{self.report_style[0]}"
        return template.render(view=view, home="../../index.html", style=style).encode()

    def months(
        self, months: Iterable[ListedMonth], site: str, language: Language, root: str
    ) -> bytes:
        """Render the list of months, newest first."""
        template = self._environment(language).get_template("reports.html")
        style = f"{root}{self.report_style[0]}"
        return template.render(
            months=[*months], site=site, home="../index.html", style=style
        ).encode()

    def _assets(self, page: PageView) -> tuple[Assets, dict[str, bytes]]:
        style, script, find, by_name, widget_style = self._ours
        own, logo = _own(page.css, "own"), _own(page.logo, "logo")
        files = {
            **dict((style, script, widget_style)),
            **(dict([find]) if page.crowded else {}),
            **(dict([by_name]) if page.by_service else {}),
            **(dict([self.report_style]) if page.shows_reports else {}),
            **dict(each for each in (own, logo) if each),
        }
        owns = (asset and asset[0] for asset in (own, logo))
        return Assets(style[0], script[0], find[0], by_name[0], widget_style[0], *owns), files

    def _icons(self, name: str, state: State) -> dict[str, bytes]:
        """Return the icon as SVG, and as PNG for those who cannot draw it."""
        drawn = self._environment(ENGLISH).get_template("favicon.svg").render(state=state)
        return {f"{name}.svg": drawn.encode(), f"{name}-32.png": self._png(f"{state.value}.png")}

    def _png(self, name: str) -> bytes:
        return (self._folder / "favicon" / name).read_bytes()

    def _card(self, state: State) -> bytes:
        """Return the picture that a shared link shows: PNG, as SVG is drawn by nobody there."""
        return (self._folder / "card" / f"{state.value}.png").read_bytes()

    def _environment(self, language: Language) -> Environment:
        if language.code not in self._env:
            self._env[language.code] = environment(self._folder, language, self._cache)
        return self._env[language.code]


class _Templates:
    """A language's templates, by name."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def __call__(self, name: str, **values: Any) -> bytes:
        """Render one, and let go of what it was given: a template's macros and its context hold each other.

        It is encoded in pieces: what takes long in one call, as with ten thousand base URLs, holds up all probes.
        """
        contexts: list[Context] = []
        before = _CONTEXTS.set(contexts)
        try:
            pieces = self._env.get_template(name).generate(**values)
            return b"".join(piece.encode() for piece in pieces)
        finally:
            _CONTEXTS.reset(before)
            for context in contexts:
                context.parent.clear()
                context.vars.clear()


_CONTEXTS: ContextVar[list[Context]] = ContextVar("contexts of the template that is rendered")


class _RememberedContext(Context):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _CONTEXTS.get([]).append(self)


def environment(folder: Traversable, language: Language, cache: RenderCache) -> Environment:
    env = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.context_class = _RememberedContext
    env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        language.catalogue.gettext, language.catalogue.ngettext, newstyle=True
    )
    env.globals.update(_says(language))
    env.globals.update(
        words=formatting.in_language(language),
        language=language,
        drawings=svg_charts,
        state_icon=_state_icon,
        lang_attribute=formatting.lang_attribute,
        State=State,
        icons=(folder / "icons.svg").read_text("utf-8"),
        report_css=(folder / "report.css").read_text("utf-8"),
    )
    env.globals["rows"] = partial(_rows, env.get_template("row.html").module, cache, language.code)
    return env


def _rows(
    template: Any, cache: RenderCache, code: str, service: ServiceView, vantage: str, root: str
) -> Iterator[Markup]:
    """Yield the lines of the crowded home page: most are as they were on the last one."""
    for endpoint in service.in_lines:
        key = "row", code, vantage, root, endpoint.path
        yield cache.keep(key, endpoint, partial(template.row, endpoint, root))


@cached
def _state_icon(name: str) -> Markup:
    return Markup('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>').format(name)


def _says(language: Language) -> dict[str, Callable[..., str]]:
    """Return what templates say sentences with: as the extension's own, but each is looked up once, and filled as everywhere."""
    catalogue = language.catalogue
    patterns = cached(lambda message: Markup(catalogue.gettext(message)))  # noqa: S704  # only values are others' text
    whole = cached(lambda message: patterns(message) % {})

    def say(message: str, /, **values: object) -> str:
        return language.filled(patterns(message), values) if values else whole(message)

    def say_number(one: str, many: str, num: int, /, **values: object) -> str:
        pattern = Markup(catalogue.ngettext(one, many, num))  # noqa: S704  # only values are others' text
        return language.filled(pattern, {"num": num, **values})

    def say_in_context(context: str, message: str, /, **values: object) -> str:
        return language.filled(Markup(catalogue.pgettext(context, message)), values)  # noqa: S704  # only values are others' text

    return {"_": say, "gettext": say, "ngettext": say_number, "pgettext": say_in_context}


def _sitemap(page: PageView, url: str, names: Iterable[str]) -> bytes:
    """Return the list of pages that search engines read."""
    widgets = {f"{each.path}{WIDGET}index.html" for each in (page, *page.others)}
    return sitemap(url, [name for name in names if name not in widgets])


def _own(path: Path | None, name: str) -> tuple[str, bytes] | None:
    """Return an operator's file under a name of ours; one that has vanished meanwhile is left out."""
    if path is None:
        return None
    with contextlib.suppress(OSError):
        return _hashed(path, name)
    return None


def _hashed(file: Traversable, name: str = "") -> tuple[str, bytes]:
    content = file.read_bytes()
    stem, _, ending = file.name.rpartition(".")
    return f"{name or stem}.{hashlib.sha256(content).hexdigest()[:10]}.{ending}", content
