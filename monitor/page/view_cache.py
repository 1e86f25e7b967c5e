"""What the last page said: most of the next one is the same. Pure."""

from collections.abc import Mapping

from monitor.language import Language
from monitor.page.endpoint_views import EndpointViews
from monitor.page.incident_views import IncidentViews


class ViewCache:
    def __init__(self) -> None:
        self.endpoints = EndpointViews()
        self._tellers: dict[str, IncidentViews] = {}

    def teller(self, names: Mapping[str, str], language: Language) -> IncidentViews:
        """The one that told the last page, unless names have changed since."""
        kept = self._tellers.get(language.code)
        if kept is None or kept.names != names:
            kept = self._tellers[language.code] = IncidentViews(names, language)
        return kept
