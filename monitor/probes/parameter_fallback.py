"""Ask; where a server refuses a parameter of ours, ask once more without it, and remember that."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.model import Habit
from monitor.probes.exchange import Exchange
from monitor.probes.refusal import newly_refused

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
