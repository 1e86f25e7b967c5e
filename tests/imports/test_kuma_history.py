"""`monitor import --history`: what Uptime Kuma measured becomes history, once, and says no more than was measured."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import command_cast
import pytest
from hypothesis import given
from import_cast import anything, like, run
from kuma_cast import database

from monitor.clock import SystemClock
from monitor.imports.kuma_heartbeats import failure_of, past_counts, result_of
from monitor.model import FailureKind, Outcome, PastCounts, Resolution

NOW = SystemClock().now().replace(second=0, microsecond=0) - timedelta(hours=1)
MONITOR = {"id": 7, "name": "page", "type": "http", "url": "https://h.example/", "interval": 60}
KEY = "h-example/page/http"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"


def beat(
    minutes_ago: float, status: int = 1, msg: str = "200 - OK", ping: int | None = 120
) -> dict[str, Any]:
    at = stamp(NOW - timedelta(minutes=minutes_ago))
    return {"monitor_id": 7, "status": status, "msg": msg, "time": at, "ping": ping}


def exported(folder: Path, by: str = "runs") -> list[dict[str, Any]]:
    done = run(folder, "export", "--format", "jsonl", "--by", by)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


BEATS = [
    beat(5),
    beat(4, 2, "Request failed with status code 502", None),
    beat(3, 0, "getaddrinfo ENOTFOUND h.example", None),
    beat(2, 3, "Monitor under maintenance", None),
    beat(1, 0, "something new", None),
]


def counted(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Up, down and in maintenance of each day."""
    return {
        row["at"][:10]: (row["outcomes"]["up"], row["outcomes"]["down"], row["maintenance"])
        for row in exported(folder, "day")
    }


def test_heartbeats_become_runs_once(tmp_path: Path) -> None:
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=BEATS)
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith(f"history: 4 runs of {KEY}, since ")
    runs = [
        (
            row["outcome"],
            (row["failure"] or {}).get("kind"),
            (row["failure"] or {}).get("message"),
            row["http_status"],
            row["timings_ms"]["total"],
        )
        for row in exported(tmp_path)
    ]
    assert runs == [
        ("up", None, None, 200, 120.0),
        (
            "down",
            "bad_gateway",
            'got "Request failed with status code 502", want an answer',
            502,
            None,
        ),
        (
            "down",
            "dns_nxdomain",
            'got "getaddrinfo ENOTFOUND h.example", want an answer',
            None,
            None,
        ),
        ("down", None, None, None, None),
    ]
    again = run(tmp_path, "import", "kuma.db", "--history")
    assert again.stdout == f"no history: nothing of {KEY} is older than what the store has\n"
    assert len(exported(tmp_path)) == 4
    for command in (["render"], ["status"], ["history", KEY], ["history", KEY, "--by", "day"]):
        done = run(tmp_path, *command)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_history_is_added_where_only_the_import_knows_a_secret_and_a_pause_is_told(
    tmp_path: Path,
) -> None:
    secret = {**MONITOR, "url": "https://h.example/x?token=of-nobody"}
    paused = {**MONITOR, "id": 8, "name": "old", "url": "https://p.example/", "active": 0}
    database(tmp_path / "kuma.db", 1, monitor=[secret, paused], heartbeat=BEATS)
    env = {"PATH": os.environ["PATH"]}
    done = command_cast.monitor("import", "kuma.db", "--history", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert f"history: 4 runs of {KEY}" in done.stdout
    told = "no history: p-example/old/http is of a base URL that is retired, and is not asked"
    assert told in done.stdout.splitlines()


def test_a_check_of_another_address_gets_no_history_and_is_named(tmp_path: Path) -> None:
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=BEATS)
    assert run(tmp_path, "import", "kuma.db").returncode == 0
    config = tmp_path / "monitor.toml"
    config.write_text(config.read_text().replace("https://h.example", "https://other.example"))
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"no history: {KEY} is of https://other.example/ in monitor.toml, and Uptime Kuma measured"
        " https://h.example/; give a base URL of another address another id\n"
    )
    assert exported(tmp_path) == []


