"""Show: a snapshot -> a view -> files. `view` and what it stands on are pure."""

from monitor.page.best import Pick
from monitor.page.best_files import last_picks
from monitor.page.files import Folder, publish
from monitor.page.last_page import LastPage
from monitor.page.pace import Pace
from monitor.page.render import Renderer
from monitor.page.view import view
from monitor.page.view_models import PageView, Site

__all__ = [
    "Folder",
    "LastPage",
    "Pace",
    "PageView",
    "Pick",
    "Renderer",
    "Site",
    "last_picks",
    "publish",
    "view",
]
