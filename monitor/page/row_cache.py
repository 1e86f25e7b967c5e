"""Lines of the crowded home page: most are as they were, and nearly all begin as they did. Pure."""

from collections.abc import Callable

from monitor.page.states import State
from monitor.page.view_models import EndpointView, ServiceView

Macro = Callable[..., str]
Who = tuple[str, State]
Line = tuple[EndpointView, Who, str, str]
"""Of what, who it is, how it begins, and the whole."""


class RowCache:
    """The lines of a service, remembered until it is asked for another time."""

    def __init__(self, who: Macro, row: Macro) -> None:
        self._who, self._row = who, row
        self._kept: dict[str, dict[str, Line]] = {}

    def __call__(self, service: ServiceView) -> str:
        before = self._kept.get(service.id, {})
        now = self._kept[service.id] = {
            each.path: kept
            if (kept := before.get(each.path)) and kept[0] is each
            else self._line(each, kept)
            for each in service.endpoints
        }
        return "".join([line[3] for line in now.values()])

    def _line(self, endpoint: EndpointView, kept: Line | None) -> Line:
        who = endpoint.name, endpoint.state
        begin = kept[2] if kept and kept[1] == who else self._who(endpoint)
        return endpoint, who, begin, self._row(endpoint, begin)