def test_of_imported_time_nobody_says_that_there_was_no_incident(tmp_path: Path) -> None:
    beats = [beat(5 + number / 1000, status) for number, status in enumerate((1, 0, 0, 0))]
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=beats)
    assert run(tmp_path, "import", "kuma.db", "--history").returncode == 0
    config = tmp_path / "monitor.toml"
    config.write_text(config.read_text() + '\n[page]\ndir = "page"\nreports = true\n')
    month = f"{NOW - timedelta(minutes=5):%Y-%m}"
    told = run(tmp_path, "report", "--month", month)
    assert told.returncode == 0, told.stderr
    text = " ".join(told.stdout.split())
    assert "No incident is known." in text
    assert "was imported from another program: incidents of that time are not known." in text
    assert "No incident was open" not in text
    [row] = csv.DictReader(io.StringIO(run(tmp_path, "report", "--month", month, "--csv").stdout))
    assert (row["down_s"], row["availability"]) == ("", "0.25")
    assert datetime.fromisoformat(row["imported_until"]) > NOW - timedelta(minutes=1)
    assert run(tmp_path, "render").returncode == 0
    listed = (tmp_path / "page" / "reports" / "index.html").read_text()
    assert "not all incidents are known" in listed
    assert "Imported: incidents are not known." in (tmp_path / "page" / "index.html").read_text()
    assert run(tmp_path, "incidents").stdout == "No incident of that time is known.\n"


def test_what_is_older_than_all_that_is_known_is_added_to_it(tmp_path: Path) -> None:
    """As after an interruption, which leaves the newest; and a config that is there stays as it is."""
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=BEATS[3:])
    assert run(tmp_path, "import", "kuma.db", "--history").returncode == 0
    (tmp_path / "kuma.db").unlink()
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=BEATS)
    config = tmp_path / "monitor.toml"
    config.write_text("# mine\n" + config.read_text())
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert "history: 3 runs of" in done.stdout
    assert config.read_text().startswith("# mine\n")
    assert [row["outcome"] for row in exported(tmp_path)] == ["up", "down", "down", "down"]


def test_old_heartbeats_are_counted_by_day_and_go_as_others_do(tmp_path: Path) -> None:
    """Those older than `raw` are in the days alone."""
    beats = [beat(60 * hour, *((1,) if hour % 10 else (0, "", None))) for hour in range(1, 24 * 60)]
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=beats)
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert (done.returncode, done.stderr) == (0, "")
    runs = exported(tmp_path)
    oldest = min(datetime.fromisoformat(row["at"]) for row in runs)
    assert timedelta(days=29) < NOW - oldest < timedelta(days=31)
    days = counted(tmp_path).values()
    assert sum(up + down for up, down, _ in days) == len(beats)
    assert sum(down for _, down, _ in days) == 24 * 6 - 1
    assert "nothing of" in run(tmp_path, "import", "kuma.db", "--history").stdout


