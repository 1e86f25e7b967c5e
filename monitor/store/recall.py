"""What a starting daemon asks of the store. Reads only, so that it works on a disk that is full."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from monitor.model import Incident, RestartState
from monitor.store import find, requests
from monitor.store.meta import read_meta
from monitor.store.tables import INCIDENTS, NUMBER_BITS, RESULTS
from monitor.store.times import from_millis

SEEN, CLEAN, CRASHES = "last_seen", "stopped_cleanly", "crashes"
_RECENT, _HOUR = timedelta(hours=3), timedelta(hours=1)


def recall(connection: Connection, now: datetime, vantage: str) -> RestartState:
    newest = connection.execute(select(func.max(INCIDENTS.c.id))).scalar() or 0
    return RestartState(
        states={
            (state.check, state.rule): state
            for states in find.states(connection).values()
            for state in states
        },
        incidents=find.open_incidents(connection),
        next_incident=newest + 1,
        habits=find.habits(connection),
        spent_today=find.spent(connection, now.date(), now.date()),
        last_seen=last_seen(connection),
        stopped_cleanly=read_meta(connection, CLEAN) == "yes",
        last_asked=find.last_asked(connection, vantage),
        recent=_recent(connection, now),
        silences=requests.silences(connection, now),
        crashes=len(crashes(connection, now)),
    )


def _recent(connection: Connection, now: datetime) -> tuple[Incident, ...]:
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    since = min(month, now - _RECENT)
    found = find.incidents(connection, since=since, limit=None)
    return tuple(incident for incident in found if incident.closed)


def crashes(connection: Connection, now: datetime) -> list[str]:
    """The starts of the last hour that followed on a crash, this one included, as ISO dates."""
    said = read_meta(connection, CRASHES) or ""
    recent = [each for each in said.split() if now - datetime.fromisoformat(each) < _HOUR]
    first = read_meta(connection, SEEN) is None
    clean = first or read_meta(connection, CLEAN) == "yes"
    return recent if clean else [*recent[-99:], now.isoformat()]


def last_seen(connection: Connection) -> datetime | None:
    """The last heartbeat, or the newest result if that is later."""
    said = read_meta(connection, SEEN)
    newest = connection.execute(select(func.max(RESULTS.c.key))).scalar()
    times = [datetime.fromisoformat(said)] if said else []
    times += [from_millis(newest >> NUMBER_BITS)] if newest else []
    return max(times, default=None)
