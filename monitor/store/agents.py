"""Keeps what a hub knows of each agent, and lets a batch of theirs into the history: once, in one transaction.

The table is made when the first agent is heard; the store of a daemon without agents has none.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Column, Connection, MetaData, Text, delete, func, inspect, select
from sqlmodel import Field, Session, SQLModel, col
from sqlmodel import select as select_rows

from monitor.model import AgentState, Result, RunRecord, Spend
from monitor.store import small_tables
from monitor.store.loader import Loader
from monitor.store.run_rows import EPOCH, Ids, millis
from monitor.store.schema import (
    BIG,
    CHECKS,
    RUNS,
    LedgerRow,
    UTCDateTime,
    refuse_unreleased,
    upsert,
)
from monitor.store.store import Store
from monitor.store.transaction import WriteSet, write

_AT_ONCE = 500
"""Moments of one question."""
_ENDED = 50
"""Streams that are remembered as ended: an agent begins a new one where its folder or a store was replaced."""
_BESIDE = {"sent_ms", "ended"}
"""Columns that say which requests are repeated, and nothing of the agent."""


class _OfAgents(SQLModel):
    metadata = MetaData()


class AgentRow(_OfAgents, table=True):
    """Keeps what was taken of an agent.

    All numbers of `stream` up to `upto` are stored, or were given up; `heard` is the last batch.

    An agent with another `key` is another one, with a row of its own.
    """

    __tablename__ = "agents"
    vantage: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    stream: str
    upto: int = Field(sa_column=Column(BIG, nullable=False))
    heard: datetime = Field(sa_column=Column(UTCDateTime, nullable=False))
    blind: bool
    offset_ms: int | None = Field(default=None, sa_column=Column(BIG))
    version: str
    config: str
    deal: str
    buffered: int = Field(sa_column=Column(BIG, nullable=False))
    oldest_ms: int = Field(sa_column=Column(BIG, nullable=False))
    dropped: int = Field(sa_column=Column(BIG, nullable=False))
    refused: int = Field(sa_column=Column(BIG, nullable=False))
    sent_ms: int = Field(sa_column=Column(BIG, nullable=False))
    """When the last batch was signed, by the agent's clock (unix ms)."""
    ended: str
    """The streams that another one took the place of, the newest last."""


class AgentSpendRow(_OfAgents, table=True):
    """Keeps what an agent has spent on a UTC day in all, as it says; the ledger has the sum of a place."""

    __tablename__ = "agent_spend"
    vantage: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    day: str = Field(sa_column=Column(Text, primary_key=True))
    service: str = Field(sa_column=Column(Text, primary_key=True))
    tokens: int = Field(sa_column=Column(BIG, nullable=False))
    money: float


_AGENTS = AgentRow.metadata.tables["agents"]
_SPEND = AgentRow.metadata.tables["agent_spend"]
_SPEND_KEPT = timedelta(days=7)
"""Older days are in the ledger, and no agent adds to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """A batch as it is to be stored: what an agent sent, judged by the configuration and the hub's clock."""

    state: AgentState
    """What is known of the agent with this batch; its `upto` is the last number of the batch."""
    first: int
    sent_ms: int
    """When it was signed, by the agent's clock (unix ms)."""
    runs: tuple[RunRecord, ...] = ()
    moved: frozenset[int] = frozenset()
    """Places in `runs` of those whose begin the hub has set: they take the next free millisecond."""
    spend: Mapping[tuple[date, str], Spend] = field(default_factory=dict)
    taken_over_after: timedelta
    """How long another stream of this vantage must have been silent before this one takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer to a batch. `upto` was `before`; what lies up to it is the hub's."""

    upto: int
    before: int = 0
    stored: tuple[RunRecord, ...] = ()
    spend: Mapping[tuple[date, str], Spend] = field(default_factory=dict)
    """What all agents of the place have spent on the days, and for the services, of which this batch says something."""
    repeated: int = 0
    """Runs that were there already."""
    is_old: bool = False
    """The whole batch was taken before, or is a sign of life that was given before: nothing is known by it."""
    has_gap: bool = False
    """The batch begins beyond `upto` + 1, or is of a stream that has ended; nothing was stored."""
    is_other_stream: bool = False
    """Another agent with this key is heard; nothing was stored."""


async def receive(store: Store, batch: ReceivedBatch, numbers: Iterable[int]) -> Receipt:
    """Store what of a batch is new. `numbers` are those of its runs. Raises StoreError."""
    numbered = tuple(zip(numbers, batch.runs, strict=True))
    receipt = await store.transact(
        lambda connection: _receive(connection, batch, numbered), lambda receipt: receipt.stored
    )
    if not (receipt.is_old or receipt.has_gap or receipt.is_other_stream):
        store.learn_spent(batch.state.vantage, receipt.spend)
    return receipt