def test_version_2_keeps_counts_of_what_is_older_than_a_day(tmp_path: Path) -> None:
    """Its old heartbeats are those where something changed: as runs they would say that half of all failed."""
    today = NOW.replace(hour=0, minute=0)
    hours = [
        {
            "monitor_id": 7,
            "timestamp": int((today + timedelta(hours=hour)).timestamp()),
            "up": 59,
            "down": 1,
            "ping": 50.0,
        }
        for hour in range(-24 * 5 + 3, 24)
    ]
    days = [
        {
            "monitor_id": 7,
            "timestamp": int((today + timedelta(days=day)).timestamp()),
            "up": 1430,
            "down": 9,
            "ping": 50.0,
            "extras": '{"maintenance": 1}',
        }
        for day in range(-20, 1)
    ]
    beats = [
        beat(60 * 24 * 3, 0, "socket hang up", None),
        *(beat(minute) for minute in range(1, 24 * 60 + 30)),
    ]
    database(
        tmp_path / "kuma.db",
        2,
        monitor=[MONITOR],
        heartbeat=beats,
        stat_hourly=hours,
        stat_daily=days,
    )
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert (done.returncode, done.stderr) == (0, "")
    runs = exported(tmp_path)
    first = min(datetime.fromisoformat(row["at"]) for row in runs)
    assert {row["outcome"] for row in runs} == {"up"}
    newest = NOW - timedelta(minutes=1)
    assert newest - timedelta(hours=24) <= first <= newest - timedelta(hours=23)
    found = counted(tmp_path)
    oldest = (today - timedelta(days=20)).date().isoformat()
    assert found[oldest] == (1430, 9, 1)
    assert found[(today - timedelta(days=5)).date().isoformat()] == (1430, 9, 1), (
        "of it not all hours are kept"
    )
    assert found[(today - timedelta(days=3)).date().isoformat()] == (59 * 24, 24, 0)
    assert len(found) in {21, 22}
    assert "nothing of" in run(tmp_path, "import", "kuma.db", "--history").stdout
    assert counted(tmp_path) == found


def test_what_was_counted_is_added_where_all_heartbeats_are_of_a_maintenance(
    tmp_path: Path,
) -> None:
    day = (NOW - timedelta(days=3)).replace(hour=0, minute=0)
    database(
        tmp_path / "kuma.db",
        2,
        monitor=[MONITOR],
        heartbeat=[beat(1, 3, "Monitor under maintenance", None)],
        stat_daily=[{"monitor_id": 7, "timestamp": int(day.timestamp()), "up": 1430, "down": 9}],
    )
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert (done.returncode, done.stderr) == (0, "")
    assert counted(tmp_path) == {day.date().isoformat(): (1430, 9, 0)}
    assert exported(tmp_path) == []


def test_a_monitor_without_heartbeats_and_a_file_without_monitors_are_named(tmp_path: Path) -> None:
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=[])
    done = run(tmp_path, "import", "kuma.db", "--history")
    assert done.stdout.splitlines()[-1] == f"no history: kuma.db has no heartbeat of {KEY}"
    (tmp_path / "none.json").write_text('{"monitorList": []}')
    done = run(tmp_path, "import", "none.json", "--output", "none.toml")
    assert (done.returncode, done.stderr) == (
        1,
        "there is nothing in it to watch, and nothing was written\n",
    )


def test_a_store_that_a_daemon_holds_is_left_alone(tmp_path: Path) -> None:
    database(tmp_path / "kuma.db", 1, monitor=[MONITOR], heartbeat=BEATS)
    assert run(tmp_path, "import", "kuma.db").returncode == 0
    hold = "import fcntl, sys; f = open('monitor.db.lock', 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as daemon:
        assert daemon.stdout
        daemon.stdout.readline()
        done = run(tmp_path, "import", "kuma.db", "--history")
        daemon.communicate()
    assert done.returncode == 1
    assert "is in use by another monitor; stop that one first" in done.stderr


