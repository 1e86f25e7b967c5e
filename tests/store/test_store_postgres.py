"""Room to grow: whatever the store says to SQLite, a real PostgreSQL understands, with the same answers.

What only SQLite has (the file, its journal, its pages) stands in a folder of its own.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import Server
from sqlalchemy import Connection, Engine
from store_cast import (
    CHAT,
    HABIT,
    NOON,
    SEEN,
    comparable,
    entry,
    failed,
    other_changes,
    runs,
    streamed,
    tables,
)

from monitor.model import (
    HistorySettings,
    OperatorRequest,
    RequestKind,
    Resolution,
    RunRecord,
    Snapshot,
    Spend,
)
from monitor.store import Reader, rollup_job, schema, small_tables
from monitor.store.retention import RowSteps, drop_oldest, prune_step
from monitor.store.run_rows import HOUR_MS, Ids, millis
from monitor.store.transaction import Change, Done, WriteSet, write

ROOM = Path(__file__).parents[2] / "monitor" / "store"
END = NOON + timedelta(days=3)


@dataclass
class Life:
    """One history, told to one database."""

    url: str
    engine: Engine
    ids: Ids = field(default_factory=Ids)

    def say(self, work: Callable[[Connection], Any]) -> Any:
        with self.engine.begin() as connection:
            return work(connection)

    def write(self, *items: RunRecord | Change, crowded: bool = False) -> None:
        wanted = WriteSet.of(items)
        self.say(lambda c: write(c, self.ids, wanted, END, vantage="local", crowded=crowded))

    def live(self) -> None:
        assert self.say(schema.check_version)
        self.write(*runs(NOON, 200), Change(values=(("last_seen", NOON.isoformat()),)))
        for number in range(7):
            at = NOON + timedelta(hours=number, seconds=7)
            self.write(
                entry(
                    failed(at, message=f"got “{number}” 你好"),
                    evidence=SEEN,
                    habit=HABIT,
                    **other_changes(number),
                )
            )
        self.write(*runs(NOON, 3), crowded=True)
        while self.say(lambda c: rollup_job.roll_next(c, millis(END) // HOUR_MS * HOUR_MS)):
            pass
        self.ids.forget()
        self.write(entry(streamed(NOON + timedelta(minutes=1))))  # late: it is added to its hour
        message = self.say(lambda c: small_tables.pending(c, "local"))[0][0]
        self.write(
            Change(
                done=(Done(message.id, END, "no such chat"),),
                spent=(("a", END.date(), Spend(9, 0.5)),),
            )
        )
        for what, until in ASKED:
            request = OperatorRequest(at=NOON, what=what, target="a", until=until, text="“why”")
            self.say(lambda c, request=request: small_tables.add_request(c, request))
        first = self.say(small_tables.requests)[0]
        self.say(lambda c: small_tables.finish_requests(c, [first.id], END))

    def forget(self) -> None:
        kept = HistorySettings(
            raw=timedelta(days=2), hours=timedelta(days=1), evidence=timedelta(days=1)
        )
        while self.say(lambda c: prune_step(c, END, kept, RowSteps())):
            pass

    def answers(self) -> dict[str, object]:
        with closing(Reader(self.url, vantage="local")) as reader:
            return self._answers(reader)

    def _answers(self, reader: Reader) -> dict[str, object]:
        return {
            "restart": reader.restart_state(END),
            "snapshot": plain(reader.snapshot(END)),
            "known": reader.checks(),
            "latest": sorted(reader.latest(), key=lambda result: result.check),
            "results": [*reader.each_result()],
            "counted": [*reader.each_counted(CHAT)],
            "evidence": [*reader.each_evidence()],
            "hours": [*reader.each_period(Resolution.HOUR, since=NOON)],
            "days": [*reader.each_period(Resolution.DAY)],
            "one": reader.incident(1),
            "some": reader.incidents(since=NOON, until=END, limit=2),
            "dead": self.say(lambda c: small_tables.dead(c, "local", NOON)),
            "outbox": reader.outbox(),
            "requests": reader.requests(),
            "silences": reader.silences(NOON),
            "announcements": reader.announcements(NOON),
            "seen": reader.note("last_seen"),
        }


ASKED = [
    (RequestKind.SILENCE, END + timedelta(days=900)),
    (RequestKind.ACK, None),
    (RequestKind.ANNOUNCE, None),
    (RequestKind.SILENCE, NOON - timedelta(days=900)),
]


def plain(snapshot: Snapshot) -> Snapshot:
    return replace(
        snapshot, checks={key: comparable(each) for key, each in snapshot.checks.items()}
    )


@pytest.mark.slow
def test_the_same_life_gives_the_same_answers_on_postgresql(tmp_path: Path, server: Server) -> None:
    urls = f"sqlite:///{tmp_path / 'm.db'}", server.fresh()
    with tables(urls[0]) as here, tables(urls[1]) as there:
        lives = [Life(url, engine) for url, engine in zip(urls, (here, there), strict=True)]
        for life in lives:
            life.live()
        for phase in ("before", "after", "without runs"):
            sqlite, postgresql = (life.answers() for life in lives)
            for question, answer in sqlite.items():
                assert postgresql[question] == answer, (phase, question)
            for life in lives:
                life.forget() if phase == "before" else life.say(
                    lambda c: drop_oldest(c, RowSteps())
                )
        taken = [life.say(lambda c: small_tables.take_over(c, "fra")) for life in lives]
        assert taken == [{"local": NOON.isoformat()}] * 2
        [here_told, there_told] = [
            life.say(
                lambda c: (small_tables.dead(c, "fra", NOON), small_tables.incidents(c, "fra"))
            )
            for life in lives
        ]
        assert here_told == there_told
        assert all(here_told)


def test_nothing_of_postgresql_is_imported_for_a_store_in_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from monitor.clock import SystemClock; from monitor.store import Store\n"
        "Store(sys.argv[1], clock=SystemClock()).open()\n"
        "ours = ('psycopg', 'monitor.store.postgresql')\n"
        "print([name for name in sys.modules if name == ours[0] or name.startswith(ours[1])])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{tmp_path}/m.db"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_what_only_sqlite_has_stands_in_one_folder() -> None:
    only = re.compile(r"\bsqlite3\b|PRAGMA|json_extract|INSERT OR|typeof", re.IGNORECASE)
    files = [*ROOM.glob("*.py"), *(ROOM / "postgresql").glob("*.py")]
    naming = {path.name for path in files if any(only.search(line) for line in code(path))}
    assert naming == set(), "confine it, or find what both databases do"


def test_what_only_postgresql_has_stands_in_one_folder() -> None:
    only = re.compile(r"psycopg|SQLSTATE|\bpg_\w|RANGE \(|PARTITION|advisory|set_config")
    files = [*ROOM.glob("*.py"), *(ROOM / "sqlite").glob("*.py")]
    naming = {path.name for path in files if any(only.search(line) for line in code(path))}
    assert naming == {
        "engines.py",
        "schema.py",
    }  # which engine it is, and how its tables are parted


def test_few_lines_ask_which_engine_it_is() -> None:
    """Its name in a URL, the one way to insert rows that differs, and the list of commits that a standby follows."""
    asking = re.compile(r"dialect\.name|postgresql://")
    lines = [line for path in ROOM.glob("*.py") for line in code(path) if asking.search(line)]
    assert len(lines) <= 5


def code(path: Path) -> list[str]:
    """Without docstrings and comments."""
    bare = re.sub(r'^ *"""(?:.|\n)*?"""', "", path.read_text(), flags=re.MULTILINE)
    return [line.split("#")[0] for line in bare.splitlines()]
