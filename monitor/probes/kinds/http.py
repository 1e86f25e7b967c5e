"""Probes a web page: whether it is there, and says what it should."""

from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind
from monitor.model.failure import Group
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.verdict.charset import decode
from monitor.probes.verdict.classify import judge_http
from monitor.probes.verdict.edge import judge_edge
from monitor.probes.verdict.error_body import read_json
from monitor.probes.verdict.transport import judge_body_transport, judge_transport

_MISSING = object()


class HttpProbe(ProbeSettings):
    """Sends no key: it asks what any visitor may."""

    kind: ClassVar[str] = "http"
    title: ClassVar[str] = "Web page"
    main_rank: ClassVar[int] = 90
    needs_key: ClassVar[bool] = False

    timeout: Duration = Field(default=timedelta(seconds=10), description="when a run is given up")
    method: str = Field(default="GET", pattern=r"^[A-Z]+$", description="HTTP method")
    path: str = Field(default="/", pattern=r"^/", description="asked for under the base URL")
    status: int | tuple[int, ...] | None = Field(
        default=None, description="status that is good, or a list of such; any 2xx if not set"
    )
    contains: str | None = Field(default=None, description="text that the body must contain")
    wanted_json: dict[str, Any] | None = Field(
        default=None, alias="json", description="dotted path in a JSON body -> the wanted value"
    )
    body: str | None = Field(default=None, description="sent with the request")

    async def run(self, run: Run) -> Finding:
        endpoint = run.check.endpoint
        request = HttpRequest(
            method=self.method,
            url=endpoint.url + self.path,
            headers={name: value.reveal() for name, value in endpoint.headers},
            body=None if self.body is None else self.body.encode(),
            timeout=self.timeout,
            max_body=1024 * 1024,
            ca_file=endpoint.ca_file,
            proxy=endpoint.proxy,
        )
        exchange = await run.client.send(request)
        failure = self._judge(exchange)
        return Finding(exchange=exchange, failure=failure, habit=run.habit.after(failure))

    def _judge(self, exchange: Exchange) -> Failure | None:
        return (
            judge_transport(exchange)
            or self._judge_status(exchange)
            or judge_body_transport(exchange)
            or self._judge_text(exchange)
            or self._judge_json(exchange)
        )

    def _judge_status(self, exchange: Exchange) -> Failure | None:
        """Judge a status. A page has no API's error words: only the edge and redirects are told apart."""
        status = exchange.status or 0
        if self._is_wanted(status):
            walled = judge_edge(exchange, is_api=False) if self.status is None else None
            return walled if status < 300 else None
        refused = judge_http(exchange, had_key=False, is_api=False)
        if refused is not None and (
            refused.kind.row.group is Group.EDGE or refused.kind is FailureKind.UNEXPECTED_REDIRECT
        ):
            return refused
        if status >= 500 and refused is not None:
            return refused
        return Failure(FailureKind.UNEXPECTED_STATUS, f"got HTTP {status}, want {self._want()}")

    def _is_wanted(self, status: int) -> bool:
        if self.status is None:
            return 200 <= status < 300
        return status in ((self.status,) if isinstance(self.status, int) else self.status)

    def _want(self) -> str:
        if self.status is None:
            return "2xx"
        wanted = (self.status,) if isinstance(self.status, int) else self.status
        return " or ".join(map(str, wanted))

    def _judge_text(self, exchange: Exchange) -> Failure | None:
        if self.contains is None or self.contains in decode(
            exchange.body, exchange.headers.get("content-type", "")
        ):
            return None
        return Failure(
            FailureKind.UNEXPECTED_BODY,
            f'got {len(exchange.body)} bytes without "{self.contains}", want that text',
        )

    def _judge_json(self, exchange: Exchange) -> Failure | None:
        if self.wanted_json is None:
            return None
        answer = read_json(exchange.body)
        for path, want in self.wanted_json.items():
            got = _at(answer, path)
            if got is _MISSING:
                return Failure(
                    FailureKind.UNEXPECTED_BODY, f"got no JSON with {path}, want {want!r}"
                )
            if got != want:
                return Failure(FailureKind.UNEXPECTED_BODY, f"got {path} = {got!r}, want {want!r}")
        return None


def _at(value: Any, path: str) -> Any:
    """Return the value at a dotted path, or `_MISSING`."""
    for name in path.split("."):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return _MISSING
    return value
