"""Show: a snapshot -> a view -> files. `view` and what it stands on are pure."""

from monitor.page.folder import Folder, publish
from monitor.page.month_pages import MonthPages
from monitor.page.render import Renderer
from monitor.page.render_cache import RenderCache
from monitor.page.states import State
from monitor.page.vantage_looks import pick_key
from monitor.page.view import view
from monitor.page.view_models import PageView, PickView, Site
from monitor.ranking import Pick, last_picks
