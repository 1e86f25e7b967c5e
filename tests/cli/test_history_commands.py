"""`history`, `incidents`, `export`, `backup`: real commands beside what a real daemon has stored."""

import asyncio
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import command_cast
import pytest
from aiohttp import web
from command_cast import MONITOR
from listening import listening

from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.store import Store

pytestmark = pytest.mark.slow

CHECK = "relay/x/http"


class Relay:
    status = 200

    async def answer(self, _: web.Request) -> web.Response:
        if self.status == 200:
            return web.Response(text="hello")
        return web.Response(status=self.status, text="=cmd [red]no[/red] upstream")


async def live(folder: Path) -> None:
    """A daemon that sees a service work, fail, and work again."""
    relay, app = Relay(), web.Application()
    app.router.add_get("/", relay.answer)
    async with listening(app) as url:
        (folder / "monitor.toml").write_text(
            '[monitor]\nlisten = ""\n[alerts]\nafter = 2\nrecover = 1\n[service.relay]\n'
            f'endpoints = {{ x = "{url}" }}\nprobes = {{ http = "1s" }}\n'
        )
        daemon = Daemon(load(folder / "monitor.toml", {}), publish_every=timedelta(hours=1))
        running = asyncio.create_task(daemon.run())
        for status, runs in ((200, 2), (502, 3), (200, 2)):
            relay.status = status
            await seen(folder, status, runs)
        daemon.stop.set()
        await asyncio.wait_for(running, 60)


async def seen(folder: Path, status: int, runs: int) -> None:
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.2)
            found = [each["http_status"] for each in await asyncio.to_thread(stored, folder)]
            if found[-runs:] == [status] * runs:
                return


def stored(folder: Path) -> list[dict[str, Any]]:
    path = folder / "monitor.db"
    if not path.exists():
        return []
    reader = Store.read_only(f"sqlite:///{path}")
    try:
        return [{"http_status": result.http_status} for result in reader.each_result(CHECK)]
    finally:
        reader.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("asked")
    asyncio.run(live(made))
    return made


@pytest.fixture(scope="module")
def runs(folder: Path) -> Any:
    return json.loads(said(folder, "history", CHECK, "--since", "1h", "--json", "--by", "runs"))


def monitor(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "COLUMNS": "160"}
    return command_cast.monitor(*arguments, cwd=folder, env=env)


