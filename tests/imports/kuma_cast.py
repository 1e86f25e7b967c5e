"""Files as Uptime Kuma writes them, made anew: a backup of version 1.23, and `kuma.db` of versions 1 and 2."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

KEY = "not-a-real-key-0001"


def monitor(id_: int, **fields: Any) -> dict[str, Any]:
    """A monitor of a backup, with the fields that every one has there."""
    usual = {
        "id": id_,
        "name": f"monitor {id_}",
        "parent": None,
        "url": "https://",
        "method": "GET",
        "hostname": None,
        "port": None,
        "maxretries": 1,
        "active": 1,
        "type": "http",
        "timeout": 48,
        "interval": 60,
        "retryInterval": 60,
        "resendInterval": 0,
        "keyword": None,
        "invertKeyword": False,
        "ignoreTls": False,
        "upsideDown": False,
        "maxredirects": 10,
        "accepted_statuscodes": ["200-299"],
        "proxyId": None,
        "notificationIDList": {},
        "tags": [],
        "authMethod": None,
        "headers": None,
        "body": None,
        "basic_auth_user": None,
        "basic_auth_pass": None,
        "includeSensitiveData": True,
    }
    return usual | fields


def notification(id_: int, name: str, kind: str, **config: Any) -> dict[str, Any]:
    """One as a backup has it: its settings are a text of JSON inside."""
    inside = json.dumps({"name": name, "type": kind, "isDefault": False, **config})
    return {
        "id": id_,
        "name": name,
        "active": True,
        "userId": 1,
        "isDefault": False,
        "config": inside,
    }


def backup(
    monitors: Iterable[Mapping[str, Any]], notifications: Iterable[Mapping[str, Any]] = ()
) -> str:
    document = {
        "version": "1.23.16",
        "notificationList": list(notifications),
        "monitorList": list(monitors),
    }
    return json.dumps(document, indent=4, ensure_ascii=False)


_V1 = """
CREATE TABLE monitor (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(150), active BOOLEAN NOT NULL DEFAULT 1, user_id INTEGER,
  interval INTEGER NOT NULL DEFAULT 20, url TEXT, type VARCHAR(20), weight INTEGER DEFAULT 2000, hostname VARCHAR(255),
  port INTEGER, created_date DATETIME, keyword VARCHAR(255), maxretries INTEGER NOT NULL DEFAULT 0,
  ignore_tls BOOLEAN NOT NULL DEFAULT 0, upside_down BOOLEAN NOT NULL DEFAULT 0, maxredirects INTEGER NOT NULL DEFAULT 10,
  accepted_statuscodes_json TEXT NOT NULL DEFAULT '["200-299"]', dns_resolve_type VARCHAR(5),
  retry_interval INTEGER NOT NULL DEFAULT 0, push_token VARCHAR(20), method TEXT NOT NULL DEFAULT 'GET', body TEXT,
  headers TEXT, basic_auth_user TEXT, basic_auth_pass TEXT, proxy_id INTEGER, auth_method VARCHAR(250),
  resend_interval INTEGER NOT NULL DEFAULT 0, parent INTEGER, invert_keyword BOOLEAN NOT NULL DEFAULT 0,
  json_path TEXT, expected_value VARCHAR(255), timeout DOUBLE DEFAULT 0, http_body_encoding VARCHAR(25));
CREATE TABLE heartbeat (
  id INTEGER PRIMARY KEY AUTOINCREMENT, important BOOLEAN NOT NULL DEFAULT 0, monitor_id INTEGER NOT NULL,
  status SMALLINT NOT NULL, msg TEXT, time DATETIME NOT NULL, ping INTEGER, duration INTEGER NOT NULL DEFAULT 0,
  down_count INTEGER NOT NULL DEFAULT 0);
