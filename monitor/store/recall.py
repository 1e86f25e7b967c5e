"""What a starting daemon asks of the store. Reads only, so that it works on a disk that is full."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from monitor.model import Memory
from monitor.store import find
from monitor.store.meta import read_meta
from monitor.store.tables import INCIDENTS, NUMBER_BITS, RESULTS
from monitor.store.times import from_millis

SEEN, CLEAN = "last_seen", "stopped_cleanly"


def recall(connection: Connection, now: datetime, vantage: str) -> Memory:
    newest = connection.execute(select(func.max(INCIDENTS.c.id))).scalar() or 0
    return Memory(
        states={
            (state.check, state.rule): state
            for states in find.states(connection).values()
            for state in states
        },
        incidents=find.open_incidents(connection),
        next_incident=newest + 1,
        habits=find.habits(connection),
        spent_today=find.spent(connection, now.date(), now.date()),
        last_seen=_last_seen(connection),
        stopped_cleanly=read_meta(connection, CLEAN) == "yes",
        last_asked=find.last_asked(connection, vantage),
    )


def _last_seen(connection: Connection) -> datetime | None:
    """The last heartbeat, or the newest result if that is later."""
    said = read_meta(connection, SEEN)
    newest = connection.execute(select(func.max(RESULTS.c.key))).scalar()
    times = [datetime.fromisoformat(said)] if said else []
    times += [from_millis(newest >> NUMBER_BITS)] if newest else []
    return max(times, default=None)
