"""Asks again without a parameter that a server refuses, and remembers the refusal in the habit."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.model import FailureKind, Habit
from monitor.probes.exchange import Exchange
from monitor.probes.verdict.classify import judge_http
from monitor.probes.verdict.error_body import parse_error_body

Body = Mapping[str, Any]
Asking = Callable[[Body, timedelta], Awaitable[Exchange]]
"""Sends a body within the time that is left."""

_LEAST = timedelta(seconds=0.1)


async def adapting(
    asking: Asking,
    make_body: Callable[[Habit], Body],
    droppable: Mapping[str, str],
    habit: Habit,
    timeout: timedelta,
) -> tuple[Exchange, Habit]:
    """Asks until no further parameter is refused; returns the last exchange and what was learned.

    `make_body` leaves out what the habit says is refused; `droppable` maps a server's name of a parameter
    to ours. Only a fallback that worked is remembered.
    """
    left, learned = timeout, habit
    for _ in set(droppable.values()):
        body = make_body(learned)
        exchange = await asking(body, max(left, _LEAST))
        sent = _names(body)
        word = newly_refused(exchange, [word for word, name in droppable.items() if name in sent])
        if word is None:
            return exchange, learned if _worked(exchange) else habit
        learned = replace(learned, refused=learned.refused | {droppable[word]})
        left -= timedelta(milliseconds=exchange.timings.total or 0.0)
    exchange = await asking(make_body(learned), max(left, _LEAST))
    return exchange, learned if _worked(exchange) else habit


def _worked(exchange: Exchange) -> bool:
    return exchange.status is not None and 200 <= exchange.status < 300


def _names(body: Body) -> set[str]:
    """Names all parameters of a body, also those inside a table (Gemini's `generationConfig`)."""
    inner = {name for value in body.values() if isinstance(value, dict) for name in value}
    return set(body) | inner


def without(body: Body, refused: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in refused}


def newly_refused(exchange: Exchange, sent: Sequence[str]) -> str | None:
    """Returns the one of `sent` that a 400 or 422 refuses, by its `param` before its prose; None for none."""
    if exchange.status not in {400, 422} or exchange.error is not None:
        return None
    failure = judge_http(exchange, had_key=True)
    if failure is None or failure.kind is not FailureKind.REQUEST_REJECTED:
        return None
    error = parse_error_body(exchange.body)
    by_param = next((name for name in sent if name in error.params), None)
    return by_param or next((name for name in sent if _is_named(error.text, name)), None)


def _is_named(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
