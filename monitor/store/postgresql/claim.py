"""The claim of the one daemon that writes a store: a row that each of its transactions renews.

It is no lock of a session, which a pooler would give to others and a cut network would keep for minutes. Whoever
finds a claim that was not renewed for `STALE_S` by the server's clock takes it over; the one who had it then finds
its name gone at the beginning of its next transaction, and writes nothing any more. The row also holds the id of
the newest batch, for a writer that lost the answer to its commit.
"""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from monitor.store.database import Holder

STALE_S = 20.0
"""Twice what a writer may stand still between two transactions."""
_NAME = "claim"
_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS float8)"
_VALUE = f"""CAST(json_build_object('by', CAST(:by AS text), 'pid', CAST(:pid AS bigint), 'host', CAST(:host AS text),
    'place', CAST(:place AS text), 'at', {_NOW}, 'batch', {{batch}}) AS text)"""
_TAKE = text(f"""INSERT INTO key_value (vantage, name, value) VALUES ('', '{_NAME}', {_VALUE.format(batch="''")})
    ON CONFLICT (vantage, name) DO UPDATE SET value = excluded.value""")  # noqa: S608  # our own words
_BATCH = "CASE WHEN CAST(:batch AS text) = '' THEN CAST(value AS json) ->> 'batch' ELSE CAST(:batch AS text) END"
_OURS = f"vantage = '' AND name = '{_NAME}' AND CAST(value AS json) ->> 'by' = CAST(:by AS text)"
_RENEW = text(f"UPDATE key_value SET value = {_VALUE.format(batch=_BATCH)} WHERE {_OURS}")  # noqa: S608  # our own words
_GIVE_UP = text(f"DELETE FROM key_value WHERE {_OURS}")  # noqa: S608  # our own words
_READ = f"SELECT value, {_NOW} FROM key_value WHERE vantage = '' AND name = '{_NAME}'"  # noqa: S608  # our own words


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it stands in the store. `age_s` is by the server's clock."""

    by: str
    pid: int
    host: str
    place: str
    at: float
    batch: str
    age_s: float

    @property
    def is_stale(self) -> bool:
        return self.age_s > STALE_S

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
    def holder(self) -> Holder:
        return Holder(self.pid, "" if self.place == _place() else self.host)

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
    connection.execute(_TAKE, _who(by))


def renew(connection: Connection, by: str, batch: str) -> bool:
    """Renew our claim, and note which batch this is if it is one. False where it is ours no more."""
    return connection.execute(_RENEW, _who(by) | {"batch": batch}).rowcount == 1


def give_up(connection: Connection, by: str) -> None:
    connection.execute(_GIVE_UP, {"by": by})


def _who(by: str) -> dict[str, object]:
    return {"by": by, "pid": os.getpid(), "host": socket.gethostname(), "place": _place()}


def _place() -> str:
    """Return what tells apart the places where a process id means a process: machine, boot, container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
