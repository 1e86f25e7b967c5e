"""The mailbox: what people ask of the daemon, written by other processes, read and ticked off by it.

Silences stay until they end; a newer one takes the place of an older one of the same target.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, RowMapping, Text, delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Field, SQLModel

from monitor.model import OperatorRequest, RequestKind, Silence, StoreError
from monitor.store import engine, migrations
from monitor.store.tables import BIG, table
from monitor.store.times import from_micros, maybe_from_micros, maybe_micros, micros

_KEPT = timedelta(days=30)


class RequestRow(SQLModel, table=True):
    """Times are unix microseconds; `done` is when the daemon took it up."""

    __tablename__ = "request"
    id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    at: int = Field(sa_column=Column(BIG, nullable=False))
    what: str = Field(sa_column=Column(Text, nullable=False))
    target: str = Field(sa_column=Column(Text, nullable=False))
    until: int | None = Field(default=None, sa_column=Column(BIG))
    text: str = Field(sa_column=Column(Text, nullable=False))
    done: int | None = Field(default=None, sa_column=Column(BIG))


REQUESTS = table(RequestRow)


def put(url: str, request: OperatorRequest) -> None:
    """From beside a daemon, or before one starts; StoreError when it cannot be written."""
    path = engine.path_of(url)
    if not path.exists():
        raise StoreError(f"there is no store at {path} yet: `monitor run` makes one")
    writing = engine.writing(path)
    row = {
        "at": micros(request.at),
        "what": request.what.value,
        "target": request.target,
        "until": maybe_micros(request.until),
        "text": request.text,
    }
    try:
        with writing.begin() as connection:
            version = migrations.version(connection)
            migrations.check_not_newer(version)
            if not version:
                raise StoreError(f"there is no history yet in {path}: no daemon has stored any")
            connection.execute(insert(REQUESTS), row)
    except DBAPIError as error:
        raise StoreError(f"{path} cannot be written: {error.orig}") from error
    finally:
        writing.dispose()


def waiting(connection: Connection) -> tuple[OperatorRequest, ...]:
    query = select(REQUESTS).where(REQUESTS.c.done.is_(None)).order_by(REQUESTS.c.id)
    return tuple(map(_request, connection.execute(query).mappings()))


def silences(connection: Connection, now: datetime) -> tuple[Silence, ...]:
    """Those that still hold, also those that no daemon has taken up yet."""
    query = (
        select(REQUESTS).where(REQUESTS.c.what == RequestKind.SILENCE.value).order_by(REQUESTS.c.id)
    )
    newest = {row["target"]: _request(row) for row in connection.execute(query).mappings()}
    return tuple(each.silence for each in newest.values() if each.silence.until > now)


def finish(connection: Connection, done: Iterable[int], now: datetime) -> None:
    found = REQUESTS.c.id.in_(list(done))
    connection.execute(update(REQUESTS).where(found).values(done=micros(now)))
    over = (REQUESTS.c.until.is_(None)) | (REQUESTS.c.until < micros(now))
    old = REQUESTS.c.done < micros(now - _KEPT)
    connection.execute(delete(REQUESTS).where(old & over))


def _request(row: RowMapping) -> OperatorRequest:
    return OperatorRequest(
        id=row["id"],
        at=from_micros(row["at"]),
        what=RequestKind(row["what"]),
        target=row["target"],
        until=maybe_from_micros(row["until"]),
        text=row["text"],
    )
