"""The script of faults: which endpoint has which fault, when, and seen from where. Pure.

It repeats a cycle of four minutes, drawn here with a character for every four seconds. Between two
faults of one severity there is time to recover and to be seen to recover.

    us-direct   ...........SSSSSSSSSSS.............................KKKKK....
    cf-cdn      ..........................CCCCCCC..................KKKKK....
    cf-worker   .....................................BBBBBBBBBBB...KKKKK....
    fast-cdn    ...............XXXXXX..............................KKKKK....
    proxy-1     ..GGGGGGG..........................................KKKKK....
    proxy-2     ...RRRRRR..........................................KKKKK....

From Shanghai alone, as where a name is blocked on the way:

    cf-worker   ............PPPPPPPPPPPPPPPPPPPPPPP.........................

Prices change as well: in every other cycle the large model costs twice as much.

    G bad gateway   R refused, every other cycle reset   S slow first token   C cut in the middle
    X certificate expired, every other cycle for a wrong name   B buffered stream   K key rejected
    P DNS poisoned, every other cycle a reset
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from monitor.demo.endpoints import PLACES, SHANGHAI

ENDPOINT_IDS = ("us-direct", "cf-cdn", "cf-worker", "fast-cdn", "proxy-1", "proxy-2")
CYCLE = 240
"""Length of a cycle in seconds."""
SLOW_S = 6.5
"""Seconds that a slow first token is late: more than the five seconds that count as slow."""


class SimulatedFault(StrEnum):
    """Lists what an endpoint can do wrong; the value is how a person is told.

    The script plays a few of them; a test can force any.
    """

    # the connection
    POISONED = "resolves to a false address"
    REFUSED = "refuses connections"
    RESET = "resets connections"
    MUTE = "accepts connections and never shakes hands"
    NO_TLS = "speaks no TLS"
    EXPIRED = "shows an expired certificate"
    EXPIRING = "shows a certificate that ends soon"
    WRONG_NAME = "shows a certificate for another name"
    UNTRUSTED = "shows a certificate that nobody vouches for"
    # the answer as a whole
    BAD_GATEWAY = "answers 502"
    SERVER_ERROR = "answers 500"
    GATEWAY_TIMEOUT = "answers 504"
    NO_CHANNEL = "has no channel left for the model"
    EDGE_ERROR = "cannot reach its origin"
    EDGE_TIMEOUT = "waits too long for its origin"
    CHALLENGE = "wants to see that we are human"
    DENIED = "denies us at the edge"
    PANEL = "answers with a web page"
    REDIRECT = "redirects to a login page"
    TEAPOT = "answers 418"
    NONSENSE = "answers with something else"
    GONE = "knows the path no more"
    SILENT = "never answers"
    HANGS_UP = "hangs up instead of answering"
    GARBAGE = "speaks no HTTP"
    HALF = "never ends its answer"
    ENDLESS = "never stops talking"
    RATE_LIMITED = "limits our rate"
    OVERLOADED = "is overloaded"
    # the account
    KEY_REJECTED = "rejects the key"
    OUT_OF_MONEY = "says that the account is empty"
    FORBIDDEN = "does not let the key do this"
    OTHER_CLIENTS = "admits only another client"
    MODEL_GONE = "does not know the model"
    REGION = "does not serve our region"
    REFUSED_REQUEST = "refuses the request"
    # what the model says, and how
    SLOW = "is slow to its first token"
    NO_TOKEN = "opens streams and says nothing"
    EMPTY = "gives empty answers"
    BROKEN = "breaks streams with an error"
    STALLED = "falls silent in the middle of streams"
    CUT = "cuts streams in the middle"
    POLITE_CUT = "cuts streams and ends them politely"
    MALFORMED = "puts broken events into streams"
    BUFFERED = "buffers streams and sends them in one burst"
    PLAIN = "does not stream"
    WRONG_ANSWER = "gives wrong answers"
    OTHER_MODEL = "lets another model answer"
    SUBSTITUTED = "lets another model answer under the same name"
    SUBSTITUTED_IN_TURN = "lets another model answer under the same name, every other hour"
    SUBSTITUTED_SOMETIMES = "lets another model answer a fifth of the requests under the same name"
    SCHEMALESS = "ignores the form that was asked for"
    TOOLLESS = "answers in words where a tool is to be called"
    TOOL_CALL_CUT = "cuts the arguments of tool calls"
    TOOL_CALL_CHANGED = "changes the arguments of tool calls"
    TOOL_RESULT_REFUSED = "refuses what tools return"
    UNCACHED = "never reads prompts from its cache"
    CACHE_HIDDEN = "does not say what it reads from its cache"
    FILTERED = "filters harmless answers"
    MISLABELLED = "labels streams as text"
    OVERBILLED = "counts more tokens than there are"
    BILLED_MORE = "bills 1.3 times the tokens of prompts"
    PROMPT_ADDED = "puts a long text before every prompt"
    OTHER_TOKENIZER = "counts tokens as another model does"
    NO_UPGRADE = "does not pass WebSockets on"
    WRONG_ACCEPT = "accepts WebSockets with another key than ours"
    ERROR_EVENT = "opens WebSockets with an error"
    UNCOUNTED = "counts no tokens any more"
    THINKS_TOO_LONG = "thinks until no tokens are left"


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """Gives endpoints a fault from `begin` to `end`, seconds into the cycle; `faults` alternate by cycle."""

    begin: int
    end: int
    endpoints: tuple[str, ...]
    faults: tuple[SimulatedFault, ...]
    places: tuple[str, ...] = tuple(place.id for place in PLACES)


SCRIPT: tuple[ScriptStep, ...] = (
    ScriptStep(8, 36, ("proxy-1",), (SimulatedFault.BAD_GATEWAY,)),
    ScriptStep(12, 36, ("proxy-2",), (SimulatedFault.REFUSED, SimulatedFault.RESET)),
    ScriptStep(44, 88, ("us-direct",), (SimulatedFault.SLOW,)),
    ScriptStep(
        48, 140, ("cf-worker",), (SimulatedFault.POISONED, SimulatedFault.RESET), (SHANGHAI.id,)
    ),
    ScriptStep(60, 84, ("fast-cdn",), (SimulatedFault.EXPIRED, SimulatedFault.WRONG_NAME)),
    ScriptStep(104, 132, ("cf-cdn",), (SimulatedFault.CUT,)),
    ScriptStep(148, 192, ("cf-worker",), (SimulatedFault.BUFFERED,)),
    ScriptStep(204, 224, ENDPOINT_IDS, (SimulatedFault.KEY_REJECTED,)),
)

Script = Callable[[float, str, str], SimulatedFault | None]
"""Takes seconds since the start, the id of an endpoint and that of a place, and returns the fault that is seen then."""


def fault_at(seconds: float, endpoint: str, place: str) -> SimulatedFault | None:
    """Return the fault of an endpoint `seconds` after the start, or None while it is well from this place."""
    cycle, into = divmod(seconds, CYCLE)
    for step in SCRIPT:
        if step.begin <= into < step.end and endpoint in step.endpoints and place in step.places:
            return step.faults[int(cycle) % len(step.faults)]
    return None


def no_faults(_: float, _endpoint: str, _place: str) -> SimulatedFault | None:
    """Return None always: the script in which nothing goes wrong."""
    return None


Faults = Mapping[tuple[str, SimulatedFault], tuple[str, ...]]
"""Endpoint and fault -> the names of the places from which it is seen."""


def faults_now(script: Script, seconds: float) -> Faults:
    """Return what goes wrong at this moment."""
    faults: dict[tuple[str, SimulatedFault], tuple[str, ...]] = {}
    for endpoint, place in product(ENDPOINT_IDS, PLACES):
        if fault := script(seconds, endpoint, place.id):
            faults[endpoint, fault] = (*faults.get((endpoint, fault), ()), place.name)
    return faults


def describe(faults: Faults) -> str:
    """Tell a person in one line which endpoint does what, and from where that is seen."""
    if not faults:
        return "all endpoints are well"
    everywhere = all(len(places) == len(PLACES) for places in faults.values())
    kinds = {fault for _, fault in faults}
    if len(faults) == len(ENDPOINT_IDS) and len(kinds) == 1 and everywhere:
        return f"every endpoint {kinds.pop().value}"
    return "; ".join(
        f"{endpoint} {fault.value}"
        + (f" from {' and '.join(places)}" if len(places) < len(PLACES) else "")
        for (endpoint, fault), places in faults.items()
    )


# --- answers that an endpoint gives to every request while a fault lasts --------------------------


_PAGE = "<!doctype html><html><head><title>{title}</title></head><body>{text}</body></html>"


@dataclass(frozen=True, slots=True)
class ErrorPage:
    status: int
    body: str
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def _json_page(status: int, body: Any, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, json.dumps(body), headers=headers)


def _error_page(status: int, message: str, code: str, kind: str = "api_error") -> ErrorPage:
    return _json_page(status, {"error": {"message": message, "type": kind, "code": code}})


def _bad_request(status: int, message: str, code: str) -> ErrorPage:
    return _error_page(status, message, code, "invalid_request_error")


def _relay_error(status: int, message: str, code: str) -> ErrorPage:
    """Return an error as the relay software New API words it."""
    return _error_page(status, message, code, "new_api_error")


def _text_page(status: int, body: str, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, body, "text/plain", headers)


def _html_page(status: int, title: str, text: str, *headers: tuple[str, str]) -> ErrorPage:
    return ErrorPage(status, _PAGE.format(title=title, text=text), "text/html", headers)


_RATE_LIMITED = {"error": {"message": "Too many requests.", "code": "rate_limit_exceeded"}}
_WALL = ("cf-mitigated", "challenge")
_ERROR_PAGES: Mapping[SimulatedFault, ErrorPage] = {
    SimulatedFault.SERVER_ERROR: _error_page(500, "The server had an error.", "server_error"),
    SimulatedFault.GATEWAY_TIMEOUT: _error_page(
        504, "The upstream did not answer.", "timeout", "timeout_error"
    ),
    SimulatedFault.NO_CHANNEL: _relay_error(
        503, "当前分组 default 下对于模型 demo-mini 无可用渠道", "model_not_found"
    ),
    SimulatedFault.EDGE_ERROR: _html_page(521, "521: Web server is down", "Error code 521"),
    SimulatedFault.EDGE_TIMEOUT: _text_page(524, "error code: 524"),
    SimulatedFault.CHALLENGE: _html_page(403, "Just a moment...", "Checking your browser.", _WALL),
    SimulatedFault.DENIED: _text_page(403, "error code: 1020"),
    SimulatedFault.PANEL: _html_page(200, "Relay panel", "Sign in to see your balance."),
    SimulatedFault.REDIRECT: _text_page(302, "", ("Location", "https://login.example/")),
    SimulatedFault.TEAPOT: _text_page(418, "short and stout"),
    SimulatedFault.NONSENSE: _json_page(200, {"hello": "world"}),
    SimulatedFault.GONE: _bad_request(404, "Invalid URL", "unknown_url"),
    SimulatedFault.RATE_LIMITED: _json_page(429, _RATE_LIMITED, ("Retry-After", "7")),
    SimulatedFault.OVERLOADED: _error_page(529, "Overloaded", "overloaded", "overloaded_error"),
    SimulatedFault.KEY_REJECTED: _bad_request(
        401, "Incorrect API key provided.", "invalid_api_key"
    ),
    SimulatedFault.OUT_OF_MONEY: _relay_error(
        403, "用户额度不足, 剩余额度: 0", "insufficient_user_quota"
    ),
    SimulatedFault.FORBIDDEN: _error_page(403, "This key may not use this model.", "access_denied"),
    SimulatedFault.OTHER_CLIENTS: _error_page(
        403, "This group only allows Claude Code clients.", "client_restricted"
    ),
    SimulatedFault.MODEL_GONE: _bad_request(404, "The model does not exist.", "model_not_found"),
    SimulatedFault.REGION: _error_page(
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