def test_history_wants_a_database(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_text('{"monitorList": []}')
    done = run(tmp_path, "import", "backup.json", "--history")
    assert done.returncode == 2
    assert "wants one kuma.db" in done.stderr


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("timeout of 48000ms exceeded", FailureKind.HEADERS_TIMEOUT),
        ("connect ECONNREFUSED 10.0.0.1:443", FailureKind.TCP_REFUSED),
        ("connect ETIMEDOUT 10.0.0.1:443", FailureKind.CONNECT_TIMEOUT),
        ("connect EHOSTUNREACH 10.0.0.1:443", FailureKind.TCP_UNREACHABLE),
        ("getaddrinfo EAI_AGAIN h.example", FailureKind.DNS_SERVFAIL),
        ("read ECONNRESET", FailureKind.HTTP_DISCONNECT),
        (
            "Client network socket disconnected before secure TLS connection was established",
            FailureKind.TLS_PROTOCOL,
        ),
        ("certificate has expired", FailureKind.CERT_EXPIRED),
        ("Hostname/IP does not match certificate's altnames: Host: a", FailureKind.CERT_HOSTNAME),
        ("self-signed certificate in certificate chain", FailureKind.CERT_UNTRUSTED),
        ("Request failed with status code 504", FailureKind.UPSTREAM_TIMEOUT),
        ("Request failed with status code 500", FailureKind.SERVER_ERROR),
        ("Request failed with status code 401", FailureKind.UNEXPECTED_STATUS),
        ("200 - OK, but keyword is not in [<html> Welcome]", FailureKind.UNEXPECTED_BODY),
        ("JSON query does not pass (comparing 1 == 2)", FailureKind.UNEXPECTED_BODY),
        ("Maximum number of redirects exceeded", FailureKind.UNEXPECTED_REDIRECT),
        ("No heartbeat in the time window", None),
        ("", None),
    ],
)
def test_a_message_tells_the_kind_where_it_is_known(said: str, kind: FailureKind | None) -> None:
    failure = failure_of(said)
    assert (failure.kind if failure else None) == kind


ROW = like(
    {
        "time": anything("2026-01-02 03:04:05.678", "9999-12-31T23:59:59-14:00"),
        "status": anything(0, 1, 2, 3, "1"),
        "msg": anything("200 - OK"),
        "ping": anything(),
    }
)


@given(ROW)
def test_whatever_stands_in_a_heartbeat_it_is_a_run_or_nothing(row: dict[str, Any]) -> None:
    result = result_of(row, "a/b/http", "local")
    if result is None:
        return
    assert result.at.tzinfo == UTC
    assert result.outcome in {Outcome.UP, Outcome.DOWN}
    assert result.failure is None or result.failure.kind.outcome is Outcome.DOWN
    assert result.timings.total is None or 0 <= result.timings.total <= 86_400_000


@given(anything(), anything())
def test_whatever_stands_in_statistics_counts_are_whole_periods_before(
    some: Any, other: Any
) -> None:
    before = datetime(2026, 1, 10, 5, tzinfo=UTC)
    at = int(datetime(2026, 1, 9, 12, tzinfo=UTC).timestamp())
    rows = [
        {"timestamp": at, "up": some, "down": other, "extras": some},
        {"timestamp": some, "up": 1, "down": 0},
    ]
    assert all(
        counted.resolution.end(counted.at) <= before and counted.up >= 0
        for counted in past_counts(rows, rows, before)
    )


def test_hours_count_where_whole_days_of_them_are_kept() -> None:
    first = datetime(2026, 1, 8, 22, tzinfo=UTC)
    hours = [
        {"timestamp": (first + timedelta(hours=n)).timestamp(), "up": 60, "down": 0}
        for n in range(6)
    ]
    days = [
        {"timestamp": datetime(2026, 1, day, tzinfo=UTC).timestamp(), "up": 1440, "down": 0}
        for day in (7, 8, 9)
    ]
    assert past_counts(hours, days, first + timedelta(hours=4)) == (
        PastCounts(at=datetime(2026, 1, 7, tzinfo=UTC), resolution=Resolution.DAY, up=1440, down=0),
        PastCounts(at=datetime(2026, 1, 8, tzinfo=UTC), resolution=Resolution.DAY, up=1440, down=0),
        PastCounts(
            at=datetime(2026, 1, 9, 0, tzinfo=UTC), resolution=Resolution.HOUR, up=60, down=0
        ),
        PastCounts(
            at=datetime(2026, 1, 9, 1, tzinfo=UTC), resolution=Resolution.HOUR, up=60, down=0
        ),
    )
