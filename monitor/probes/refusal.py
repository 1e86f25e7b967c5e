"""Which parameter of ours a server refuses: then we ask without it, and nothing has failed."""

import re
from collections.abc import Sequence

from monitor.model import FailureKind
from monitor.probes.exchange import Exchange
from monitor.probes.verdict.classify import judge_http
from monitor.probes.verdict.error_body import said_in_body


def newly_refused(exchange: Exchange, sent: Sequence[str]) -> str | None:
    """The one of `sent` that a 400 or 422 names, in its `param` before in its prose."""
    if exchange.status not in {400, 422} or exchange.trouble is not None:
        return None
    failure = judge_http(exchange, had_key=True)
    if failure is None or failure.kind is not FailureKind.REQUEST_REJECTED:
        return None
    said = said_in_body(exchange.body)
    by_param = next((name for name in sent if name in said.params), None)
    return by_param or next((name for name in sent if _names(said.text, name)), None)


def _names(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
