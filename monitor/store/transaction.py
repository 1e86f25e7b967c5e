"""One transaction writes many entries and changes, each row of theirs once."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Connection

from monitor.model import AlertState, Habit, Incident, OutboxMessage, RunRecord, Spend, StateKey
from monitor.model.spend import NO_SPEND
from monitor.store import commits, rollup_job, small_tables
from monitor.store.run_rows import Ids, counted_row, insert_runs
from monitor.store.schema import EVIDENCE, set_value, upsert


@dataclass(frozen=True, slots=True)
class Done:
    """A message that needs no more delivery: sent, or given up for `error`."""

    id: int
    at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that comes without a run."""

    states: tuple[AlertState, ...] = ()
    habits: tuple[tuple[str, Habit], ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[OutboxMessage, ...] = ()
    """New or postponed."""
    done: tuple[Done, ...] = ()
    spent: tuple[tuple[str, date, Spend], ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    """Single values by name."""


Item = RunRecord | Change


def change_of(item: Item) -> Change:
    """Return all of an item but its run."""
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


def has_change(entry: RunRecord) -> bool:
    """Tell whether an entry holds more than its run; most do not."""
    return bool(
        entry.states
        or entry.habit
        or entry.incidents
        or entry.outgoing
        or (entry.spent is not NO_SPEND and entry.spent != NO_SPEND)
    )


def bare(entry: RunRecord) -> RunRecord:
    """Return an item's run, without what `change_of` keeps."""
    return replace(entry, states=(), habit=None, incidents=(), outgoing=(), spent=NO_SPEND)


@dataclass(slots=True)
class WriteSet:
    entries: list[RunRecord] = field(default_factory=list)
    states: dict[StateKey, AlertState] = field(default_factory=dict)
    habits: dict[str, Habit] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)
    outgoing: dict[int, OutboxMessage] = field(default_factory=dict)
    done: dict[int, Done] = field(default_factory=dict)
    spent: dict[tuple[date, str], Spend] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[Item]) -> "WriteSet":
        write_set = cls()
        for item in items:
            write_set._add(item)
        return write_set

    def _add(self, item: Item) -> None:
        if isinstance(item, RunRecord):
            self.entries.append(item)
            if not has_change(item):
                return
        change = change_of(item)
        self.states.update((state.key, state) for state in change.states)
        self.habits.update(change.habits)
        self.incidents.update((incident.id, incident) for incident in change.incidents)
        self.outgoing.update((message.id, message) for message in change.outgoing)
        self.done.update((done.id, done) for done in change.done)
        self.values.update(change.values)
        for service, day, spend in change.spent:
            self.spent[day, service] = self.spent.get((day, service), NO_SPEND) + spend

    @property
    def change(self) -> Change:
        """Return all of it but the runs."""
        return Change(
            states=tuple(self.states.values()),
            habits=tuple(self.habits.items()),
            incidents=tuple(self.incidents.values()),
            outgoing=tuple(self.outgoing.values()),
            done=tuple(self.done.values()),
            spent=tuple((service, day, spend) for (day, service), spend in self.spent.items()),
            values=tuple(self.values.items()),
        )


def write(
    connection: Connection,
    ids: Ids,
    write_set: WriteSet,
    now: datetime,
    *,
    vantage: str,
    crowded: bool = False,
) -> None:
    """Write all of it. `crowded`: two runs of a check may have begun in the same millisecond."""
    keys = insert_runs(connection, ids, write_set.entries, now, crowded=crowded)
    if keys:
        commits.note(connection, ((at, check.id) for at, check in keys))
    evidence_rows = [
        {
            "at": at,
            "check_id": check.id,
            "body": small_tables.EVIDENCE.dump_json(entry.evidence).decode(),
        }
        for (at, check), entry in zip(keys, write_set.entries, strict=True)
        if entry.evidence is not None
    ]
    upsert(connection, EVIDENCE, evidence_rows)
    late = [
        (at, check.id, counted_row(entry))
        for (at, check), entry in zip(keys, write_set.entries, strict=True)
        if at < check.rolled_until
    ]
    if late:
        rollup_job.add_runs(connection, late)
    rows = [
        *(small_tables.state_row(state) for state in write_set.states.values()),
        *(small_tables.habit_row(*pair, vantage) for pair in write_set.habits.items()),
        *(
            small_tables.incident_row(incident, vantage)
            for incident in write_set.incidents.values()
        ),
        *(small_tables.message_row(message, vantage) for message in write_set.outgoing.values()),
    ]
    small_tables.save(connection, rows)
    for done in write_set.done.values():
        small_tables.finish_message(connection, done.id, vantage, done.at, done.error)
    for (day, service), spend in write_set.spent.items():
        small_tables.add_spend(connection, day, service, spend, vantage)
    for name, content in write_set.values.items():
        set_value(connection, name, content, vantage)
