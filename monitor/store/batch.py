"""What one transaction writes: many entries and changes, each row of theirs once."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Connection, update

from monitor.model import AlertState, Habit, Incident, OutboxMessage, Outcome, RunRecord, Spend
from monitor.model.spend import NO_SPEND
from monitor.store import fold, nouns
from monitor.store.meta import number_of, set_meta
from monitor.store.names import Names
from monitor.store.runs import insert_results
from monitor.store.sql import upsert
from monitor.store.tables import HABITS, INCIDENTS, LEDGER, NUMBER_BITS, OUTBOX, STATES
from monitor.store.times import hour_of_key, hours, key_of_hour, micros, millis

FLOOR, LATE = "floor", "late"
LATE_AFTER_MS = 4 * 60_000


@dataclass(frozen=True, slots=True)
class Done:
    """An outbox row that needs no more delivery: sent, or given up for `error`."""

    id: int
    at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is written without a result."""

    states: tuple[AlertState, ...] = ()
    habits: tuple[tuple[str, Habit], ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[OutboxMessage, ...] = ()
    """New or postponed."""
    done: tuple[Done, ...] = ()
    spent: tuple[tuple[str, date, Spend], ...] = ()
    meta: tuple[tuple[str, str], ...] = ()


Item = RunRecord | Change


def droppable(item: Item) -> bool:
    """A plain good result: the first to go when the disk fails for long."""
    return isinstance(item, RunRecord) and not item.incidents and not item.outgoing


def plain_up(item: Item) -> bool:
    return isinstance(item, RunRecord) and droppable(item) and item.result.outcome is Outcome.UP


def remains(item: Item) -> Change:
    """What must be kept of an entry whose result is dropped."""
    if isinstance(item, Change):
        return item
    result = item.result
    service = result.check.split("/", 1)[0]
    return Change(
        states=item.states,
        habits=() if item.habit is None else ((result.check, item.habit),),
        incidents=item.incidents,
        outgoing=item.outgoing,
        spent=() if item.spent == NO_SPEND else ((service, result.at.date(), item.spent),),
    )


def bare(entry: RunRecord) -> RunRecord:
    """Its result, without what `remains` keeps."""
    return replace(entry, states=(), habit=None, incidents=(), outgoing=(), spent=NO_SPEND)


def is_bare(item: Item) -> bool:
    """As nearly all are."""
    return isinstance(item, RunRecord) and not (
        item.states
        or item.habit
        or item.incidents
        or item.outgoing
        or (item.spent is not NO_SPEND and item.spent != NO_SPEND)
    )


@dataclass(slots=True)
class Batch:
    entries: list[RunRecord] = field(default_factory=list)
    states: dict[tuple[str, str], AlertState] = field(default_factory=dict)
    habits: dict[str, Habit] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)
    outgoing: dict[int, OutboxMessage] = field(default_factory=dict)
    done: dict[int, Done] = field(default_factory=dict)
    spent: dict[tuple[date, str], Spend] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        if isinstance(item, RunRecord):
            self.entries.append(item)
            if is_bare(item):
                return
        change = remains(item)
        self.states.update(((state.check, state.rule), state) for state in change.states)
        self.habits.update(change.habits)
        self.incidents.update((incident.id, incident) for incident in change.incidents)
        self.outgoing.update((outgoing.id, outgoing) for outgoing in change.outgoing)
        self.done.update((done.id, done) for done in change.done)
        self.meta.update(change.meta)
        for service, day, spend in change.spent:
            self.spent[day, service] = self.spent.get((day, service), NO_SPEND) + spend


def gather(items: Iterable[Item]) -> Batch:
    batch = Batch()
    for item in items:
        batch.add(item)
    return batch


def merged(batch: Batch) -> Change:
    """All of it but the results."""
    return Change(
        states=tuple(batch.states.values()),
        habits=tuple(batch.habits.items()),
        incidents=tuple(batch.incidents.values()),
        outgoing=tuple(batch.outgoing.values()),
        done=tuple(batch.done.values()),
        spent=tuple((service, day, spend) for (day, service), spend in batch.spent.items()),
        meta=tuple(batch.meta.items()),
    )


def write(
    connection: Connection,
    names: Names,
    batch: Batch,
    now: datetime,
    *,
    vantage: str,
    crowded: bool = False,
) -> None:
    """`crowded`: two runs of one check have begun in the same millisecond, see `insert_results`."""
    keys = insert_results(connection, names, batch.entries, crowded=crowded)
    _roll_late(connection, names, keys, now)
    for table, rows in (
        (STATES, [nouns.state_row(state) for state in batch.states.values()]),
        (HABITS, [nouns.habit_row(*pair) for pair in batch.habits.items()]),
        (INCIDENTS, [nouns.incident_row(incident) for incident in batch.incidents.values()]),
        (OUTBOX, [nouns.outgoing_row(item) for item in batch.outgoing.values()]),
    ):
        upsert(connection, table, [{**row, "vantage": vantage} for row in rows])
    for done in batch.done.values():
        _finish(connection, done)
    spent = [_ledger_row(*each, vantage) for each in batch.spent.items()]
    upsert(connection, LEDGER, spent, add=("tokens", "money"))
    for name, value in batch.meta.items():
        set_meta(connection, name, value)


def _ledger_row(of: tuple[date, str], spend: Spend, vantage: str) -> nouns.Row:
    day, service = of
    return {
        "day": day.toordinal(),
        "service": service,
        "tokens": max(min(spend.tokens, 1 << 53), -(1 << 53)),
        "money": spend.money,
        "vantage": vantage,
    }


def _finish(connection: Connection, done: Done) -> None:
    values: nouns.Row = {"state": "dead" if done.error else "sent", "done": micros(done.at)}
    if done.error:
        values["last_error"] = done.error
    connection.execute(update(OUTBOX).where(OUTBOX.c.id == done.id).values(values))


def _roll_late(connection: Connection, names: Names, keys: list[int], now: datetime) -> None:
    """Keep the rollups true, and tell readers that what they remember is not all, when it is not."""
    if not keys:
        return
    marks = names.marks(connection, (fold.ROLLED, FLOOR))
    rolled, floor = marks.get(fold.ROLLED), marks.get(FLOOR, 0)
    if rolled is None:
        rolled = min(hours(now), hour_of_key(min(keys)))
        fold.begin(connection, rolled)
        names.forget_marks()
    end = key_of_hour(rolled)
    late = [key for key in keys if floor <= key < end]
    if late or min(keys) >> NUMBER_BITS < millis(now) - LATE_AFTER_MS:
        set_meta(connection, LATE, str((number_of(connection, LATE) or 0) + 1))
    if late:
        fold.remake(connection, names, late)
