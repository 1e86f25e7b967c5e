"""The small tables, in nouns: states, incidents, habits, spend, messages, requests and evidence."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy
from pydantic import TypeAdapter
from sqlalchemy import Connection, text
from sqlmodel import Session, SQLModel, and_, col, delete, func, not_, or_, select, update

from monitor.model import (
    AlertState,
    Announcement,
    Evidence,
    Habit,
    Incident,
    NotificationType,
    OperatorRequest,
    OutboxMessage,
    Phase,
    RequestKind,
    RestartState,
    Silence,
    Spend,
    StateKey,
    Subscriber,
)
from monitor.store import schema
from monitor.store.run_rows import from_millis
from monitor.store.schema import (
    CHECKS,
    RUNS,
    HabitRow,
    IncidentRow,
    KeyValueRow,
    LedgerRow,
    OutboxRow,
    RequestRow,
    StateRow,
    SubscriberRow,
)

INCIDENT, MESSAGE = TypeAdapter(Incident), TypeAdapter(OutboxMessage)
HABIT, EVIDENCE = TypeAdapter(Habit), TypeAdapter(Evidence)
SEEN, CLEAN, CRASHES = "last_seen", "stopped_cleanly", "crashes"
TOLD_BEST = "told_best"
MOVED_CHATS = "moved_chats"
TOLD_PRICES = "told_prices"
FORMER = "former_vantages"
"""JSON: the ids that this daemon had before, and when it was last seen under each."""
IMPORTED = "imported_until"
"""JSON: by check, when what was imported of it ends."""
_RECENT, _HOUR, _REQUESTS_KEPT = timedelta(hours=3), timedelta(hours=1), timedelta(days=30)
_MOST_TOKENS = 1 << 53


def save(connection: Connection, rows: Iterable[SQLModel]) -> None:
    """Insert each, or replace the one of the same key: in one statement a table, as an outage moves many."""
    by_table: dict[type[SQLModel], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_table[type(row)].append(row.model_dump())
    for model, values in by_table.items():
        schema.upsert(connection, schema.table(model), values)


def state_row(state: AlertState) -> StateRow:
    values = asdict(state)
    return StateRow(check_key=values.pop("check"), **values | {"phase": state.phase.value})


def incident_row(incident: Incident, vantage: str) -> IncidentRow:
    plain = replace(  # any mapping will do
        incident, failed_runs=dict(incident.failed_runs), bad_from=dict(incident.bad_from)
    )
    return IncidentRow(
        vantage=vantage,
        id=incident.id,
        service=incident.service,
        severity=incident.severity.value,
        opened=incident.opened,
        closed=incident.closed,
        kind=incident.failure.kind.value,
        body=INCIDENT.dump_json(plain).decode(),
    )


def message_row(message: OutboxMessage, vantage: str) -> OutboxRow:
    return OutboxRow(
        vantage=vantage,
        id=message.id,
        state="pending",
        channel=message.channel,
        last_error=message.last_error,
        body=MESSAGE.dump_json(message).decode(),
    )


def habit_row(check: str, habit: Habit, vantage: str) -> HabitRow:
    return HabitRow(vantage=vantage, check_key=check, body=HABIT.dump_json(habit).decode())


def finish_message(
    connection: Connection, number: int, vantage: str, at: datetime, error: str
) -> None:
    these = (col(OutboxRow.id) == number) & (col(OutboxRow.vantage) == vantage)
    values = {
        "state": "dead" if error else "sent",
        "done": at,
        **({"last_error": error} if error else {}),
    }
    connection.execute(update(OutboxRow).where(these).values(values))


def add_spend(connection: Connection, day: date, service: str, spend: Spend, vantage: str) -> None:
    with Session(connection) as session:
        row = session.get(LedgerRow, (vantage, day.isoformat(), service)) or LedgerRow(
            vantage=vantage, day=day.isoformat(), service=service, tokens=0, money=0.0
        )
        row.tokens = max(min(row.tokens + spend.tokens, _MOST_TOKENS), -_MOST_TOKENS)
        row.money += spend.money
        session.add(row)
        session.flush()


def subscribers(connection: Connection, vantage: str | None) -> tuple[Subscriber, ...]:
    """List who is told what, by channel and chat."""
    rows = Session(connection).exec(_of(select(SubscriberRow), SubscriberRow, vantage))
    subscribers = (Subscriber(**row.model_dump(exclude={"vantage"})) for row in rows)
    return tuple(
        sorted(
            subscribers,
            key=lambda subscriber: (subscriber.channel, subscriber.chat, subscriber.service),
        )
    )


def subscribe(connection: Connection, subscriber: Subscriber, vantage: str) -> None:
    save(connection, [SubscriberRow(vantage=vantage, **asdict(subscriber))])


def unsubscribe(
    connection: Connection, vantage: str, channel: str, chat: int, service: str | None
) -> None:
    """Forget what a chat subscribed to; None is all of it."""
    these = (
        (col(SubscriberRow.vantage) == vantage)
        & (col(SubscriberRow.channel) == channel)
        & (col(SubscriberRow.chat) == chat)
    )
    if service is not None:
        these &= col(SubscriberRow.service) == service
    connection.execute(delete(SubscriberRow).where(these))


def keep_subscribers(connection: Connection, vantage: str, channels: Collection[str]) -> None:
    """Forget those of all other channels."""
    others = col(SubscriberRow.channel).not_in(channels)
    ours = col(SubscriberRow.vantage) == vantage
    connection.execute(delete(SubscriberRow).where(ours & others))


def _of(query: Any, model: Any, vantage: str | None) -> Any:
    """Narrow a query to this vantage; None asks for all."""
    return query if vantage is None else query.where(model.vantage == vantage)


def states(connection: Connection) -> dict[StateKey, AlertState]:
    """Return all states, of every vantage."""
    states = map(_state, Session(connection).exec(select(StateRow)))
    return {state.key: state for state in states}


def _state(row: StateRow) -> AlertState:
    values = row.model_dump()
    return AlertState(check=values.pop("check_key"), **values | {"phase": Phase(row.phase)})


def incidents(
    connection: Connection,
    vantage: str | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> tuple[Incident, ...]:
    """Return incidents, newest first; only those that were open at some time from `since` to before `until`."""
    query = _of(select(IncidentRow.body), IncidentRow, vantage)
    if since is not None:
        query = query.where(
            or_(col(IncidentRow.closed).is_(None), col(IncidentRow.closed) >= since)
        )
    if until is not None:
        query = query.where(col(IncidentRow.opened) < until)
    newest = col(IncidentRow.opened).desc(), col(IncidentRow.id).desc()
    bodies = Session(connection).exec(query.order_by(*newest).limit(limit))
    return tuple(map(INCIDENT.validate_json, bodies))


def incident(connection: Connection, vantage: str | None, number: int) -> Incident | None:
    query = _of(select(IncidentRow.body), IncidentRow, vantage).where(IncidentRow.id == number)
    body = Session(connection).exec(query).first()
    return None if body is None else INCIDENT.validate_json(body)


def _next(connection: Connection, column: Any) -> int:
    return int(connection.execute(select(func.max(column))).scalar() or 0) + 1


def pending(connection: Connection, vantage: str | None) -> tuple[tuple[OutboxMessage, ...], int]:
    """Return messages that are not delivered, oldest first; and the id of the next one."""
    query = _of(select(OutboxRow.body), OutboxRow, vantage).where(OutboxRow.state == "pending")
    bodies = Session(connection).exec(query.order_by(col(OutboxRow.id)))
    return tuple(map(MESSAGE.validate_json, bodies)), _next(connection, OutboxRow.id)


def begun(connection: Connection, vantage: str | None) -> tuple[OutboxMessage, ...]:
    """Return the last word to each channel of each event of the monitor itself, where it is not its end."""
    body = col(OutboxRow.body)
    query = _of(select(OutboxRow.body), OutboxRow, vantage).where(OutboxRow.state != "dead")
    query = query.where(body.like('%"event":"%'), body.not_like('%"event":""%'))
    last: dict[tuple[str, str], OutboxMessage] = {}
    for message in map(
        MESSAGE.validate_json, Session(connection).exec(query.order_by(col(OutboxRow.id)))
    ):
        if message.event:
            last[message.channel, message.event] = message
    return tuple(row for row in last.values() if row.what is NotificationType.OPENED)


def dead(
    connection: Connection, vantage: str | None, since: datetime
) -> list[tuple[datetime, OutboxMessage]]:
    """Return messages that were given up since then, newest first, and when; `last_error` says why."""
    query = _of(select(OutboxRow), OutboxRow, vantage)
    query = query.where(OutboxRow.state == "dead", col(OutboxRow.done) >= since)
    rows = Session(connection).exec(query.order_by(col(OutboxRow.id).desc()))
    return [
        (row.done, replace(MESSAGE.validate_json(row.body), last_error=row.last_error))
        for row in rows
    ]


def spent(
    connection: Connection, vantage: str | None, since: date
) -> dict[tuple[date, str], Spend]:
    """Return spend by day and service, from this day on."""
    query = _of(select(LedgerRow), LedgerRow, vantage).where(LedgerRow.day >= since.isoformat())
    totals: dict[tuple[date, str], Spend] = defaultdict(Spend)
    for row in Session(connection).exec(query):
        totals[date.fromisoformat(row.day), row.service] += Spend(row.tokens, row.money)
    return dict(totals)


def spent_between(connection: Connection, first: date, last: date) -> dict[tuple[str, str], Spend]:
    """Return the spend of these days by vantage and service."""
    day = col(LedgerRow.day)
    query = select(LedgerRow).where(day >= first.isoformat(), day <= last.isoformat())
    totals: dict[tuple[str, str], Spend] = defaultdict(Spend)
    for row in Session(connection).exec(query.order_by(day)):
        totals[row.vantage, row.service] += Spend(row.tokens, row.money)
    return dict(totals)


def spent_elsewhere(
    connection: Connection, vantage: str, since: date
) -> dict[str, dict[tuple[date, str], Spend]]:
    """Return spend of other vantages by vantage, then by day and service, from this day on."""
    query = select(LedgerRow.vantage).where(LedgerRow.vantage != vantage).distinct()
    others = Session(connection).exec(query).all()
    return {other: spent(connection, other, since) for other in others}


def requests(connection: Connection) -> tuple[OperatorRequest, ...]:
    """List what people have asked and the daemon has not done, oldest first."""
    query = select(RequestRow).where(col(RequestRow.done).is_(None)).order_by(col(RequestRow.id))
    return tuple(map(_request, Session(connection).exec(query)))


def silences(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """Return the silences that still hold; a newer one takes the place of an older one of the same target."""
    query = select(RequestRow).where(RequestRow.what == RequestKind.SILENCE.value)
    newest = {
        row.target: row for row in Session(connection).exec(query.order_by(col(RequestRow.id)))
    }
    asked = (_request(row).silence for row in newest.values())
    return tuple(silence for silence in asked if silence.until > now)


def announcements(connection: Connection, now: datetime) -> tuple[Announcement, ...]:
    """Return the announcements that stand, newest first; one is over as soon as somebody has asked for its end."""
    kinds = (RequestKind.ANNOUNCE.value, RequestKind.END_ANNOUNCEMENT.value)
    query = select(RequestRow).where(col(RequestRow.what).in_(kinds))
    asked = [*map(_request, Session(connection).exec(query.order_by(col(RequestRow.id).desc())))]
    ended = {asking.target for asking in asked if asking.what is RequestKind.END_ANNOUNCEMENT}
    made = [asking.announcement for asking in asked if asking.what is RequestKind.ANNOUNCE]
    return tuple(
        each
        for each in made
        if str(each.id) not in ended and (each.until is None or each.until > now)
    )


def add_request(connection: Connection, request: OperatorRequest) -> None:
    values = asdict(request) | {"id": None, "what": request.what.value}
    row = RequestRow(**values)
    with Session(connection) as session:
        session.add(row)
        session.flush()


def finish_requests(connection: Connection, done: Iterable[int], now: datetime) -> None:
    """Tick these off, and forget what was done long ago and holds no more."""
    these = col(RequestRow.id).in_([*done])
    connection.execute(update(RequestRow).where(these).values(done=now))
    ends = select(RequestRow.target).where(
        these, RequestRow.what == RequestKind.END_ANNOUNCEMENT.value
    )
    ended = [int(number) for number in Session(connection).exec(ends) if number.isdigit()]
    stands = col(RequestRow.what) == RequestKind.ANNOUNCE.value
    connection.execute(
        update(RequestRow).where(col(RequestRow.id).in_(ended), stands).values(until=now)
    )
    lasts = and_(col(RequestRow.until).is_(None), not_(stands))
    over = or_(lasts, col(RequestRow.until) < now)
    connection.execute(delete(RequestRow).where(col(RequestRow.done) < now - _REQUESTS_KEPT, over))


def _request(row: RequestRow) -> OperatorRequest:
    values = row.model_dump(exclude={"done"})
    return OperatorRequest(**values | {"what": RequestKind(row.what)})


def restart_state(connection: Connection, vantage: str | None, now: datetime) -> RestartState:
    """Answer what a starting daemon asks. It only reads, so that it works on a full disk."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    recent = incidents(connection, vantage, since=min(month, now - _RECENT))
    habits = Session(connection).exec(_of(select(HabitRow), HabitRow, vantage))
    return RestartState(
        states=states(connection),
        incidents=tuple(incident for incident in reversed(recent) if not incident.closed),
        next_incident=_next(connection, IncidentRow.id),
        habits={row.check_key: HABIT.validate_json(row.body) for row in habits},
        spent_today={
            service: spend for (_, service), spend in spent(connection, vantage, now.date()).items()
        },
        last_seen=last_seen(connection, vantage),
        stopped_cleanly=schema.value(connection, CLEAN, vantage or "") == "yes",
        last_asked={
            key: from_millis(at)
            for key, _, _, at in newest_runs(connection, vantage)
            if at is not None
        },
        recent=tuple(incident for incident in recent if incident.closed),
        silences=silences(connection, now),
        told_best=json.loads(schema.value(connection, TOLD_BEST, vantage or "") or "{}"),
        told_prices=told_prices(connection, vantage),
        moved_chats=json.loads(schema.value(connection, MOVED_CHATS, vantage or "") or "{}"),
        crashes=len(crashes(connection, vantage, now)),
        begun=begun(connection, vantage),
    )


