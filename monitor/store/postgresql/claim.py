"""The claim of the one daemon that writes a store: a row that each of its transactions renews, and that is a lease.

It is no lock of a session, which a pooler would give to others and a cut network would keep for minutes. Whoever
finds a claim that was not renewed for `LEASE_S` by the server's clock takes it over; the one who had it then finds
its name gone at the beginning of its next transaction, and writes nothing any more. The row also holds the id of
the newest batch, for a writer that lost the answer to its commit.

Each daemon that waits to take over has a row too, so that the one that leads knows that there is somebody.
"""

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from monitor.store.database import Holder, WaitingDaemon

LEASE_S = 10.0
"""So long after its last renewal a claim may be taken over."""
KNOWN_S = 86_400.0
"""So long a daemon that waited, and did not say that it ends, may come back and take over."""
_NAME, _WAITING = "claim", "standby "
_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS float8)"
_WHO = f"'by', CAST(:by AS text), 'pid', CAST(:pid AS bigint), 'host', CAST(:host AS text), 'place', CAST(:place AS text), 'at', {_NOW}"
_UPSERT = "ON CONFLICT (vantage, name) DO UPDATE SET value = excluded.value"
_TAKE = text(f"""INSERT INTO key_value (vantage, name, value)
    VALUES ('', '{_NAME}', CAST(json_build_object({_WHO}, 'since', {_NOW}, 'batch', '') AS text)) {_UPSERT}""")  # noqa: S608  # our own words
_SAID = "CAST(value AS jsonb)"
_OURS = f"vantage = '' AND name = '{_NAME}' AND {_SAID} ->> 'by' = CAST(:by AS text)"
_OTHERS = f"vantage = '' AND name LIKE '{_WAITING}%'"
_FRESH = f"CAST(CAST(waiting.value AS jsonb) ->> 'at' AS float8) > {_NOW} - {KNOWN_S}"
_RENEW = text(f"""UPDATE key_value SET value = CAST({_SAID} || jsonb_build_object('at', {_NOW}) ||
    CASE WHEN CAST(:batch AS text) = '' THEN '{{}}' ELSE jsonb_build_object('batch', CAST(:batch AS text)) END AS text)
    WHERE {_OURS} RETURNING EXISTS (SELECT 1 FROM key_value waiting WHERE waiting.{_OTHERS} AND {_FRESH})""")  # noqa: S608  # our own words
_GIVE_UP = text(f"DELETE FROM key_value WHERE {_OURS}")  # noqa: S608  # our own words
_READ = f"SELECT value, {_NOW} FROM key_value WHERE vantage = '' AND name = '{_NAME}'"  # noqa: S608  # our own words
_WAIT = text(f"""INSERT INTO key_value (vantage, name, value)
    VALUES ('', '{_WAITING}' || CAST(:by AS text), CAST(json_build_object({_WHO}) AS text)) {_UPSERT}""")  # noqa: S608  # our own words
_WAIT_NO_MORE = text(f"DELETE FROM key_value WHERE vantage = '' AND name = '{_WAITING}' || :by")  # noqa: S608  # our own words
_FORGET = text(f"DELETE FROM key_value waiting WHERE waiting.{_OTHERS} AND NOT {_FRESH}")  # noqa: S608  # our own words
_READ_WAITING = text(f"SELECT value, {_NOW} FROM key_value WHERE {_OTHERS}")  # noqa: S608  # our own words


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it stands in the store. `age_s` is by the server's clock, and so are `at` and `since`, unix s."""

    by: str
    pid: int
    host: str
    place: str
    at: float
    batch: str
    age_s: float
    since: float | None = None

    @property
    def is_stale(self) -> bool:
        return self.age_s > LEASE_S

    @property
    def is_dead(self) -> bool:
        """Tell whether its process has surely ended: it was one of our machine, and is none any more."""
        if self.place != _place():
            return False
        if self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    @property
    def is_free(self) -> bool:
        """Tell whether another daemon may take it over."""
        return self.is_stale or self.is_dead

    @property
    def holder(self) -> Holder:
        since = None if self.since is None else datetime.fromtimestamp(self.since, UTC)
        return Holder(self.pid, "" if self.place == _place() else self.host, since, self.by)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def read(connection: Connection, *, lock: bool = False) -> Claim | None:
    """Read the claim; with `lock` after each transaction that has renewed it is over."""
    row = connection.execute(text(_READ + (" FOR UPDATE" if lock else ""))).first()
    if row is None:
        return None
    said = json.loads(row[0])
    return Claim(**said, age_s=row[1] - said["at"])


def take(connection: Connection, by: str) -> None:
    """Take the claim, and wait for it no more."""
    connection.execute(_TAKE, _who(by))
    connection.execute(_WAIT_NO_MORE, {"by": by})


@dataclass(frozen=True, slots=True)
class Renewal:
    """A claim that was ours; `is_awaited` tells whether another daemon may take it over when it runs out."""

    is_awaited: bool


def renew(connection: Connection, by: str, batch: str = "") -> Renewal | None:
    """Renew our claim, and note which batch this is if it is one. None where it is ours no more."""
    row = connection.execute(_RENEW, {"by": by, "batch": batch}).first()
    return None if row is None else Renewal(row[0])


def give_up(connection: Connection, by: str) -> None:
    connection.execute(_GIVE_UP, {"by": by})
    connection.execute(_WAIT_NO_MORE, {"by": by})


def wait(connection: Connection, by: str) -> None:
    """Say that we wait for the claim of another daemon, and forget who has long ceased to."""
    connection.execute(_WAIT, _who(by))
    connection.execute(_FORGET)


def waiting(connection: Connection) -> tuple[WaitingDaemon, ...]:
    """Return who waits, the one that was heard last first."""
    daemons = []
    for value, now in connection.execute(_READ_WAITING):
        said = json.loads(value)
        heard, host = datetime.fromtimestamp(said["at"], UTC), said["host"]
        daemons.append(WaitingDaemon(said["pid"], host, heard, now - said["at"]))
    return tuple(sorted(daemons, key=lambda daemon: daemon.silent_s))


def _who(by: str) -> dict[str, object]:
    return {"by": by, "pid": os.getpid(), "host": socket.gethostname(), "place": _place()}


def _place() -> str:
    """Return what tells apart the places where a process id means a process: machine, boot, container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
