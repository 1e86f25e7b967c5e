"""The small server for who has no other: the page's files, `/healthz` and `/metrics`, read only.

A real web server may serve the same folder; nothing here is needed for the page to work.
"""

from monitor.web.connection_limits import Limits
from monitor.web.server import Health, Report, WebServer

__all__ = ["Health", "Limits", "Report", "WebServer"]