CREATE INDEX monitor_time_index ON heartbeat (monitor_id, time);
CREATE TABLE notification (id INTEGER PRIMARY KEY, name VARCHAR(255), config TEXT, active BOOLEAN NOT NULL DEFAULT 1,
  user_id INTEGER, is_default BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE monitor_notification (id INTEGER PRIMARY KEY, monitor_id INTEGER, notification_id INTEGER);
CREATE TABLE proxy (id INTEGER PRIMARY KEY, user_id INTEGER, protocol VARCHAR(10), host VARCHAR(255), port SMALLINT,
  auth BOOLEAN, username VARCHAR(255), password VARCHAR(255), active BOOLEAN DEFAULT 1, "default" BOOLEAN DEFAULT 0);
CREATE TABLE tag (id INTEGER PRIMARY KEY, name VARCHAR(255), color VARCHAR(255));
CREATE TABLE monitor_tag (id INTEGER PRIMARY KEY, monitor_id INTEGER, tag_id INTEGER, value TEXT);
CREATE TABLE "group" (id INTEGER PRIMARY KEY, name VARCHAR(255), public BOOLEAN, active BOOLEAN, weight BOOLEAN);
CREATE TABLE monitor_group (id INTEGER PRIMARY KEY, monitor_id INTEGER, group_id INTEGER, weight BOOLEAN);
CREATE TABLE status_page (id INTEGER PRIMARY KEY, slug VARCHAR(255), title VARCHAR(255), icon VARCHAR(255));
CREATE TABLE setting (id INTEGER PRIMARY KEY, key VARCHAR(200) NOT NULL UNIQUE, value TEXT, type VARCHAR(20));
CREATE TABLE maintenance (id INTEGER PRIMARY KEY, title VARCHAR(150), description TEXT, active BOOLEAN DEFAULT 1,
  strategy VARCHAR(50), start_date DATETIME, end_date DATETIME, start_time TIME, end_time TIME,
  weekdays VARCHAR(250) DEFAULT '[]', days_of_month TEXT DEFAULT '[]', interval_day INTEGER, cron TEXT,
  timezone VARCHAR(255), duration INTEGER);
CREATE TABLE monitor_maintenance (id INTEGER PRIMARY KEY, monitor_id INTEGER, maintenance_id INTEGER);
"""
_V2 = """
ALTER TABLE heartbeat ADD end_time DATETIME;
ALTER TABLE heartbeat ADD retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE heartbeat ADD response TEXT;
ALTER TABLE monitor ADD json_path_operator VARCHAR(255);
ALTER TABLE monitor ADD conditions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE monitor ADD bearer_token TEXT;
CREATE TABLE stat_minutely (id INTEGER PRIMARY KEY, monitor_id INTEGER, timestamp INTEGER, ping FLOAT, up SMALLINT,
  down SMALLINT, ping_min FLOAT DEFAULT 0, ping_max FLOAT DEFAULT 0, extras TEXT, UNIQUE (monitor_id, timestamp));
CREATE TABLE stat_hourly (id INTEGER PRIMARY KEY, monitor_id INTEGER, timestamp INTEGER, ping FLOAT, up SMALLINT,
  down SMALLINT, ping_min FLOAT DEFAULT 0, ping_max FLOAT DEFAULT 0, extras TEXT, UNIQUE (monitor_id, timestamp));
CREATE TABLE stat_daily (id INTEGER PRIMARY KEY, monitor_id INTEGER, timestamp INTEGER, ping FLOAT, up SMALLINT,
  down SMALLINT, ping_min FLOAT DEFAULT 0, ping_max FLOAT DEFAULT 0, extras TEXT, UNIQUE (monitor_id, timestamp));
"""


def database(path: Path, version: int, **tables: Iterable[Mapping[str, Any]]) -> Path:
    """Make a `kuma.db` of version 1 or 2 with these rows."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_V1 + (_V2 if version == 2 else ""))
        for table, rows in tables.items():
            for row in rows:
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f'INSERT INTO "{table}" ({names}) VALUES ({marks})', (*row.values(),)
                )
        connection.commit()
    return path
