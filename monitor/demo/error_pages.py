"""Answers that an endpoint gives to every request while a fault lasts, and its pages. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.demo.faults import SimulatedFault

_PAGE = "<!doctype html><html><head><title>{title}</title></head><body>{text}</body></html>"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: int
    body: str
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def _json(status: int, body: Any, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, json.dumps(body), headers=headers)


def _error(status: int, message: str, code: str, kind: str = "api_error") -> ErrorPage:
    return _json(status, {"error": {"message": message, "type": kind, "code": code}})


def _bad_request(status: int, message: str, code: str) -> ErrorPage:
    return _error(status, message, code, "invalid_request_error")


def _relay_error(status: int, message: str, code: str) -> ErrorPage:
    """Return an error as the relay software New API words it."""
    return _error(status, message, code, "new_api_error")


def _text(status: int, body: str, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, body, "text/plain", headers)


def _html(status: int, title: str, text: str, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, _PAGE.format(title=title, text=text), "text/html", headers)


_RATE_LIMITED = {"error": {"message": "Too many requests.", "code": "rate_limit_exceeded"}}
_WALL = ("cf-mitigated", "challenge")
_ERROR_PAGES: Mapping[SimulatedFault, ErrorPage] = {
    SimulatedFault.SERVER_ERROR: _error(500, "The server had an error.", "server_error"),
    SimulatedFault.GATEWAY_TIMEOUT: _error(
        504, "The upstream did not answer.", "timeout", "timeout_error"
    ),
    SimulatedFault.NO_CHANNEL: _relay_error(
        503, "当前分组 default 下对于模型 demo-mini 无可用渠道", "model_not_found"
    ),
    SimulatedFault.EDGE_ERROR: _html(521, "521: Web server is down", "Error code 521"),
    SimulatedFault.EDGE_TIMEOUT: _text(524, "error code: 524"),
    SimulatedFault.CHALLENGE: _html(403, "Just a moment...", "Checking your browser.", _WALL),
    SimulatedFault.DENIED: _text(403, "error code: 1020"),
    SimulatedFault.PANEL: _html(200, "Relay panel", "Sign in to see your balance."),
    SimulatedFault.REDIRECT: _text(302, "", ("Location", "https://login.example/")),
    SimulatedFault.TEAPOT: _text(418, "short and stout"),
    SimulatedFault.NONSENSE: _json(200, {"hello": "world"}),
    SimulatedFault.GONE: _bad_request(404, "Invalid URL", "unknown_url"),
    SimulatedFault.RATE_LIMITED: _json(429, _RATE_LIMITED, ("Retry-After", "7")),
    SimulatedFault.OVERLOADED: _error(529, "Overloaded", "overloaded", "overloaded_error"),
    SimulatedFault.KEY_REJECTED: _bad_request(
        401, "Incorrect API key provided.", "invalid_api_key"
    ),
    SimulatedFault.OUT_OF_MONEY: _relay_error(
        403, "用户额度不足, 剩余额度: 0", "insufficient_user_quota"
    ),
    SimulatedFault.FORBIDDEN: _error(403, "This key may not use this model.", "access_denied"),
    SimulatedFault.MODEL_GONE: _bad_request(404, "The model does not exist.", "model_not_found"),
    SimulatedFault.REGION: _error(
        403,
        "Country, region, or territory not supported.",
        "unsupported_country_region_territory",
    ),
    SimulatedFault.REFUSED_REQUEST: _bad_request(422, "messages: field required", "invalid_value"),
}


def error_page(fault: SimulatedFault | None, server: str) -> ErrorPage | None:
    """Return what replaces every answer while `fault` lasts, or None. `server` names the software."""
    if fault is SimulatedFault.BAD_GATEWAY:
        return ErrorPage(502, _bad_gateway(server), "text/html")
    return None if fault is None else _ERROR_PAGES.get(fault)


def _bad_gateway(server: str) -> str:
    """Return the page of a reverse proxy whose upstream does not answer."""
    return (
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
        f"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>{server}</center>\r\n"
        "</body>\r\n</html>\r\n"
    )


def home_page(name: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Demo LLM</title>\n'
        f"<h1>Demo LLM</h1>\n<p>A simulated service, reached through: {name}.</p></html>\n"
    )
