"""Results as rows of a transaction, and ranges of rows as results."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from monitor.model import RunRecord
from monitor.store.decoding import Packed, Run, decode
from monitor.store.encoding import encode
from monitor.store.names import Names
from monitor.store.nouns import evidence_row
from monitor.store.sql import insert_many, upsert
from monitor.store.tables import EVIDENCE, NUMBER_BITS, NUMBER_MASK, RESULTS
from monitor.store.times import DAY_MS, day_date, millis

_AT_ONCE = 200  # so few that they are gone before Python looks for garbage among them


def insert_results(
    connection: Connection, names: Names, entries: list[RunRecord], *, crowded: bool = False
) -> list[int]:
    """The keys they got: the moment each run began, or the next free millisecond.

    An earlier transaction may have taken a key, where the clock was set back: that is an
    IntegrityError, after which the whole transaction is to be tried again `crowded`.
    """
    rows: dict[int, bytes] = {}
    for entry in entries:
        key, blob = _row(connection, names, entry)
        while key in rows or (crowded and _is_taken(connection, key)):
            key += 1 << NUMBER_BITS
        rows[key] = blob
    if rows:
        insert_many(connection, RESULTS, rows.items())
    found = [
        evidence_row(key, entry.evidence)
        for key, entry in zip(rows, entries, strict=True)
        if entry.evidence is not None
    ]
    upsert(connection, EVIDENCE, found)
    return list(rows)


def _is_taken(connection: Connection, key: int) -> bool:
    return connection.execute(select(RESULTS.c.key).where(RESULTS.c.key == key)).first() is not None


def _row(connection: Connection, names: Names, entry: RunRecord) -> tuple[int, bytes]:
    result, at = entry.result, millis(entry.result.at)
    number = names.number(connection, result.check, result.vantage, entry.kind)
    body = names.alike.body(entry, at // DAY_MS) or _body(connection, names, entry, at // DAY_MS)
    return at << NUMBER_BITS | number, body


def _body(connection: Connection, names: Names, entry: RunRecord, day: int) -> bytes:
    result, date = entry.result, day_date(day)
    message = names.message_id(connection, result.failure.message, date) if result.failure else None
    coded = encode(
        result, message=message, in_maintenance=entry.in_maintenance, missed=entry.missed
    )
    body = coded.body(names.shape_id(connection, coded.shape, date))
    names.alike.learn(entry, day, coded, body)
    return body


def read_run(connection: Connection, names: Names, key: int, body: bytes) -> Run:
    check, vantage = names.check(connection, key & NUMBER_MASK)
    packed = Packed(names.shape_of(connection, body), body)
    message = names.message(connection, packed.message)
    return decode(packed, check, vantage, key >> NUMBER_BITS, message)


def rows_between(
    connection: Connection, start: int, end: int | None
) -> Iterator[tuple[int, bytes]]:
    """Keys and bodies with `start` <= key < `end`, in order."""
    query = select(RESULTS.c.key, RESULTS.c.body).where(RESULTS.c.key >= start)
    if end is not None:
        query = query.where(RESULTS.c.key < end)
    found: Any = connection.execute(query.order_by(RESULTS.c.key))
    for rows in found.partitions(_AT_ONCE):  # one by one costs half as much again
        yield from rows
