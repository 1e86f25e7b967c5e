"""One plain call of an API: its headers, and the judgement that every API's answer passes first."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from monitor.model import Endpoint, Failure
from monitor.probes.exchange import Exchange, HttpRequest
from monitor.probes.probe import Run
from monitor.probes.verdict.classify import judge_api_body, judge_http
from monitor.probes.verdict.transport import judge_body_transport, judge_transport


def bearer(endpoint: Endpoint) -> Mapping[str, str]:
    """The key as most APIs want it; none without a key."""
    return {} if endpoint.key is None else {"Authorization": f"Bearer {endpoint.key.reveal()}"}


def headers(
    endpoint: Endpoint,
    accept: str = "application/json",
    content: str | None = None,
    auth: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """`auth` instead of the bearer key. The operator's own headers come last and win."""
    made = {"Accept": accept, **(bearer(endpoint) if auth is None else auth)}
    if content is not None:
        made["Content-Type"] = content
    return made | {name: value.reveal() for name, value in endpoint.headers}


def post(
    endpoint: Endpoint,
    path: str,
    body: Mapping[str, Any],
    timeout: timedelta,
    *,
    max_body: int = 1024 * 1024,
    accept: str = "application/json",
) -> HttpRequest:
    """A question in JSON, `path` below the base URL."""
    return HttpRequest(
        method="POST",
        url=f"{endpoint.url}{path}",
        headers=headers(endpoint, accept, "application/json"),
        body=json.dumps(body).encode(),
        timeout=timeout,
        max_body=max_body,
        ca_file=endpoint.ca_file,
        proxy=endpoint.proxy,
    )


def judge_status(exchange: Exchange, run: Run) -> Failure | None:
    """Transport, then status: what must be right before a body is worth reading."""
    return judge_transport(exchange) or judge_http(
        exchange,
        had_key=run.check.endpoint.key is not None,
        known_good=run.habit.good > 0,
    )


def judge_call(exchange: Exchange, run: Run) -> Failure | None:
    """All that is the same for every API; None leaves the body's meaning to the probe."""
    return judge_status(exchange, run) or judge_body_transport(exchange) or judge_api_body(exchange)
