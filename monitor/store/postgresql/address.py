"""Names where a store on PostgreSQL is, without its password, and connects to it.

Nothing here outlives a transaction, so that a pooler in transaction mode may stand in between: no statement is
prepared, nothing is set for a session. `sslmode` and all else of a URL is libpq's.
"""

import os
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine

from monitor.model import Redactor, Secret, StoreError
from monitor.store.postgresql.server_errors import remedy

_DEFAULTS = {
    "connect_timeout": 4,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "monitor",
    "client_encoding": "UTF8",
}
"""A server whose network is cut is known to be away within these; a URL may say otherwise.

Without the encoding a database that has none (`SQL_ASCII`) answers in bytes.
"""


class Address:
    """Makes engines for one URL. Raises StoreError where libpq cannot read it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}@" if parts.username else ""
        self.name = f"postgresql://{user}{host}{parts.path}"
        try:
            given: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.Error:  # what it says may quote the password
            raise StoreError(
                f"{self.name} is no URL of PostgreSQL; write % and @ of a password as %25 and %40"
            ) from None
        if given.get("sslrootcert") == "system":
            _find_system_authorities()
        self._options = {**_DEFAULTS, **given, "prepare_threshold": None}
        passwords = {
            str(given.get("password") or ""),
            unquote(parts.password or ""),
            parts.password or "",
        }
        self._hide = Redactor([Secret(password) for password in passwords if password])
        self.database = str(given.get("dbname") or "")

    def why(self, error: BaseException) -> str:
        """Return what was met, what to do, and where, without the password."""
        return self._hide(f"{remedy(error)}, {self.name}")

    def writing(self) -> Engine:
        return self._engine()

    def reading(self) -> Engine:
        """See the store as it was at the first question of a transaction, as in SQLite."""
        engine = self._engine(pool_pre_ping=True)
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _engine(self, **options: Any) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(**self._options),
            pool_size=1,
            max_overflow=1,
            hide_parameters=True,
            use_native_hstore=False,
            **options,
        )


def _find_system_authorities() -> None:
    """Let libpq trust whom this system trusts.

    The wheel of psycopg brings an OpenSSL of its own, which was built for a folder that no system has. Where the
    environment says nothing else it is told the places of Python's.
    """
    paths = ssl.get_default_verify_paths()
    os.environ.setdefault(paths.openssl_cafile_env, paths.openssl_cafile)
    os.environ.setdefault(paths.openssl_capath_env, paths.openssl_capath)