def crashes(connection: Connection, vantage: str | None, now: datetime) -> list[str]:
    """Return the starts of the last hour that followed on a crash, this one included, as ISO dates."""
    starts = schema.value(connection, CRASHES, vantage or "") or ""
    recent = [start for start in starts.split() if now - datetime.fromisoformat(start) < _HOUR]
    first = schema.value(connection, SEEN, vantage or "") is None
    clean = first or schema.value(connection, CLEAN, vantage or "") == "yes"
    return recent if clean else [*recent[-99:], now.isoformat()]


def earlier_ids(connection: Connection, vantage: str) -> dict[str, str]:
    """Return the other ids under which a daemon has written this store, and when it was last seen (ISO)."""
    names = col(KeyValueRow.name) == SEEN, col(KeyValueRow.vantage).not_in(["", vantage])
    rows = Session(connection).exec(select(KeyValueRow).where(*names).order_by(KeyValueRow.value))
    return {row.vantage: row.value for row in rows}


def take_over(connection: Connection, vantage: str) -> dict[str, str]:
    """Give this daemon what it has decided and told under earlier ids, and return those ids as `earlier_ids` does.

    Incidents, messages, readers and marks are the daemon's, and nobody else would end, deliver or read them.
    What was measured and spent stays with the id that is its place.
    """
    earlier = earlier_ids(connection, vantage)
    if not earlier:
        return {}
    for before in reversed(earlier):  # the latest first: what it has is not replaced
        for model in (IncidentRow, OutboxRow, SubscriberRow, KeyValueRow):
            _hand_over(connection, schema.table(model), before, vantage)
    known = json.loads(schema.value(connection, FORMER, vantage) or "{}") | earlier
    known.pop(vantage, None)
    schema.set_value(connection, FORMER, json.dumps(known), vantage)
    return earlier


