"""Asks again without a parameter that a server refuses, and remembers the refusal in the habit."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.model import FailureKind, Habit
from monitor.probes.exchange import Exchange
from monitor.probes.verdict.classify import is_error_object, judge_http
from monitor.probes.verdict.error_body import parse_error_body, read_json

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
    """Ask until no further parameter is refused; return the last exchange and what was learned.

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
            break
        learned = replace(learned, refused=learned.refused | {droppable[word]})
        left -= timedelta(milliseconds=exchange.timings.total or 0.0)
    else:
        exchange = await asking(make_body(learned), max(left, _LEAST))
    return exchange, learned if learned is not habit and _worked(exchange) else habit


def _worked(exchange: Exchange) -> bool:
    good = exchange.status is not None and 200 <= exchange.status < 300
    return good and not is_error_object(read_json(exchange.body))


def _names(body: Body) -> set[str]:
    """Name all parameters of a body, also those inside a table (Gemini's `generationConfig`)."""
    inner = {name for value in body.values() if isinstance(value, dict) for name in value}
    return set(body) | inner


def without(body: Body, refused: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in refused}


def newly_refused(exchange: Exchange, sent: Sequence[str]) -> str | None:
    """Return the one of `sent` that an answer refuses, by its `param` before its prose; None for none.

    A 400 or 422 need only name it. Relays wrap such a refusal into a 5xx, or into an error under 200, too:
    then it must also say that the parameter is what is wrong.
    """
    status = exchange.status
    if status is None or exchange.error is not None:
        return None
    plain = status in {400, 422}
    if not plain and not (
        status >= 500 or (status == 200 and is_error_object(read_json(exchange.body)))
    ):
        return None
    error = parse_error_body(exchange.body)
    if plain:
        failure = judge_http(exchange, had_key=True)
        if failure is None or failure.kind is not FailureKind.REQUEST_REJECTED:
            return None
    elif not (error.codes & _REFUSED_CODES or _REFUSED.search(error.text)):
        return None
    by_param = next((name for name in sent if name in error.params), None)
    return by_param or next((name for name in sent if _is_named(error.text, name)), None)


_REFUSED_CODES = frozenset(
    {"unsupportedparameter", "unsupportedvalue", "unknownparameter", "invalidparameter"}
)
_REFUSED = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|invalid|not allowed|not permitted|unexpected|extra (?:field|input)"
    r"|only \S+ is allowed|不支持|无效|未知|不允许",
    re.IGNORECASE,
)
"""Says that a parameter is what is wrong."""


def _is_named(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
