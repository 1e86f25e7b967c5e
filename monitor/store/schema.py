"""The tables and views. docs/history.md documents them for people who read the file themselves.

A check here is one probe of one endpoint as it is seen from one vantage, so that `check_id` carries the
vantage into every key of a run or rollup; the small tables name it in their primary keys. `runs` and the
two rollup tables are written and read by Core statements, because there are very many rows; the small
tables are objects.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Inspector,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    insert,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel

from monitor.model import NewerSchemaError, StoreError

VERSION = 1
BIG = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row id there


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC without an offset; in SQLite a text that sorts by time."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def _key(kind: Any = Text) -> Any:
    return Field(sa_column=Column(kind, primary_key=True, autoincrement=False))


def _value(kind: Any = Text, *, null: bool = False) -> Any:
    column = Column(kind, nullable=null)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


class KeyValueRow(SQLModel, table=True):
    """Single values by name: the schema's version, marks of the rollups, what a daemon leaves."""

    __tablename__ = "key_value"
    vantage: str = _key()
    name: str = _key()
    value: str = _value()


class VantageRow(SQLModel, table=True):
    """A place that has probed."""

    __tablename__ = "vantages"
    name: str = _key()


class CheckRow(SQLModel, table=True):
    """Names a check.

    All runs that began before `rolled_until` (unix ms, a whole hour) are in the rollups, no later one is.

    `last_at` is the begin of the newest run that was rolled up; null before there is one.
    """

    __tablename__ = "checks"
    __table_args__ = (UniqueConstraint("key", "vantage"),)
    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    key: str = _value()
    vantage: str = Field(sa_column=Column(Text, ForeignKey("vantages.name"), nullable=False))
    kind: str = _value()
    rolled_until: int = _value(BIG)
    last_at: int | None = _value(BIG, null=True)


