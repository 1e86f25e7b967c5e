"""The files of a page, from templates that are compiled once for all tests."""

from collections.abc import Mapping

from monitor.page import PageView, Renderer
from monitor.page.render_cache import RenderCache

_RENDERER = Renderer()


def rendered(page: PageView) -> Mapping[str, bytes]:
    """Render every file anew: nothing but the templates is left of the page before."""
    _RENDERER._cache = RenderCache()
    return _RENDERER.files(page)
