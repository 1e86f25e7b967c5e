"""The pages of one language as files. Pure; rendering a template is somebody else's part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from monitor.page.render_cache import RenderCache
from monitor.page.view_models import (
    EndpointView,
    IncidentView,
    PageView,
    RetiredView,
    ServiceView,
)

WIDGET = "embed/"
"""Where the widget lies that other pages may frame, below the home page of each language."""


@dataclass(frozen=True, slots=True)
class Assets:
    """The files that every page loads: file names with a hash of their content, so that they may be kept for ever."""

    style: str
    script: str
    find: str
    """The script of a crowded page; there is none of it on another."""
    names: str
    """That of a home page which names services alone."""
    widget_style: str
    """The stylesheet of the widget, which loads nothing else."""
    own_style: str | None = None
    logo: str | None = None


class Template(Protocol):
    def __call__(self, name: str, **values: Any) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HtmlFiles:
    """The pages of one language."""

    template: Template
    page: PageView
    assets: Assets
    all: tuple[PageView, ...]
    """Every language, the default one first."""
    cache: RenderCache

    def home(self) -> Iterator[tuple[str, bytes]]:
        for page in self.page.by_vantage:
            here = page.shown_vantage.path if page.shown_vantage else ""
            yield self._name(here), self._html("index.html", here, page=page)
        yield self._name(""), self._html("index.html", "")

    def services(self) -> Iterator[tuple[str, bytes]]:
        """Yield a page for each service, with all its base URLs, where the home page has no room for them."""
        for page in (self.page, *self.page.by_vantage):
            if page.by_service:
                for service in page.services:
                    yield self._service(page, service)

    def _service(self, page: PageView, service: ServiceView) -> tuple[str, bytes]:
        here = f"{page.shown_vantage.path if page.shown_vantage else ''}services/{service.id}/"
        name = self._name(here)

        def make() -> bytes:
            state = service.state
            return self._html("service.html", here, page=page, service=service, shared_state=state)

        news = self._common, [endpoint.state for endpoint in service.endpoints], service.best
        return name, self.cache.file(name, self.page, news, make)

    def below(self) -> Iterator[tuple[str, bytes]]:
        for incident in self.page.incidents:
            yield self._incident(incident)
        for endpoint in self.page.endpoints:
            yield self._endpoint(endpoint)
        yield from self.services()
        for service in self.page.services:
            for retired in service.retired:
                yield self._retired(retired)
        yield self._name(WIDGET), self._html("embed.html", WIDGET)
        yield self._name("method.html"), self._html("method.html", "method.html")
        if self.page.url:
            yield f"{self.page.path}404.html", self._not_found(f"{self.page.url}/")

    def _incident(self, incident: IncidentView) -> tuple[str, bytes]:
        here = f"incidents/{incident.id}/"
        name = self._name(here)

        state = None if incident.closed else incident.state  # nothing is drawn of what is over

        def make() -> bytes:
            return self._html("incident.html", here, incident=incident, shared_state=state)

        states = [endpoint.state for _, endpoint in self.page.affected(incident)]
        return name, self.cache.file(name, self.page, (self._common, incident, states), make)

    def _endpoint(self, endpoint: EndpointView) -> tuple[str, bytes]:
        here = f"endpoints/{endpoint.path}/"
        name = self._name(here)

        def make() -> bytes:
            return self._html("endpoint.html", here, endpoint=endpoint, shared_state=endpoint.state)

        news = (
            self._common,
            endpoint.state,
            endpoint.trouble,
            [(fact.what, fact.finding) for fact in endpoint.trust],
            endpoint.balance,
            self._updates(endpoint.path),
            self._seen_from(endpoint.path),
        )
        return name, self.cache.file(name, self.page, news, make)

    def _retired(self, endpoint: RetiredView) -> tuple[str, bytes]:
        here = f"endpoints/{endpoint.path}/"
        name = self._name(here)
        news = self._common, endpoint.latest, self._updates(endpoint.path)
        return name, self.cache.file(
            name,
            self.page,
            news,
            lambda: self._html("retired.html", here, endpoint=endpoint, shared_state=None),
        )

    def _updates(self, path: str) -> object:
        return [incident.updates for incident in self.page.incidents_by_path.get(path, ())]

    def _seen_from(self, path: str) -> object:
        return [
            (vantage.id, vantage.by_path[path].state)
            for vantage in self.page.vantages
            if path in vantage.by_path
        ]

    @property
    def _common(self) -> object:
        """Return what makes every page a new one."""
        return self.page.stopped_at, self.page.title, self.assets, bool(self.page.calendar)

    def _not_found(self, base: str) -> bytes:
        """Render the page that is served where there is none. It is met at any depth, so its links need an address."""
        return self._html("404.html", "", root=f"{base}{self.page.path}", base=base)

    def _name(self, here: str) -> str:
        return f"{self.page.path}{here}" + ("" if here.endswith(".html") else "index.html")

    def _html(
        self,
        template: str,
        here: str,
        root: str | None = None,
        base: str | None = None,
        **more: Any,
    ) -> bytes:
        """Render a page. `here` lies below the home page of this language; `root` leads to that one, `base` to the
        folder of all. Links are relative, so any sub-path will do.
        """
        up = "../" * here.count("/")
        values: dict[str, Any] = {
            "root": up if root is None else root,
            "base": (f"{up}../" if self.page.path else up) if base is None else base,
        }
        page: PageView = more.get("page", self.page)
        values = {"page": page, "shared_state": page.state, **values, **more}
        return self.template(template, pages=self.all, assets=self.assets, here=here, **values)