def said(folder: Path, *arguments: str | Path) -> str:
    done = monitor(folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_history_of_a_check_shows_every_run_and_sums_them_up(folder: Path) -> None:
    lines = said(folder, "history", CHECK, "--since", "1h").splitlines()
    assert lines[0].startswith(f"{CHECK}, ")
    bad = [line for line in lines if " 502 " in line]
    assert len(bad) >= 3
    assert all("down" in line and "bad_gateway: " in line for line in bad)
    assert any(line.startswith("up ") and f"{len(bad)} down" in line for line in lines)
    assert any(line.split() == ["bad_gateway", str(len(bad))] for line in lines)


def test_as_json_it_carries_runs_percentiles_and_what_failing_runs_got(runs: Any) -> None:
    rows, summary = runs["rows"], runs["summary"]
    down = [row for row in rows if row["outcome"] == "down"]
    assert summary["outcomes"] == {
        "up": len(rows) - len(down),
        "degraded": 0,
        "down": len(down),
        "unknown": 0,
    }
    assert summary["availability"] == pytest.approx(1 - len(down) / len(rows))
    assert summary["failures"] == {"bad_gateway": len(down)}
    assert summary["figures"]["total"]["p50"] > 0
    assert any("upstream" in run["body"] for run in runs["evidence"])
    assert any("evidence" in each for each in down)


LENGTHS = {
    "hour": {1},
    "day": {24},
    "month": {24 * days for days in (28, 29, 30, 31)},
    "year": {8760, 8784},
}


@pytest.mark.parametrize("by", LENGTHS)
def test_hours_days_months_and_years_sum_up_to_the_same(folder: Path, runs: Any, by: str) -> None:
    document = json.loads(said(folder, "history", CHECK, "--since", "1h", "--json", "--by", by))
    assert document["summary"] == runs["summary"]
    assert {row["hours"] for row in document["rows"]} <= LENGTHS[by]
    assert document["rows"]


def test_evidence_is_printed_where_it_is_asked_for_and_as_it_is(folder: Path) -> None:
    whole = said(folder, "history", CHECK, "--by", "runs", "--evidence")
    assert "evidence of " in whole
    assert "=cmd [red]no[/red] upstream" in whole


def test_csv_has_a_line_a_run_that_a_spreadsheet_takes_for_no_formula(folder: Path) -> None:
    text = said(folder, "history", CHECK, "--by", "runs", "--csv")
    found = list(csv.DictReader(io.StringIO(text)))
    assert {row["outcome"] for row in found} == {"up", "down"}
    assert all(row["check"] == CHECK and float(row["total_ms"]) > 0 for row in found)
    assert not any(value.startswith(("=", "+", "@")) for each in found for value in each.values())


def test_a_time_without_runs_says_so(folder: Path) -> None:
    assert "Nothing was measured in that time." in said(
        folder, "history", CHECK, "--since", "2020-01-01", "--until", "2020-01-02T12:00"
    )


def test_a_check_that_nobody_knows_is_an_error_with_a_hint(folder: Path) -> None:
    done = monitor(folder, "history", "relay/x/htp")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f'the store knows no check "relay/x/htp"; did you mean "{CHECK}"?\n'


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--since", "yesterday"), "want how long ago"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "want a moment before --until"),
        (("--by", "week"), "week"),
        (("--json", "--csv"), "not both"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wanted(
    folder: Path, arguments: tuple[str, ...], why: str
) -> None:
    done = monitor(folder, "history", CHECK, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize("since", ["0001-01-01", "36000d", "1969-12-31T23:00+00:00"])
@pytest.mark.parametrize("until", ["9999-12-31T23:59:59", "2200-01-01"])
@pytest.mark.parametrize("by", ["runs", "hour", "day", "month", "year"])
def test_a_range_far_beyond_what_is_stored_is_all_of_it(
    folder: Path, since: str, until: str, by: str
) -> None:
    ask = ("history", CHECK, "--csv", "--by", by)
    assert said(folder, *ask, "--since", since, "--until", until) == said(folder, *ask)


def test_an_export_of_all_times_is_all_of_it(folder: Path) -> None:
    assert said(folder, "export", "--since", "0001-01-01") == said(folder, "export")


@pytest.mark.parametrize("command", [("ack",), ("incidents",), ("incident", "note")])
def test_a_number_that_no_incident_can_have_is_a_slip(
    folder: Path, command: tuple[str, ...]
) -> None:
    text = ("seen",) if command[-1] == "note" else ()
    done = monitor(folder, *command, "9" * 30, *text)
    assert done.returncode == 2
    assert "want the number of an incident such as 3" in " ".join(done.stderr.split())


def test_incidents_are_listed_and_one_is_told_as_a_timeline(folder: Path) -> None:
    listed = said(folder, "incidents")
    assert listed.splitlines()[1].startswith("#1 ")
    assert "bad_gateway" in listed
    found = json.loads(said(folder, "incidents", "--json"))["incidents"]
    assert [(incident["id"], incident["closed"] is None) for incident in found] == [(1, False)]
    what = [each["what"] for each in found[0]["timeline"]]
    assert (what[0], what[-1]) == ("opened", "resolved")

    told = said(folder, "incidents", "1").splitlines()
    assert told[0].startswith("#1 down: ")
    assert any(" began " in line and CHECK in line for line in told)
    assert any(line.endswith(" resolved") for line in told)
    assert json.loads(said(folder, "incidents", "1", "--json")) == found[0]


def test_where_there_is_no_incident_it_says_so(folder: Path) -> None:
    assert said(folder, "incidents", "--open") == "No incident goes on.\n"
    assert said(folder, "incidents", "--until", "2020-01-01", "--since", "2019-01-01") == (
        "No incident of that time is known.\n"
    )
    done = monitor(folder, "incidents", "77")
    assert (done.returncode, done.stderr) == (
        1,
        "there is no incident #77; `monitor incidents` lists them\n",
    )


def test_an_export_has_every_run_in_both_forms(folder: Path) -> None:
    count = len(stored(folder))
    lines = [json.loads(line) for line in said(folder, "export", "--format", "jsonl").splitlines()]
    table = list(csv.DictReader(io.StringIO(said(folder, "export"))))
    assert len(lines) == len(table) == count
    assert [row["at"] for row in lines] == [row["at"] for row in table]
    assert sorted(row["at"] for row in lines) == [row["at"] for row in lines]
    days = list(csv.DictReader(io.StringIO(said(folder, "export", "--by", "day"))))
    assert sum(int(day["up"]) + int(day["down"]) for day in days) == count
    none = said(folder, "export", "--until", "2020-01-01").splitlines()
    assert none == [",".join(table[0])]


def test_an_export_into_a_file_appears_whole(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    assert said(folder, "export", "-o", to) == f"wrote {to}: {len(stored(folder))} rows\n"
    assert to.read_text() == said(folder, "export")
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    done = monitor(folder, "export", "-o", tmp_path / "no" / "out.csv")
    assert (done.returncode, done.stderr) == (
        1,
        f"{tmp_path}/no/out.csv cannot be written: No such file or directory\n",
    )


def test_an_export_into_a_pipe_leaves_it_a_pipe(folder: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        said(folder, "export", "-o", pipe)
        if not pipe.is_fifo():  # nobody would ever write to it
            reader.kill()
        got, _ = reader.communicate()
    assert got == said(folder, "export")


def test_an_export_that_ends_before_it_begins_is_a_slip(folder: Path) -> None:
    done = monitor(folder, "export", "--since", "2d", "--until", "3d")
    assert (done.returncode, done.stdout) == (2, "")
    assert "want a moment before --until" in done.stderr


def test_a_backup_taken_while_the_daemon_runs_is_restored_as_the_documentation_says(
    folder: Path, tmp_path: Path
) -> None:
    home, copy = tmp_path / "home", tmp_path / "monitor.backup"
    shutil.copytree(folder, home)
    (home / "monitor.db.lock").unlink(missing_ok=True)
    daemon = subprocess.Popen(
        [MONITOR, "run"],
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    try:
        assert daemon.stderr is not None
        while "event=started" not in daemon.stderr.readline():
            assert daemon.poll() is None
        told = said(home, "backup", copy)
        assert told == f"wrote {copy}: {copy.stat().st_size} bytes, checked\n"
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    docs = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    restore = docs.split("To restore", 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    steps = [line for line in restore.splitlines() if "systemctl" not in line]
    script = "\n".join(steps).replace("/var/lib/monitor/monitor.backup", str(copy))
    script = script.replace("/var/lib/monitor", str(home)).replace(" -o monitor -g monitor", "")
    (home / "monitor.db").write_bytes(b"broken")
    subprocess.run(["sh", "-ec", script], check=True)
    assert len(stored(home)) >= len(stored(folder))
    assert "\n#1 " in said(home, "incidents")


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("monitor.db", "is the store itself; give the copy another name"),
        ("monitor.db-wal", "is the store itself; give the copy another name"),
        (".", "is a folder; give the copy a name in it"),
        ("link.db", "is the store itself; give the copy another name"),
        ("pipe", "is no file; a copy would take its place"),
        ("no/copy.db", "make it first"),
        ("x" * 300, "cannot be written: File name too long"),
        ("x" * 252, "cannot be written"),
    ],
)
def test_a_backup_harms_nothing(folder: Path, to: str, why: str) -> None:
    if to == "pipe":
        os.mkfifo(folder / to)
    if to == "link.db":
        (folder / to).symlink_to("monitor.db")
    done = monitor(folder, "backup", to)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert (folder / "monitor.db").read_bytes().startswith(b"SQLite format 3")
