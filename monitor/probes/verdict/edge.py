"""Decides whether an edge (a CDN, a worker, a firewall) answered in place of the relay behind it.

An edge's name in the headers proves nothing: it passes the relay's own errors on. Its marks do.
"""

import re
from datetime import timedelta

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Exchange
from monitor.probes.verdict import provider_codes
from monitor.probes.verdict.error_body import looks_html

# Every repeat is bounded: a page made for it must not keep the monitor busy.
_EDGE_CODE = re.compile(
    rb"""\A\s*error\ code:\s*(1\d{3})\b                 # the plain-text form
      | "error_code"\s*:\s*(1\d{3})\b                   # the structured one
      | <span\b[^<>]{0,200}class="cf-error-code"[^<>]{0,200}>(1\d{3})<  # the page
      | <title>[^<]{0,200}\berror\ (1\d{3})\b
      | \bError\ (1\d{3})\s+Ray\ ID
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BARE = re.compile(rb"\A\s*(?:error code:?\s*)?50[24][a-z ]{0,16}\s*\Z", re.IGNORECASE)
_CHALLENGES = (b"challenge-platform", b"just a moment", b"cf-chl-", b"_cf_chl_opt")


def judge_edge(exchange: Exchange) -> Failure | None:
    """Judges an answer that an edge gave in place of the server behind it; None for any other."""
    status = exchange.status
    if status is None:
        return None
    if _is_challenge(exchange, status):
        return Failure(
            FailureKind.EDGE_CHALLENGE,
            f"got HTTP {status} with a browser challenge of the edge, want the API's answer; "
            "the monitor is taken for a robot",
        )
    if status < 400:
        return None
    code = _edge_code(exchange.body)
    if code is not None:
        return _judge_edge_code(status, code)
    kind = _edge_kind(exchange, status)
    if kind is None:
        return None
    why = provider_codes.EDGE_STATUS.get(
        status, "the edge answered in place of the server behind it"
    )
    return Failure(kind, f"got HTTP {status}: {why}, want the API's answer")


def _edge_kind(exchange: Exchange, status: int) -> FailureKind | None:
    if status == 524:
        return FailureKind.EDGE_TIMEOUT
    if status in provider_codes.EDGE_STATUS:
        return FailureKind.EDGE_ERROR
    if status in {502, 504} and len(exchange.body) <= 24 and _BARE.match(exchange.body):
        return FailureKind.EDGE_TIMEOUT if status == 504 else FailureKind.EDGE_ERROR
    if status >= 500 and "cf-error-type" in exchange.headers:
        return FailureKind.EDGE_ERROR
    return None


def _is_challenge(exchange: Exchange, status: int) -> bool:
    if exchange.headers.get("cf-mitigated", "").strip().lower() == "challenge":
        return True
    if not looks_html(exchange.body):
        return False
    head = exchange.body[:65536].lower()
    # Ordinary pages behind the edge carry its script too, so under 2xx only the title counts.
    signs = _CHALLENGES if status >= 400 else (b"<title>just a moment",)
    return any(sign in head for sign in signs)


def _edge_code(body: bytes) -> int | None:
    match = _EDGE_CODE.search(body[:65536])
    return int(next(group for group in match.groups() if group)) if match else None


def _judge_edge_code(status: int, code: int) -> Failure:
    if code in provider_codes.EDGE_RATE_LIMITED:
        return Failure(
            FailureKind.RATE_LIMITED, f"got HTTP {status}: the edge limits our rate (error {code})"
        )
    if code in provider_codes.EDGE_DENIED:
        return Failure(
            FailureKind.EDGE_DENIED,
            f"got HTTP {status}: the edge denies us access (error {code}), want the API's answer",
        )
    return Failure(
        FailureKind.EDGE_ERROR,
        f"got HTTP {status}: the edge failed (error {code}), want the API's answer",
    )


_EARLY = 0.98
"""Edges keep their limit to the second, and start counting after the handshake."""


def judge_edge_timeout(
    failure: Failure | None, exchange: Exchange, cut_after: timedelta | None
) -> Failure | None:
    """Renames a failure to `edge_timeout` where the call ended when this edge is known to end calls."""
    took = exchange.timings.total
    if failure is None or cut_after is None or took is None:
        return failure
    if not failure.kind.row.may_be_edge_limit:
        return failure
    limit_s = cut_after.total_seconds()
    if took < limit_s * 1000 * _EARLY:
        return failure
    why = f"got no answer before the edge ended the call after {took / 1000:.0f} s"
    return Failure(
        FailureKind.EDGE_TIMEOUT, f"{why} (it is known to after {limit_s:g} s), want one"
    )
