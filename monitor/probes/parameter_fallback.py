"""Ask; where a server refuses a parameter of ours, ask once more without it, and remember that."""

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
"""Sends a body, in the time that is left."""

_LEAST = timedelta(seconds=0.1)


async def adapting(
    asking: Asking,
    make_body: Callable[[Habit], Body],
    droppable: Mapping[str, str],
    habit: Habit,
    timeout: timedelta,
) -> tuple[Exchange, Habit]:
    """`make_body` leaves out what the habit says is refused; `droppable` is what servers call it -> our name.

    Only what was of use is remembered: a server that refuses us all the same taught us nothing.
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
    """Of the parameters, also of those that stand in a table of their own (Gemini's do)."""
    inner = {name for value in body.values() if isinstance(value, dict) for name in value}
    return set(body) | inner


def without(body: Body, refused: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in refused}


def newly_refused(exchange: Exchange, sent: Sequence[str]) -> str | None:
    """The one of `sent` that a 400 or 422 names, in its `param` before in its prose."""
    if exchange.status not in {400, 422} or exchange.error is not None:
        return None
    failure = judge_http(exchange, had_key=True)
    if failure is None or failure.kind is not FailureKind.REQUEST_REJECTED:
        return None
    said = parse_error_body(exchange.body)
    by_param = next((name for name in sent if name in said.params), None)
    return by_param or next((name for name in sent if _is_named(said.text, name)), None)


def _is_named(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
