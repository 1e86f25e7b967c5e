"""Keeps what an agent has measured and its hub has not taken: one row a run, written with the run.

The table is made when the agent opens its store. `seq` is never given twice. A stream is the numbering that the
hub knows: it begins at 1, which is `seq` minus `base`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Column, Connection, LargeBinary, MetaData, func, insert, select, text
from sqlmodel import Field, SQLModel, col, delete

from monitor.model import Outcome, RunRecord
from monitor.store import schema
from monitor.store.schema import BIG
from monitor.store.store import Store

_STREAM, _SENT, _BOOT = "push_stream", "push_sent", "push_boot"
_DROP_AT_ONCE = 1000
_OVERHEAD = 16
"""Bytes of a row beside its body."""


class _OfPush(SQLModel):
    metadata = MetaData()


class PushRow(_OfPush, table=True):
    __tablename__ = "push"
    __table_args__ = {"sqlite_autoincrement": True}  # SQLAlchemy reads it so
    seq: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True))
    is_good: bool
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


_PUSH = PushRow.metadata.tables["push"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStream:
    """Says where an agent's stream of runs stands.

    `base` is the `seq` before the first of the stream; `sent` the highest number ever sent of it.
    """

    id: str
    base: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The oldest runs that wait, with their numbers in the stream. `first` follows on what the hub has taken."""

    stream: PushStream
    first: int
    runs: tuple[tuple[int, bytes], ...]
    buffered: int
    of_this_boot: int
    """The first number that was measured since the machine has started."""

    @property
    def last(self) -> int:
        """Return the last number that this covers; one less than `first` where nothing waits."""
        return self.runs[-1][0] if self.runs else self.first - 1


class PushBuffer:
    """The buffer of one agent. `append` is called by the store's writer, within its transaction."""

    def __init__(self, encode: Callable[[RunRecord], bytes], *, most_bytes: int, boot: str) -> None:
        """`boot` names the time since the machine has started."""
        self._encode, self._most, self._boot = encode, most_bytes, boot
        self._added = self._dropped = 0
        """Bytes since it was last looked at how full it is, and runs given up."""

    @property
    def dropped(self) -> int:
        """Return the number of runs that were given up because the buffer was full, since the agent began."""
        return self._dropped

    def append(self, connection: Connection, entries: Sequence[RunRecord]) -> None:
        self._prepare(connection)
        bodies = [self._encode(entry) for entry in entries]
        goods = [entry.result.outcome is Outcome.UP for entry in entries]
        rows = [{"is_good": good, "body": body} for good, body in zip(goods, bodies, strict=True)]
        connection.execute(insert(_PUSH), rows)
        self._added += sum(len(body) + _OVERHEAD for body in bodies)
        if self._added > self._most // 10:
            self._added = 0
            self._shrink(connection)

    def _prepare(self, connection: Connection) -> int:
        """Make what is not there yet, and return the first `seq` of this boot."""
        PushRow.metadata.create_all(connection)
        boot, _, first = (schema.value(connection, _BOOT) or "").rpartition(" ")
        if boot == self._boot:
            return int(first)
        oldest_fresh = _last_seq(connection) + 1
        schema.set_value(connection, _BOOT, f"{self._boot} {oldest_fresh}")
        return oldest_fresh

    def _shrink(self, connection: Connection) -> None:
        """Drop the oldest good runs, and where there are none the oldest, until a tenth is free."""
        size = _size(connection)
        while size > self._most * 9 // 10:
            oldest = select(_PUSH.c.seq, func.length(_PUSH.c.body)).order_by(
                col(_PUSH.c.is_good).desc(), _PUSH.c.seq
            )
            rows = connection.execute(oldest.limit(_DROP_AT_ONCE)).all()
            if not rows:
                return
            gone: list[int] = []
            for seq, length in rows:
                if size <= self._most * 9 // 10:
                    break
                gone.append(seq)
                size -= length + _OVERHEAD
            connection.execute(delete(PushRow).where(col(PushRow.seq).in_(gone)))
            self._dropped += len(gone)

    async def waiting(self, store: Store, limit: int, most_bytes: int) -> Waiting:
        """Return the oldest that wait, and keep that they are about to be sent. Raises StoreError."""
        return await store.transact(lambda connection: self._take(connection, limit, most_bytes))

    async def acknowledge(self, store: Store, stream: PushStream, upto: int) -> None:
        """Forget what the hub has taken. Raises StoreError."""

        def work(connection: Connection) -> None:
            connection.execute(delete(PushRow).where(col(PushRow.seq) <= upto + stream.base))
            _keep(connection, stream, upto=upto)

        await store.transact(work)

    async def drop(self, store: Store, stream: PushStream, number: int) -> None:
        """Forget one run that the hub refuses. Raises StoreError."""

        def work(connection: Connection) -> None:
            connection.execute(delete(PushRow).where(col(PushRow.seq) == number + stream.base))

        await store.transact(work)

    async def begin_stream(self, store: Store) -> None:
        """Number all that waits anew: the hub's numbers and ours do not fit. Raises StoreError."""
        await store.transact(self._begin_stream)

    def _begin_stream(self, connection: Connection) -> PushStream:
        oldest = connection.execute(select(func.min(_PUSH.c.seq))).scalar()
        base = _last_seq(connection) if oldest is None else int(oldest) - 1
        stream = PushStream(id=str(uuid4()), base=base, sent=0)
        _keep(connection, stream, upto=0)
        schema.set_value(connection, _SENT, "0")
        return stream

    def _take(self, connection: Connection, limit: int, most_bytes: int) -> Waiting:
        first_of_boot = self._prepare(connection)
        stored = schema.value(connection, _STREAM)
        if stored is None:
            stream, upto = self._begin_stream(connection), 0
        else:
            name, base, acknowledged = stored.split()
            sent = int(schema.value(connection, _SENT) or 0)
            stream, upto = PushStream(id=name, base=int(base), sent=sent), int(acknowledged)
        rows: list[tuple[int, bytes]] = []
        size = 0
        query = select(_PUSH.c.seq, _PUSH.c.body).order_by(_PUSH.c.seq).limit(limit)
        for seq, body in connection.execute(query):
            size += len(body)
            if rows and size > most_bytes:
                break
            rows.append((seq - stream.base, body))
        taken = Waiting(
            stream=stream,
            first=upto + 1,
            runs=tuple(rows),
            buffered=connection.execute(select(func.count()).select_from(_PUSH)).scalar_one(),
            of_this_boot=first_of_boot - stream.base,
        )
        if taken.last > stream.sent:
            schema.set_value(connection, _SENT, str(taken.last))
        return taken


def _keep(connection: Connection, stream: PushStream, *, upto: int) -> None:
    schema.set_value(connection, _STREAM, f"{stream.id} {stream.base} {upto}")


def _size(connection: Connection) -> int:
    size = func.coalesce(func.sum(func.length(_PUSH.c.body) + _OVERHEAD), 0)
    return int(connection.execute(select(size)).scalar_one())


def _last_seq(connection: Connection) -> int:
    """Return the highest `seq` that was ever given."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'push'"
    return int(connection.execute(text(query)).scalar() or 0)
