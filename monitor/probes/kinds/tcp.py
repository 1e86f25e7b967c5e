"""Probes the connection alone: TCP, or TLS with its certificate. Nothing is asked."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field
from yarl import URL

from monitor.probes.exchange import ConnectRequest
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.verdict.transport import judge_transport

_PORTS = {"http": 80, "https": 443}


class DialProbe(ProbeSettings):
    """Opens a connection and closes it: nothing is sent that an application would see."""

    needs_key: ClassVar[bool] = False
    audited: ClassVar[bool] = False
    encrypted: ClassVar[bool]
    """Whether a TLS handshake follows; then the usual port is that of https."""

    timeout: Duration = Field(default=timedelta(seconds=10), description="when a run is given up")
    port: int | None = Field(default=None, ge=1, le=65_535, description="instead of the URL's")

    async def run(self, run: Run) -> Finding:
        endpoint = run.check.endpoint
        address = URL(endpoint.url)  # as aiohttp reads it: IDNA 2008, a dot at the end kept
        scheme = "https" if self.encrypted else address.scheme
        exchange = await run.client.connect(
            ConnectRequest(
                host=address.raw_host or "",
                port=self.port or address.explicit_port or _PORTS[scheme],
                encrypted=self.encrypted,
                timeout=self.timeout,
                ca_file=endpoint.ca_file,
                proxy=endpoint.proxy,
            )
        )
        failure = judge_transport(exchange)
        return Finding(exchange=exchange, failure=failure, habit=run.habit.after(failure))


class TcpProbe(DialProbe):
    kind: ClassVar[str] = "tcp"
    title: ClassVar[str] = "TCP connection"
    main_rank: ClassVar[int] = 92
    encrypted: ClassVar[bool] = False


class TlsProbe(DialProbe):
    kind: ClassVar[str] = "tls"
    title: ClassVar[str] = "TLS handshake"
    main_rank: ClassVar[int] = 91
    encrypted: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(hours=1), description="how often it runs")
