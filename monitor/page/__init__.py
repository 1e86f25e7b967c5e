"""Show: a snapshot -> a view -> files. `view` and what it stands on are pure."""

from monitor.page.best import Pick
from monitor.page.endpoints import Endpoints
from monitor.page.files import publish
from monitor.page.nouns import PageView, Site
from monitor.page.render import Renderer
from monitor.page.view import view

__all__ = ["Endpoints", "PageView", "Pick", "Renderer", "Site", "publish", "view"]
