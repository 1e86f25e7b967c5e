"""Lists which runs each transaction has written, so that a daemon that waits can follow the one that writes.

Runs that an agent had to keep come hours after they began, so nothing in a run itself says what is new. Only a store
on a server has this table, and only some minutes of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, DateTime, MetaData, Table, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.schema import CreateTable

from monitor.store.schema import BIG, RUNS

KEPT_S, FORGET_EVERY_S = 900, 60.0
"""Whoever has looked longer ago reads the whole history anew."""
COMMITS = Table(
    "commits",
    MetaData(),
    Column("id", BIG, primary_key=True),
    Column("at", DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False),
    Column("begins", ARRAY(BigInteger), nullable=False),
    Column("check_ids", ARRAY(BigInteger), nullable=False),
)
"""A row a transaction: begin and check of its runs, in the same order. Ids rise in the order of commits: one writes."""
_AT_ONCE = 100
_RUNS = text(
    f"""SELECT {", ".join(f"runs.{column.name}" for column in RUNS.columns)}
    FROM unnest(CAST(:begins AS bigint[]), CAST(:check_ids AS bigint[])) AS written (at, check_id)
    JOIN runs ON runs.at = written.at AND runs.check_id = written.check_id
    WHERE runs.at BETWEEN :first AND :last"""  # noqa: S608  # our own names
).columns(*RUNS.columns)


def create(connection: Connection) -> None:
    connection.execute(CreateTable(COMMITS, if_not_exists=True))


def note(connection: Connection, keys: Iterable[tuple[int, int]]) -> None:
    """Note begin (unix ms) and check of the runs of this transaction, where the store is one that others follow."""
    if connection.dialect.name != "postgresql":
        return
    begins, check_ids = zip(*keys, strict=True)
    row = {"begins": [*begins], "check_ids": [*check_ids]}
    connection.execute(COMMITS.insert().inline(), row)


def forget(connection: Connection) -> None:
    """Forget what whoever follows has read, or reads anew."""
    too_old = func.clock_timestamp() - text(f"interval '{KEPT_S} seconds'")
    connection.execute(COMMITS.delete().where(COMMITS.c.at < too_old))


def newest(connection: Connection) -> int:
    """Return the id of the newest transaction that this connection sees."""
    return int(connection.execute(select(func.max(COMMITS.c.id))).scalar() or 0)


@dataclass(frozen=True, slots=True)
class Commits:
    """Runs, as rows of their table, of some transactions; `last` is the id of the newest of those."""

    rows: Sequence[Any]
    last: int
    are_more: bool


def after(connection: Connection, last: int) -> Commits:
    """Return the runs of the transactions that follow on this one, oldest first."""
    columns = COMMITS.c.id, COMMITS.c.begins, COMMITS.c.check_ids
    query = select(*columns).where(COMMITS.c.id > last).order_by(COMMITS.c.id).limit(_AT_ONCE)
    found = connection.execute(query).all()
    if not found:
        return Commits((), last, are_more=False)
    begins = [at for row in found for at in row[1]]
    check_ids = [number for row in found for number in row[2]]
    keys = {"begins": begins, "check_ids": check_ids, "first": min(begins), "last": max(begins)}
    rows = connection.execute(_RUNS, keys).all()
    return Commits(rows, found[-1][0], are_more=len(found) == _AT_ONCE)