class WordRow(SQLModel, table=True):
    """Texts that many runs share. `used` is the last unix day on which one was needed.

    Ids are never given twice, so that a forgotten text is not taken for another one.
    """

    __tablename__ = "words"
    __table_args__ = (UniqueConstraint("what", "text"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    what: str = _value()
    text: str = _value()
    used: int = _value(Integer)


class StateRow(SQLModel, table=True):
    __tablename__ = "alert_states"
    vantage: str = _key()
    check_key: str = _key()
    rule: str = _key()
    phase: str = _value()
    streak: int = _value(Integer)
    since: datetime | None = _value(UTCDateTime, null=True)
    bad_since: datetime | None = _value(UTCDateTime, null=True)
    incident: int | None = _value(BIG, null=True)


class IncidentRow(SQLModel, table=True):
    """`body` is the whole incident as JSON, timeline included; the columns are for finding it."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index("incidents_opened", "opened"),
        Index(
            "incidents_open",
            "id",
            sqlite_where=text("closed IS NULL"),
            postgresql_where=text("closed IS NULL"),
        ),
    )
    vantage: str = _key()
    id: int = _key(BIG)
    service: str | None = _value(null=True)
    severity: str = _value()
    opened: datetime = _value(UTCDateTime)
    closed: datetime | None = _value(UTCDateTime, null=True)
    kind: str = _value()
    body: str = _value()


class HabitRow(SQLModel, table=True):
    __tablename__ = "habits"
    vantage: str = _key()
    check_key: str = _key()
    body: str = _value()


class LedgerRow(SQLModel, table=True):
    """The spend of a service on a UTC day, written as 2026-11-24."""

    __tablename__ = "ledger"
    vantage: str = _key()
    day: str = _key()
    service: str = _key()
    tokens: int = _value(BIG)
    money: float


class OutboxRow(SQLModel, table=True):
    """`state` is pending, sent or dead; `body` the whole message as JSON."""

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_state", "state", "id"),)
    vantage: str = _key()
    id: int = _key(BIG)
    state: str = _value()
    channel: str = _value()
    done: datetime | None = _value(UTCDateTime, null=True)
    last_error: str = _value()
    body: str = _value()


class RequestRow(SQLModel, table=True):
    """A request of a person to the daemon from another process; `done` is when it took a request up."""

    __tablename__ = "requests"
    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    at: datetime = _value(UTCDateTime)
    what: str = _value()
    target: str = _value()
    until: datetime | None = _value(UTCDateTime, null=True)
    text: str = _value()
    done: datetime | None = _value(UTCDateTime, null=True)


class SubscriberRow(SQLModel, table=True):
    """A reader on Telegram; `service` is empty for one who wants to hear of every service."""

    __tablename__ = "subscribers"
    vantage: str = _key()
    channel: str = _key()
    chat: int = _key(BIG)
    service: str = _key()
    language: str = _value()
    since: datetime = _value(UTCDateTime)


def _run_key() -> tuple[Column[int], Column[int]]:
    return (
        Column("at", BIG, primary_key=True, autoincrement=False),
        Column("check_id", BIG, ForeignKey("checks.id"), primary_key=True, autoincrement=False),
    )


def _word(name: str) -> Column[int]:
    return Column(name, BIG, ForeignKey("words.id"))


def _number(name: str, kind: Any = BIG, *, required: bool = False) -> Column[int]:
    return Column(name, kind, nullable=not required)


TIMES = tuple(
    f"{name}_100us" for name in ("dns", "connect", "tls", "ttfb", "ttft", "ttft_visible", "total")
)
RUNS = Table(
    "runs",
    SQLModel.metadata,
    *_run_key(),
    _number("outcome", SmallInteger, required=True),
    _word("kind_id"),
    _word("message_id"),
    _number("in_maintenance", SmallInteger, required=True),
    _number("missed", required=True),
    _number("late_ms", required=True),
    _number("trusted", SmallInteger, required=True),
    *map(_number, TIMES),
    _number("tokens_per_10s"),
    _number("tokens_in"),
    _number("tokens_out"),
    _number("cost_e8"),
    _number("http_status"),
    _word("ip_id"),
    _word("model_id"),
    _number("cert_expires"),
    _number("retry_after_ms"),
    _number("events"),
    _number("content_chunks"),
    _number("stream_tokens"),
    _number("tokens_estimated", SmallInteger),
    *map(_number, ("stall_max_100us", "icl_p50_100us", "icl_p95_100us")),
    _word("finish_id"),
    _number("complete", SmallInteger),
    _number("heartbeats"),
    Index("runs_check", "check_id", "at"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (at)",
)
EVIDENCE = Table(
    "evidence",
    SQLModel.metadata,
    *_run_key(),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (at)",
)
PERCENTILES = tuple(f"{name}_p{q}_100us" for name in ("ttft", "total") for q in (50, 95, 99))


def _rollups(name: str) -> Table:
    return Table(
        name,
        SQLModel.metadata,
        Column("period", BIG, primary_key=True, autoincrement=False),
        _run_key()[1],
        *(
            _number(column, required=True)
            for column in (
                *("up", "degraded", "down", "unknown", "maintenance", "late", "missed"),
                *("tokens_in", "tokens_out", "cost_e8"),
            )
        ),
        Column("kinds", Text),
        *map(_number, PERCENTILES),
        Column("histograms", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


HOURS, DAYS = _rollups("hour_rollups"), _rollups("day_rollups")
"""`period` is the number of the hour or day since 1970 in UTC."""


def table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


VANTAGES, CHECKS, WORDS = table(VantageRow), table(CheckRow), table(WordRow)


def check_version(connection: Connection) -> bool:
    """Tell whether there are tables of ours. Raises where another version has written them."""
    inspector = inspect(connection)
    if inspector.has_table("meta") and inspector.has_table("result"):
        raise StoreError(_UNRELEASED)
    if not inspector.has_table(KeyValueRow.__tablename__):
        return False
    version = int(value(connection, "schema") or 0)
    if version > VERSION:
        raise NewerSchemaError(
            f"the store has schema {version}, this monitor knows {VERSION}: "
            "install the newer version that wrote it, or restore a backup from before the upgrade"
        )
    if version == VERSION:
        refuse_unreleased(inspector, SQLModel.metadata.sorted_tables)
    return version > 0


def refuse_unreleased(inspector: Inspector, tables: Iterable[Table]) -> None:
    """Raise StoreError where a table lacks a column: until a release the schema keeps its number."""
    by_name = {ours.name: {*ours.columns.keys()} for ours in tables}
    columns_of = {
        name: {column["name"] for column in columns}
        for (_, name), columns in inspector.get_multi_columns(filter_names=[*by_name]).items()
    }
    if any(not columns <= columns_of.get(name, set()) for name, columns in by_name.items()):
        raise StoreError(_UNRELEASED)


_UNRELEASED = (
    "the store was written by an unreleased build of monitor, whose history this one cannot "
    "read; move the file away, and a new store begins"
)
KEY_VALUE = table(KeyValueRow)


def set_version(connection: Connection) -> None:
    """Mark the tables, which the caller has just made, as those of this version."""
    set_value(connection, "schema", str(VERSION))


def value(connection: Connection, name: str, vantage: str = "") -> str | None:
    """Return a single value by its name; those of the whole store have no vantage."""
    query = "SELECT value FROM key_value WHERE vantage = :vantage AND name = :name"
    row = connection.execute(text(query), {"vantage": vantage, "name": name}).first()
    return None if row is None else str(row[0])


def set_value(connection: Connection, name: str, content: str, vantage: str = "") -> None:
    upsert(connection, KEY_VALUE, [{"vantage": vantage, "name": name, "value": content}])


def mark(connection: Connection, name: str) -> int | None:
    """Return a number that the store keeps about itself, such as the first hour without a rollup."""
    number = value(connection, name)
    return None if number is None else int(number)


def upsert(connection: Connection, into: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert these rows; where one of the same primary key is there, replace it."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(into)
    changed = {
        column.name: statement.excluded[column.name]
        for column in into.columns
        if not column.primary_key
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=[*into.primary_key], set_=changed), rows
    )


def insert_many(connection: Connection, into: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows in the order of the columns, given to the driver as they are: half of the cost."""
    statement = _insert(into, connection.dialect)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(statement, [*map(tuple, rows)])


@cache
def _insert(into: Table, dialect: Dialect) -> str:
    """Return a statement that takes rows, or where that costs less a list for each column."""
    if dialect.name != "postgresql":
        return str(insert(into).compile(dialect=dialect))
    arrays = ", ".join(f"%s::{column.type.compile(dialect)}[]" for column in into.columns)
    return f"INSERT INTO {into.name} SELECT * FROM unnest({arrays})"  # noqa: S608  # our own names
