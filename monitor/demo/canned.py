"""Answers that an endpoint gives whatever it is asked, while a fault of it lasts. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from monitor.demo.faults import Act
from monitor.demo.manners import bad_gateway_page

_PAGE = "<!doctype html><html><head><title>{title}</title></head><body>{text}</body></html>"


@dataclass(frozen=True, slots=True)
class Canned:
    status: int
    body: str
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def _error(status: int, message: str, code: str, kind: str = "api_error", **more: Any) -> Canned:
    return Canned(
        status, json.dumps({"error": {"message": message, "type": kind, "code": code, **more}})
    )


def _page(status: int, title: str, text: str, *headers: tuple[str, str]) -> Canned:
    return Canned(status, _PAGE.format(title=title, text=text), "text/html", headers)


_CANNED = {
    Act.SERVER_ERROR: _error(500, "The server had an error.", "server_error"),
    Act.GATEWAY_TIMEOUT: _error(504, "The upstream did not answer.", "timeout", "timeout_error"),
    Act.NO_CHANNEL: _error(503, "当前分组 default 下对于模型 demo-mini 无可用渠道", "model_not_found", "new_api_error"),
    Act.EDGE_ERROR: _page(521, "521: Web server is down", "Error code 521"),
    Act.EDGE_TIMEOUT: Canned(524, "error code: 524", "text/plain"),
    Act.CHALLENGE: _page(403, "Just a moment...", "Checking your browser.", ("cf-mitigated", "challenge")),
    Act.DENIED: Canned(403, "error code: 1020", "text/plain"),
    Act.PANEL: _page(200, "Relay panel", "Sign in to see your balance."),
    Act.REDIRECT: Canned(302, "", "text/plain", (("Location", "https://login.example/"),)),
    Act.TEAPOT: Canned(418, "short and stout", "text/plain"),
    Act.NONSENSE: Canned(200, json.dumps({"hello": "world"})),
    Act.GONE: _error(404, "Invalid URL", "unknown_url", "invalid_request_error"),
    Act.RATE_LIMITED: Canned(429, json.dumps({"error": {"message": "Too many requests.", "code": "rate_limit_exceeded"}}), headers=(("Retry-After", "7"),)),
    Act.OVERLOADED: _error(529, "Overloaded", "overloaded", "overloaded_error"),
    Act.KEY_REJECTED: _error(401, "Incorrect API key provided.", "invalid_api_key", "invalid_request_error"),
    Act.OUT_OF_MONEY: _error(403, "用户额度不足, 剩余额度: 0", "insufficient_user_quota", "new_api_error"),
    Act.FORBIDDEN: _error(403, "This key may not use this model.", "access_denied"),
    Act.MODEL_GONE: _error(404, "The model does not exist.", "model_not_found", "invalid_request_error"),
    Act.REGION: _error(403, "Country, region, or territory not supported.", "unsupported_country_region_territory"),
    Act.REFUSED_REQUEST: _error(422, "messages: field required", "invalid_value", "invalid_request_error"),
}  # fmt: skip


def canned(act: Act | None, server: str) -> Canned | None:
    """What stands in for every answer while `act` lasts, if anything does."""
    if act is Act.BAD_GATEWAY:
        return Canned(502, bad_gateway_page(server), "text/html")
    return None if act is None else _CANNED.get(act)
