"""Probes the Realtime API as far as it is free: whether a WebSocket opens with the key, and is greeted by the service."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import Field

from monitor.model import Evidence, Failure, FailureKind
from monitor.probes.exchange import ErrorType, Exchange, HttpRequest, TransportPhase
from monitor.probes.kinds.api_call import ApiProbe
from monitor.probes.probe import Duration, Finding, Run
from monitor.probes.readers.base import as_object, as_text
from monitor.probes.verdict.classify import (
    is_error_object,
    judge_api_body,
    judge_error_object,
    judge_http,
)
from monitor.probes.verdict.error_body import parse_error_body, read_json
from monitor.probes.verdict.transport import judge_body_transport, judge_transport

_ABOUT_UPGRADE = re.compile(
    r"web-?socket|\bupgrade\W{0,2} (?:header|token|required)|connection upgrade", re.IGNORECASE
)
_SPEAKS_OF_UPGRADE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_IMPLEMENTED})
_SHOWN = 80


class RealtimeProbe(ApiProbe):
    """Opens a WebSocket, reads its first event if one comes, and closes it. No token is spent."""

    kind: ClassVar[str] = "realtime"
    title: ClassVar[str] = "Realtime"
    main_rank: ClassVar[int] = 81
    word_of_models: ClassVar[str] = "realtime"
    route: ClassVar[str] = "/v1/realtime"

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    timeout: Duration = Field(default=timedelta(seconds=15), description="when a run is given up")
    model: str = Field(default="gpt-realtime", description="asked for")

    async def run(self, run: Run) -> Finding:
        exchange = await run.client.send(self._handshake(run))
        failure, note = self._judge(exchange, run), ""
        if failure is None:
            event = as_text(_event(exchange).get("type"))[:_SHOWN]
            note = f"first event: {event}" if event else "no event came"
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=run.habit.after(failure),
            evidence=Evidence(note=note),
        )

    def _handshake(self, run: Run) -> HttpRequest:
        request = replace(self.request(run, None, self.timeout), upgrade=True)
        if "?" in request.url:
            return request
        return replace(request, url=f"{request.url}?model={quote(self.model, safe='')}")

    def _judge(self, exchange: Exchange, run: Run) -> Failure | None:
        if exchange.status == HTTPStatus.SWITCHING_PROTOCOLS:
            return judge_websocket(exchange)
        broken = judge_transport(exchange)
        if broken is not None:
            return broken
        if _refuses_upgrade(exchange):
            return _not_opened(exchange, parse_error_body(exchange.body).text)
        refused = judge_http(
            exchange,
            had_key=run.check.endpoint.key is not None,
            known_good=run.habit.good > 0,
            want=HTTPStatus.SWITCHING_PROTOCOLS,
        )
        if refused is not None:
            return refused
        return (
            judge_body_transport(exchange) or judge_api_body(exchange) or _not_opened(exchange, "")
        )


def _refuses_upgrade(exchange: Exchange) -> bool:
    """Say whether a server saw no WebSocket being asked for: what stands before it took that away."""
    if exchange.status == HTTPStatus.UPGRADE_REQUIRED:
        return True
    text = parse_error_body(exchange.body).text
    return exchange.status in _SPEAKS_OF_UPGRADE and _ABOUT_UPGRADE.search(text) is not None


def _not_opened(exchange: Exchange, text: str) -> Failure:
    quoted = f': "{" ".join(text.split())[:_SHOWN]}"' if text else ""
    why = f"got HTTP {exchange.status}{quoted} in place of a WebSocket, want 101"
    return Failure(FailureKind.WEBSOCKET_BROKEN, why)


def judge_websocket(exchange: Exchange) -> Failure | None:
    """Judge what came after a 101: its handshake, then its first event, an error among them."""
    error = exchange.error
    if error is not None and error.phase is not TransportPhase.BODY:
        why = f"got HTTP 101 with {error.detail}, want a WebSocket"
        return Failure(FailureKind.WEBSOCKET_BROKEN, why)
    if error is not None and error.what is ErrorType.PROTOCOL:
        why = "got HTTP 101 and then something else than a WebSocket, want one"
        return Failure(FailureKind.WEBSOCKET_BROKEN, why)
    if error is not None and error.what is ErrorType.CLOSED and error.detail:
        return _judge_goodbye(error.detail)
    if error is not None:
        return judge_body_transport(exchange)
    if not exchange.body:
        return None
    event = _event(exchange)
    if not event:
        why = "got a first event that is no JSON object, want `session.created`"
        return Failure(FailureKind.UNEXPECTED_BODY, why)
    if not is_error_object(event):
        return None
    return judge_error_object(event, exchange.status, otherwise=FailureKind.SERVER_ERROR)


def _judge_goodbye(detail: str) -> Failure:
    """Judge a WebSocket that the server closed before any event: `1011 reason`. A reason is judged like an error."""
    code, _, reason = detail.partition(" ")
    if not reason:
        why = f"got a WebSocket that was closed at once with code {code}, want an event"
        return Failure(FailureKind.HTTP_DISCONNECT, why)
    error = {"message": reason, "code": reason.rpartition(".")[2]}
    return judge_error_object(
        {"error": error}, HTTPStatus.SWITCHING_PROTOCOLS, otherwise=FailureKind.SERVER_ERROR
    )


def _event(exchange: Exchange) -> Mapping[str, Any]:
    return as_object(read_json(exchange.body))
