"""What the last page said: most of the next one is the same. Pure."""

from collections.abc import Mapping

from monitor.language import Language
from monitor.page.endpoints import Endpoints
from monitor.page.incident_views import Teller


class LastPage:
    def __init__(self) -> None:
        self.endpoints = Endpoints()
        self._tellers: dict[str, Teller] = {}

    def teller(self, names: Mapping[str, str], language: Language) -> Teller:
        """The one that told the last page, unless names have changed since."""
        kept = self._tellers.get(language.code)
        if kept is None or kept.names != names:
            kept = self._tellers[language.code] = Teller(names, language)
        return kept
