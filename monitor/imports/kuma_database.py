"""Reads `kuma.db`, the SQLite file of Uptime Kuma 1 and 2, into the shape of its backup; and its heartbeats.

Only tables and columns that are there are read: version 2 has more of them than version 1. The file is opened
for reading alone. See its `db/old_migrations` and `db/knex_migrations` for the columns.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.imports.fields import parsed, text
from monitor.imports.imported import ImportFileError

MAGIC = b"SQLite format 3\0"
_LARGEST_VALUE = 8 << 20
"""Bytes of one value: a screenshot or an icon may be large, and none of ours is."""
_PAGE = 2000
_CAMEL = {
    "accepted_statuscodes_json": "accepted_statuscodes",
    "auth_method": "authMethod",
    "expected_value": "expectedValue",
    "http_body_encoding": "httpBodyEncoding",
    "ignore_tls": "ignoreTls",
    "invert_keyword": "invertKeyword",
    "json_path": "jsonPath",
    "json_path_operator": "jsonPathOperator",
    "proxy_id": "proxyId",
    "resend_interval": "resendInterval",
    "upside_down": "upsideDown",
}
"""What a column is called in the backup, where that differs and somebody reads it."""
Row = Mapping[str, Any]


class KumaDatabase:
    """An open `kuma.db`. Raises ImportFileError for a file that is no such thing, or damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = _open(path)
        with self._told():
            rows = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            self._tables = {str(name) for (name,) in rows}
        if "monitor" not in self._tables or "heartbeat" not in self._tables:
            self.close()
            raise ImportFileError(
                f"{path} is a database of something else: want the kuma.db of Uptime Kuma, with the tables `monitor`"
                " and `heartbeat`"
            )

    def close(self) -> None:
        self._connection.close()

    @property
    def version(self) -> int:
        """Return 2 where it has the tables of version 2."""
        return 2 if "stat_daily" in self._tables else 1

    def document(self) -> Mapping[str, Any]:
        """Return what the backup of version 1 holds, and what it leaves out."""
        told, tags, headings = self._told_by(), self._tags(), self._headings()
        monitors = []
        for row in self._rows("monitor"):
            monitor = {_CAMEL.get(name, name): value for name, value in row.items()}
            id_ = text(monitor.get("id"))
            monitor["accepted_statuscodes"] = parsed(monitor.get("accepted_statuscodes"))
            monitor["notificationIDList"] = dict.fromkeys(told.get(id_, ()), True)
            monitor["tags"] = [{"name": name} for name in tags.get(id_, ())]
            monitor["statusPageGroup"] = headings.get(id_, "")
            monitors.append(monitor)
        settings = {row.get("key"): row.get("value") for row in self._rows("setting")}
        zone = settings.get("serverTimezone")
        return {
            "monitorList": monitors,
            "notificationList": list(self._rows("notification")),
            "proxyList": list(self._rows("proxy")),
            "maintenanceList": list(self._windows()),
            "statusPageList": list(self._rows("status_page")),
            "serverTimezone": text(parsed(zone)) or text(zone),
        }

    def heartbeats(self, monitor: str, before: str) -> Iterator[Row]:
        """Yield the heartbeats of a monitor before a time, newest first, a page at a time."""
        columns = self._columns("heartbeat") & {"id", "time", "status", "msg", "ping"}
        if not {"id", "time", "status"} <= columns:
            return
        names = ", ".join(f'"{name}"' for name in sorted(columns))
        query = (
            f"SELECT {names} FROM heartbeat WHERE monitor_id = ? AND (time, id) < (?, ?)"  # noqa: S608  # our own names
            " ORDER BY time DESC, id DESC LIMIT ?"
        )
        last: tuple[Any, Any] = (before, -1)
        while True:
            with self._told():
                rows = self._connection.execute(query, (monitor, *last, _PAGE)).fetchall()
            yield from map(dict, rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1]["time"], rows[-1]["id"]

    def statistics(self, monitor: str, table: str) -> Iterator[Row]:
        """Return what version 2 has counted by the hour (`stat_hourly`) or day (`stat_daily`)."""
        return self._rows(table, "WHERE monitor_id = ?", monitor)

    def count_heartbeats(self) -> int:
        with self._told():
            return int(self._connection.execute("SELECT count(*) FROM heartbeat").fetchone()[0])

    def _columns(self, table: str) -> set[str]:
        with self._told():
            rows = self._connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        return {str(row["name"]) for row in rows}

    def _rows(self, table: str, which: str = "", *values: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, or those `which` a condition names; none where there is no such table."""
        if table not in self._tables:
            return
        with self._told():
            query = f'SELECT * FROM "{table}" {which}'  # noqa: S608  # our own names
            yield from map(dict, self._connection.execute(query, values))

    def _told_by(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("monitor_notification"):
            found[text(row.get("monitor_id"))].append(text(row.get("notification_id")))
        return found

    def _tags(self) -> Mapping[str, list[str]]:
        names = {text(row.get("id")): text(row.get("name")) for row in self._rows("tag")}
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("monitor_tag"):
            found[text(row.get("monitor_id"))].append(names.get(text(row.get("tag_id")), ""))
        return found

    def _headings(self) -> Mapping[str, str]:
        """Return the heading of a status page that each monitor stands under, the first one."""
        names = {text(row.get("id")): text(row.get("name")) for row in self._rows("group")}
        found: dict[str, str] = {}
        for row in self._rows("monitor_group"):
            found.setdefault(text(row.get("monitor_id")), names.get(text(row.get("group_id")), ""))
        return found

    def _windows(self) -> Iterator[dict[str, Any]]:
        covered: dict[str, list[str]] = defaultdict(list)
        for row in self._rows("monitor_maintenance"):
            covered[text(row.get("maintenance_id"))].append(text(row.get("monitor_id")))
        for row in self._rows("maintenance"):
            yield {**row, "monitorIDs": covered.get(text(row.get("id")), [])}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError) as error:
            raise _damaged(self._path, error) from None


def _open(path: Path) -> sqlite3.Connection:
    """Open the file without writing beside it, where its journal allows that."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        uri += "&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True)
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda value: value.decode("utf-8", "replace")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise _damaged(path, error) from None
    return connection


def _damaged(path: Path, error: Exception) -> ImportFileError:
    return ImportFileError(
        f"{path} cannot be read as a database of Uptime Kuma ({error}): copy kuma.db, kuma.db-wal and kuma.db-shm"
        " together while Uptime Kuma is stopped, and try again"
    )