def _hand_over(connection: Connection, table: sqlalchemy.Table, before: str, after: str) -> None:
    """Move rows to another vantage; where it has one of the same key, that one stays."""
    there = table.alias()
    keys = [there.c[key.name] == key for key in table.primary_key if key.name != "vantage"]
    has_one = sqlalchemy.exists().where(there.c.vantage == after, *keys)
    connection.execute(sqlalchemy.delete(table).where(table.c.vantage == before, has_one))
    connection.execute(
        sqlalchemy.update(table).where(table.c.vantage == before).values(vantage=after)
    )


def imported_until(connection: Connection, vantage: str | None) -> dict[str, datetime]:
    """Return by check when what was imported of it from another program ends; that has no incidents."""
    written = note(connection, vantage, IMPORTED) or "{}"
    return {check: datetime.fromisoformat(until) for check, until in json.loads(written).items()}


def mark_imported(connection: Connection, vantage: str, check: str, until: datetime) -> None:
    """Note that history of a check is imported, up to this moment or what was noted before, whichever is later."""
    known = imported_until(connection, vantage)
    known[check] = max(until, known.get(check, until))
    written = {name: moment.isoformat() for name, moment in known.items()}
    schema.set_value(connection, IMPORTED, json.dumps(written), vantage)


def told_prices(connection: Connection, vantage: str | None) -> datetime | None:
    moment = schema.value(connection, TOLD_PRICES, vantage or "")
    return datetime.fromisoformat(moment) if moment else None


