"""The small server for who has no other: the page's files and `/healthz`, read only; and one of its
own for `/metrics`, which are nobody else's business.

A real web server may serve the same folder; nothing here is needed for the page to work.
"""

from monitor.web.connection_limits import Limits
from monitor.web.server import Health, MetricsReport, MetricsServer, StandbyServer, WebServer
