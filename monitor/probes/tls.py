"""The TLS handshake alone: certificate, name, days left. Nothing is asked."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from monitor.probes.kinds.tcp import DialProbe
from monitor.probes.probe import Duration


class TlsProbe(DialProbe):
    kind: ClassVar[str] = "tls"
    encrypted: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