def last_seen(connection: Connection, vantage: str | None) -> datetime | None:
    """Return the last heartbeat of a vantage, or its newest run if that is later."""
    heartbeat = note(connection, vantage, SEEN)
    times = [datetime.fromisoformat(heartbeat)] if heartbeat else []
    begins = (at for *_, at in newest_runs(connection, vantage) if at is not None)
    return max([*times, *map(from_millis, begins)], default=None)


def note(connection: Connection, vantage: str | None, name: str) -> str | None:
    """Return a single value by its name; without a vantage, of whichever has one."""
    query = "SELECT value FROM key_value WHERE name = :name AND vantage IN (:vantage, '')"
    if vantage is None:
        query = "SELECT value FROM key_value WHERE name = :name ORDER BY vantage"
    row = connection.execute(text(query), {"name": name, "vantage": vantage}).first()
    return None if row is None else str(row[0])


def newest_runs(
    connection: Connection, vantage: str | None
) -> Iterator[tuple[str, str, str, int | None]]:
    """Return key, vantage, kind and the begin of the newest run (unix ms) of each check, by key."""
    newest = select(func.max(RUNS.c.at)).where(RUNS.c.check_id == CHECKS.c.id).scalar_subquery()
    query = sqlalchemy.select(
        CHECKS.c.key, CHECKS.c.vantage, CHECKS.c.kind, CHECKS.c.last_at, newest
    )
    query = query if vantage is None else query.where(CHECKS.c.vantage == vantage)
    for key, of, kind, rolled, fresh in connection.execute(
        query.order_by(CHECKS.c.key, CHECKS.c.vantage)
    ):
        yield key, of, kind, max((at for at in (rolled, fresh) if at is not None), default=None)