def _receive(
    connection: Connection, batch: ReceivedBatch, numbered: tuple[tuple[int, RunRecord], ...]
) -> Receipt:
    AgentRow.metadata.create_all(connection)
    state = batch.state
    with Session(connection) as session:
        row = session.get(AgentRow, (state.vantage, state.key))
        is_known = row is not None and row.stream == state.stream
        ended = row.ended.split() if row is not None else []
        if state.stream in ended:
            return Receipt(upto=0, has_gap=True)
        if row is not None and not is_known and row.heard > state.heard - batch.taken_over_after:
            return Receipt(upto=0, is_other_stream=True)
        before = row.upto if row is not None and is_known else 0
        is_repeated = row is not None and is_known and _is_repeated(batch, row)
        ended += [row.stream] if row is not None and not is_known else []
    if batch.first > before + 1:
        return Receipt(upto=before, before=before, has_gap=True)
    if is_repeated:
        return Receipt(upto=before, before=before, repeated=len(numbered), is_old=True)
    fresh, there = [], _begins(connection, state.vantage, batch.runs)
    begins = Counter((entry.result.check, millis(entry.result.at)) for entry in batch.runs)
    for place, (number, entry) in enumerate(numbered):
        key = entry.result.check, millis(entry.result.at)
        if number > before and (key not in there or place in batch.moved):
            fresh.append(entry)
    crowded = bool(batch.moved) or max(begins.values(), default=1) > 1
    ids, keys = Ids(), sorted({entry.result.check for entry in fresh})
    for start in range(0, len(keys), _AT_ONCE):
        ids.learn(connection, state.vantage, keys[start : start + _AT_ONCE])
    write_set = WriteSet.of(fresh)
    write(connection, ids, write_set, state.heard, vantage=state.vantage, crowded=crowded)
    upto = max(before, state.upto)
    beside = {"sent_ms": batch.sent_ms, "ended": " ".join(ended[-_ENDED:])}
    upsert(connection, _AGENTS, [asdict(replace(state, upto=upto)) | beside])
    spend = _spent_there(connection, batch)
    small_tables.save(connection, _ledger(spend, state.vantage))
    return Receipt(
        upto=upto,
        before=before,
        stored=tuple(fresh),
        spend=spend,
        repeated=len(numbered) - len(fresh),
    )


def _is_repeated(batch: ReceivedBatch, row: AgentRow) -> bool:
    """Say whether a batch of the stream that goes on tells nothing new: by its numbers, and without results by its time.

    The time is compared with that of the last batch alone, so that a clock that was set back delays signs of life
    until the next result, and locks nobody out.
    """
    is_empty = batch.first > batch.state.upto
    if is_empty and batch.state.upto == row.upto:
        return batch.sent_ms <= row.sent_ms
    return batch.state.upto <= row.upto


def _begins(
    connection: Connection, vantage: str, runs: tuple[RunRecord, ...]
) -> set[tuple[str, int]]:
    """Return check and begin (unix ms) of those runs of this vantage that begin as runs of a batch do."""
    stored: set[tuple[str, int]] = set()
    begins = sorted({millis(entry.result.at) for entry in runs})
    query = select(CHECKS.c.key, RUNS.c.at).join(RUNS, RUNS.c.check_id == CHECKS.c.id)
    for start in range(0, len(begins), _AT_ONCE):
        these = RUNS.c.at.in_(begins[start : start + _AT_ONCE])
        rows = connection.execute(query.where(CHECKS.c.vantage == vantage, these))
        stored.update((key, at) for key, at in rows)
    return stored


def _spent_there(connection: Connection, batch: ReceivedBatch) -> dict[tuple[date, str], Spend]:
    """Keep what an agent has spent, and return what all of its place have spent together."""
    agent = {"vantage": batch.state.vantage, "key": batch.state.key}
    rows = [
        {**agent, "day": day.isoformat(), "service": service, **asdict(spent)}
        for (day, service), spent in batch.spend.items()
    ]
    if not rows:
        return {}
    upsert(connection, _SPEND, rows)
    of_place = _SPEND.c.vantage == batch.state.vantage
    kept = (batch.state.heard - _SPEND_KEPT).date().isoformat()
    connection.execute(delete(_SPEND).where(of_place, _SPEND.c.day < kept))
    sums = func.sum(_SPEND.c.tokens), func.sum(_SPEND.c.money)
    query = select(_SPEND.c.day, _SPEND.c.service, *sums).where(of_place)
    spent = {
        (date.fromisoformat(day), service): Spend(int(tokens), float(money))
        for day, service, tokens, money in connection.execute(
            query.group_by(_SPEND.c.day, _SPEND.c.service)
        )
    }
    return {key: spent[key] for key in batch.spend}


def _ledger(spend: Mapping[tuple[date, str], Spend], vantage: str) -> Iterable[LedgerRow]:
    for (day, service), spent in spend.items():
        yield LedgerRow(
            vantage=vantage,
            day=day.isoformat(),
            service=service,
            tokens=spent.tokens,
            money=spent.money,
        )


def newest_results(connection: Connection, vantages: Collection[str]) -> tuple[Result, ...]:
    """Return the newest run of each check at each of these vantages, as far as runs are kept."""
    loader = Loader(connection, "", EPOCH, vantages)
    return tuple(result for _, result in loader.latest())


def states(connection: Connection, keys: Mapping[str, Collection[str]]) -> tuple[AgentState, ...]:
    """Return what is known of each agent that was ever heard by one of these public keys, which are by vantage.

    The one that was heard last comes last. Raises StoreError.
    """
    inspector = inspect(connection)
    if not inspector.has_table(_AGENTS.name):
        return ()
    refuse_unreleased(inspector, [_AGENTS])
    rows = Session(connection).exec(select_rows(AgentRow).order_by(col(AgentRow.heard)))
    return tuple(
        AgentState(**row.model_dump(exclude=_BESIDE))
        for row in rows
        if row.key in keys.get(row.vantage, ())
    )
