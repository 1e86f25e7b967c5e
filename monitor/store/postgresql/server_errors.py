"""Says what PostgreSQL's errors mean, by SQLSTATE, and what to do."""

import psycopg
from sqlalchemy.exc import DBAPIError

from monitor.model import StoreError
from monitor.store.database import Meaning

_AWAY = "the server is away"
_OURS = ("22", "23", "42", "0A")
"""Classes of errors of which the server is well, but what we asked of it is impossible."""
_REMEDIES = {
    "08": _AWAY,
    "25006": "the server only reads, as a standby does; name the one that may be written",
    "25P03": "a transaction took too long, and the server ended it",
    "28": "the server does not let us in; look at user, password and pg_hba.conf",
    "3D000": "there is no such database; create it",
    "3F000": "there is no schema to create tables in",
    "40": "another session was in the way",
    "42501": "our role may not do that; make it the owner of the database, or grant it CREATE and USAGE on the schema",
    "42P01": "a table of ours is gone; restore a backup, or drop the others too",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server takes no more connections; raise max_connections, or close others",
    "53": "the server is short of something",
    "55P03": "another session holds a lock for too long; end it",
    "57014": "a statement took too long",
    "57": _AWAY,
    "58": "the server's disk fails",
    "XX001": "it is damaged; restore a backup",
    "XX002": "an index of it is damaged; run REINDEX",
}
"""By SQLSTATE, or by its class of two characters."""
_TROUBLE_ALL_THE_SAME = {"42501", "42P01"}
_MEANINGS = {"53100": Meaning.FULL, "XX001": Meaning.DAMAGE, "XX002": Meaning.DAMAGE}


def meaning(error: BaseException) -> Meaning:
    if isinstance(error, StoreError):
        return Meaning.TROUBLE
    if not isinstance(error, DBAPIError):
        return Meaning.OURS
    state = state_of(error)
    if not state and isinstance(error.orig, psycopg.ProgrammingError | psycopg.DataError):
        return Meaning.OURS
    if state[:2] in _OURS and state not in _TROUBLE_ALL_THE_SAME:
        return Meaning.OURS
    return _MEANINGS.get(state, Meaning.TROUBLE)


def is_locked(error: BaseException) -> bool:
    """Tell whether a lock was waited for in vain."""
    return state_of(error) == "55P03"


def remedy(error: BaseException) -> str:
    """Return what was met, and what to do: `the server is away (connection refused)`."""
    state, said = state_of(error), message_of(error)
    known = _REMEDIES.get(state) or _REMEDIES.get(state[:2])
    if known is None and not state:
        known = _unconnected(said)
    return said if known is None else f"{known} ({said})"


def _unconnected(said: str) -> str:
    """Say why there is no connection: an error of a connection that never was has no SQLSTATE."""
    if "password authentication failed" in said or "no pg_hba.conf entry" in said:
        return _REMEDIES["28"]
    if "certificate" in said or "SSL" in said:
        return "the connection is not encrypted as `sslmode` wants it"
    if "does not exist" in said and "database" in said:
        return _REMEDIES["3D000"]
    if "too many" in said or "remaining connection slots" in said:
        return _REMEDIES["53300"]
    return _AWAY


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE, "" where there is none."""
    return getattr(_original(error), "sqlstate", None) or ""


def message_of(error: BaseException) -> str:
    """Return the first line of what server or library said."""
    said = _original(error)
    primary = said.diag.message_primary if isinstance(said, psycopg.Error) else None
    text = primary or str(said) or type(said).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "FATAL" in line or "rror" in line), (lines or ["?"])[0])


def _original(error: BaseException) -> BaseException:
    original = error.orig if isinstance(error, DBAPIError) else None
    return original if original is not None else error
