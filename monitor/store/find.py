"""Plain questions to the tables, answered in nouns."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection, func, select
from sqlmodel import or_

from monitor.model import AlertState, Habit, Incident, OutboxMessage, Spend
from monitor.store import nouns
from monitor.store.fold import ROLLED
from monitor.store.meta import number_of
from monitor.store.tables import (
    CHECKS,
    HABITS,
    INCIDENTS,
    LEDGER,
    NUMBER_BITS,
    NUMBER_MASK,
    OUTBOX,
    RESULTS,
    STATES,
)
from monitor.store.times import from_millis, key_of_hour, micros


def states(connection: Connection) -> dict[str, tuple[AlertState, ...]]:
    found: dict[str, list[AlertState]] = defaultdict(list)
    for row in connection.execute(_STATES).mappings():
        state = nouns.state_from(row)
        found[state.check].append(state)
    return {check: tuple(listed) for check, listed in found.items()}


_STATES = select(*(column for column in STATES.c if column.name != "vantage"))
"""A store that no daemon has brought up to date yet can be read too."""


def incidents(
    connection: Connection,
    *,
    since: datetime | None,
    limit: int | None,
    until: datetime | None = None,
) -> tuple[Incident, ...]:
    """Newest first; with `since`, the open ones and those closed at or after it."""
    query = select(INCIDENTS.c.body)
    if since is not None:
        recent = INCIDENTS.c.closed >= micros(since)
        query = query.where(or_(INCIDENTS.c.closed.is_(None), recent))
    if until is not None:
        query = query.where(INCIDENTS.c.opened < micros(until))
    query = query.order_by(INCIDENTS.c.opened.desc(), INCIDENTS.c.id.desc()).limit(limit)
    return tuple(map(nouns.incident_from, connection.execute(query).scalars()))


def open_incidents(connection: Connection) -> tuple[Incident, ...]:
    query = select(INCIDENTS.c.body).where(INCIDENTS.c.closed.is_(None)).order_by(INCIDENTS.c.id)
    return tuple(map(nouns.incident_from, connection.execute(query).scalars()))


def incident(connection: Connection, incident_id: int) -> Incident | None:
    query = select(INCIDENTS.c.body).where(INCIDENTS.c.id == incident_id)
    body = connection.execute(query).scalar()
    return None if body is None else nouns.incident_from(body)


def pending(connection: Connection) -> tuple[OutboxMessage, ...]:
    query = select(OUTBOX.c.body).where(OUTBOX.c.state == "pending").order_by(OUTBOX.c.id)
    return tuple(map(nouns.outgoing_from, connection.execute(query).scalars()))


def next_message(connection: Connection) -> int:
    return (connection.execute(select(func.max(OUTBOX.c.id))).scalar() or 0) + 1


def dead(connection: Connection, since: datetime) -> tuple[OutboxMessage, ...]:
    """Given up since then, newest first; `last_error` says why."""
    query = select(OUTBOX.c.body, OUTBOX.c.last_error).where(
        OUTBOX.c.state == "dead", OUTBOX.c.done >= micros(since)
    )
    return tuple(
        replace(nouns.outgoing_from(body), last_error=why)
        for body, why in connection.execute(query.order_by(OUTBOX.c.id.desc()))
    )


def habits(connection: Connection) -> dict[str, Habit]:
    return {
        check: nouns.habit_from(body)
        for check, body in connection.execute(select(HABITS.c.check_key, HABITS.c.body))
    }


def spent(connection: Connection, first: date, last: date) -> dict[str, Spend]:
    """By service, both days included."""
    query = select(LEDGER.c.service, func.sum(LEDGER.c.tokens), func.sum(LEDGER.c.money))
    days = LEDGER.c.day.between(first.toordinal(), last.toordinal())
    rows = connection.execute(query.where(days).group_by(LEDGER.c.service))
    return {service: Spend(tokens, money) for service, tokens, money in rows}


def last_asked(connection: Connection, vantage: str) -> dict[str, datetime]:
    """When each check of `vantage` ran last: from its rollups, or from the results after them."""
    query = select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.last).where(CHECKS.c.vantage == vantage)
    checks = connection.execute(query).all()
    last = newest(connection, {number: key for number, _, key in checks})
    return {
        check: from_millis(last[number] >> NUMBER_BITS)
        for number, check, _ in checks
        if last[number]
    }


def newest(connection: Connection, rolled: Mapping[int, int]) -> dict[int, int]:
    """Key of the newest result by check number; `rolled` holds those that are rolled up."""
    found = dict(rolled)
    unrolled = key_of_hour(number_of(connection, ROLLED) or 0)
    for key in connection.execute(select(RESULTS.c.key).where(RESULTS.c.key >= unrolled)).scalars():
        number = key & NUMBER_MASK
        found[number] = max(found.get(number, 0), key)
    return found
