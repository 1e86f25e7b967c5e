"""The tables. Integers and texts only, so that SQLite and PostgreSQL agree on every column.

Keys that grow with time come first everywhere: such inserts append, and old rows are cut off at
the left edge. `result.key` is unix milliseconds << 20 | check number; the milliseconds keep two
runs of one check in the same second apart and cost one byte more than seconds would.

Whatever was found or decided carries its vantage: in a column, or in the check number of its key.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

BIG = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row id there
NUMBER_BITS = 20
NUMBER_MASK = (1 << NUMBER_BITS) - 1


class MetaRow(SQLModel, table=True):
    __tablename__ = "meta"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))


class CheckRow(SQLModel, table=True):
    """`last` is the key of the newest result that has been rolled up; 0 before there is one."""

    __tablename__ = "checks"
    __table_args__ = (UniqueConstraint("key", "vantage"),)
    number: int = Field(sa_column=Column(BIG, primary_key=True))
    key: str = Field(sa_column=Column(Text, nullable=False))
    vantage: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    last: int = Field(default=0, sa_column=Column(BIG, nullable=False))


class TextRow(SQLModel, table=True):
    """Texts that many results share. `used` is the last day (ordinal) on which one was needed.

    Ids are never used twice: a reader that remembers a pruned one must not take it for another.
    """

    __tablename__ = "texts"
    __table_args__ = (UniqueConstraint("kind", "text"), {"sqlite_autoincrement": True})
    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    kind: int = Field(sa_column=Column(SmallInteger, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    used: int = Field(sa_column=Column(Integer, nullable=False))


class ResultRow(SQLModel, table=True):
    __tablename__ = "result"
    key: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class EvidenceRow(SQLModel, table=True):
    """By the key of its result."""

    __tablename__ = "evidence"
    key: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: str = Field(sa_column=Column(Text, nullable=False))


class HourRow(SQLModel, table=True):
    """`key` is unix hours << 20 | check number."""

    __tablename__ = "hour"
    key: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class QuarterRow(SQLModel, table=True):
    """`key` is unix quarters of days << 20 | check number. Only of the last days, see `quarters`."""

    __tablename__ = "quarter"
    key: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class DayRow(SQLModel, table=True):
    """`key` is unix days << 20 | check number."""

    __tablename__ = "day"
    key: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PastRow(SQLModel, table=True):
    """By check number: what a page needs of the days that are over, all of it following from them."""

    __tablename__ = "past"
    number: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class StateRow(SQLModel, table=True):
    """Times are unix microseconds."""

    __tablename__ = "alert_state"
    check: str = Field(sa_column=Column("check_key", Text, primary_key=True))
    rule: str = Field(sa_column=Column(Text, primary_key=True))
    phase: str = Field(sa_column=Column(Text, nullable=False))
    streak: int = Field(sa_column=Column(Integer, nullable=False))
    since: int | None = Field(default=None, sa_column=Column(BIG))
    bad_since: int | None = Field(default=None, sa_column=Column(BIG))
    incident: int | None = Field(default=None, sa_column=Column(BIG))
    vantage: str = Field(sa_column=Column(Text, nullable=False))


class IncidentRow(SQLModel, table=True):
    """`body` is the whole incident as JSON; the columns are for finding it. Unix microseconds."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("incident_opened", "opened"),
        Index(
            "incident_open",
            "id",
            sqlite_where=text("closed IS NULL"),
            postgresql_where=text("closed IS NULL"),
        ),
    )
    id: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    service: str | None = Field(default=None, sa_column=Column(Text))
    severity: str = Field(sa_column=Column(Text, nullable=False))
    opened: int = Field(sa_column=Column(BIG, nullable=False))
    closed: int | None = Field(default=None, sa_column=Column(BIG))
    body: str = Field(sa_column=Column(Text, nullable=False))
    vantage: str = Field(sa_column=Column(Text, nullable=False))


class HabitRow(SQLModel, table=True):
    __tablename__ = "habit"
    check: str = Field(sa_column=Column("check_key", Text, primary_key=True))
    body: str = Field(sa_column=Column(Text, nullable=False))
    vantage: str = Field(sa_column=Column(Text, nullable=False))


class LedgerRow(SQLModel, table=True):
    """`day` is the ordinal of a UTC date."""

    __tablename__ = "ledger"
    day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    service: str = Field(sa_column=Column(Text, primary_key=True))
    tokens: int = Field(sa_column=Column(BIG, nullable=False))
    money: float = Field(sa_column=Column(Float, nullable=False))
    vantage: str = Field(sa_column=Column(Text, nullable=False))


class OutboxRow(SQLModel, table=True):
    """`state` is pending, sent or dead; `body` the whole message as JSON; `done` in microseconds."""

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_state", "state", "id"),)
    id: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    channel: str = Field(sa_column=Column(Text, nullable=False))
    not_before: int = Field(sa_column=Column(BIG, nullable=False))
    done: int | None = Field(default=None, sa_column=Column(BIG))
    last_error: str = Field(default="", sa_column=Column(Text, nullable=False))
    body: str = Field(sa_column=Column(Text, nullable=False))
    vantage: str = Field(sa_column=Column(Text, nullable=False))


def table(model: type[SQLModel]) -> Table:
    """For Core statements, which cost a tenth of what the same rows cost through a session."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


META = table(MetaRow)
CHECKS = table(CheckRow)
TEXTS = table(TextRow)
RESULTS = table(ResultRow)
EVIDENCE = table(EvidenceRow)
HOURS = table(HourRow)
QUARTERS = table(QuarterRow)
DAYS = table(DayRow)
PAST = table(PastRow)
STATES = table(StateRow)
INCIDENTS = table(IncidentRow)
HABITS = table(HabitRow)
LEDGER = table(LedgerRow)
OUTBOX = table(OutboxRow)
