"""Views of the last page: most of the next one is the same. Pure."""

from collections.abc import Mapping

from monitor.language import Language
from monitor.page.endpoint_views import EndpointViews
from monitor.page.incident_views import IncidentViews


class ViewCache:
    def __init__(self) -> None:
        self.endpoints = EndpointViews()
        self._incidents: dict[str, IncidentViews] = {}

    def incidents(self, names: Mapping[str, str], language: Language) -> IncidentViews:
        """Those of the last page, unless names have changed since."""
        kept = self._incidents.get(language.code)
        if kept is None or kept.names != names:
            kept = self._incidents[language.code] = IncidentViews(names, language)
        return kept
