"""Room to grow: whatever the store says to SQLite, a real PostgreSQL understands, with the same answers.

What only SQLite has (the file, its journal, its pages) is confined to the few files that say so.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postgres import postgres
from sqlalchemy import Connection, Engine
from store_cast import NOON, entry, failed, streamed, told
from test_store_keeps import HABIT, SEEN
from test_store_unwritten import comparable, runs

from monitor.model import (
    HistorySettings,
    OutboxMessage,
    Period,
    RequestKind,
    Resolution,
    RunRecord,
    Snapshot,
    Spend,
)
from monitor.store import find, fold, history, migrations, periods, requests
from monitor.store.batch import Change, Done, gather, write
from monitor.store.engine import writing
from monitor.store.look import Looker
from monitor.store.meta import read_meta
from monitor.store.names import Names
from monitor.store.prune import prune_step
from monitor.store.recall import recall
from monitor.store.times import hours, key_from

ROOM = Path(__file__).parents[2] / "monitor" / "store"
SQLITE_ALONE = {"engine.py", "pages.py", "salvage.py", "errors.py", "sql.py"}
END = NOON + timedelta(days=3)


@dataclass
class Life:
    """One history, told to one database."""

    engine: Engine
    names: Names = field(default_factory=Names)

    def say(self, work: Callable[[Connection], Any]) -> Any:
        with self.engine.begin() as connection:
            return work(connection)

    def write(self, *items: RunRecord | Change, now: datetime = END, crowded: bool = False) -> None:
        self.say(
            lambda c: write(c, self.names, gather(items), now, vantage="local", crowded=crowded)
        )

    def live(self) -> None:
        self.say(migrations.create)
        self.write(*runs(NOON, 200), Change(meta=(("last_seen", NOON.isoformat()),)))
        for number in range(7):
            at = NOON + timedelta(hours=number, seconds=7)
            self.write(entry(failed(at, message=f"got “{number}” 你好"), evidence=SEEN, habit=HABIT, **told(number)))  # fmt: skip
        self.write(*runs(NOON, 3), crowded=True)
        while self.say(lambda c: fold.roll_next(c, self.names, hours(END))):
            pass
        self.write(entry(streamed(NOON + timedelta(minutes=1))))  # late: its hour is made again
        message: OutboxMessage = self.say(find.pending)[0]
        self.write(
            Change(
                done=(Done(message.id, END, "no such chat"),),
                spent=(("a", END.date(), Spend(9, 0.5)),),
            )
        )
        self.say(lambda c: c.execute(requests.REQUESTS.insert(), ASKED))
        self.say(lambda c: requests.finish(c, [each.id for each in requests.waiting(c)][:1], END))

    def forget(self) -> None:
        kept = HistorySettings(
            raw=timedelta(days=2), hours=timedelta(days=1), evidence=timedelta(days=1)
        )
        while self.say(lambda c: prune_step(c, END, kept)):
            pass

    def answers(self) -> dict[str, object]:
        wanted = self.say(lambda c: history.numbers(c, None, None))
        start = key_from(NOON - timedelta(days=1))
        return {
            "memory": self.say(lambda c: recall(c, END, "local")),
            "snapshot": plain(self.say(lambda c: Looker(None).snapshot(c, END))),
            "known": self.say(lambda c: history.known(c, None)),
            "results": [*history.each_result(self.say, wanted, start, None)],
            "evidence": [*history.each_evidence(self.say, wanted, start, None)],
            "hours": self.periods(Resolution.HOUR, wanted),
            "days": self.periods(Resolution.DAY, wanted),
            "one": self.say(lambda c: find.incident(c, 1)),
            "some": self.say(lambda c: find.incidents(c, since=NOON, until=END, limit=2)),
            "dead": self.say(lambda c: find.dead(c, NOON)),
            "next": self.say(find.next_message),
            "requests": self.say(requests.waiting),
            "silences": self.say(lambda c: requests.silences(c, NOON)),
            "schema": self.say(lambda c: read_meta(c, "schema")),
        }  # fmt: skip

    def periods(self, resolution: Resolution, wanted: Any) -> list[Period]:
        found = periods.each_period(self.say, wanted, resolution, NOON, None)
        return [replace(each, rollup=figures(each.rollup)) for each in found]


ASKED = [
    {"at": 0, "what": what.value, "target": "a", "until": until, "text": "“why”", "done": None}
    for what, until in (
        (RequestKind.SILENCE, 1 << 51),
        (RequestKind.ACK, None),
        (RequestKind.SILENCE, 1),
    )
]


def figures(rollup: Any) -> Any:
    return replace(rollup, figures={name: dict(found) for name, found in rollup.figures.items()})


def plain(snapshot: Snapshot) -> Snapshot:
    return replace(
        snapshot, checks={key: comparable(each) for key, each in snapshot.checks.items()}
    )


@pytest.mark.slow
def test_the_same_life_gives_the_same_answers_on_postgresql(tmp_path: Path) -> None:
    with postgres() as there:
        here = writing(tmp_path / "m.db")
        lives = [Life(here), Life(there)]
        for life in lives:
            life.live()
        for phase in ("before", "after"):
            sqlite, postgresql = (life.answers() for life in lives)
            for question, answer in sqlite.items():
                assert postgresql[question] == answer, (phase, question)
            for life in lives:
                life.forget()
        here.dispose()


def test_what_only_sqlite_has_stands_in_few_files() -> None:
    only = re.compile(
        r"\bsqlite3?\b|PRAGMA|exec_driver_sql|json_extract|INSERT OR|rowid", re.IGNORECASE
    )
    found = {
        path.name for path in ROOM.glob("*.py") if any(only.search(line) for line in code(path))
    }
    assert found <= SQLITE_ALONE | {"tables.py"}, "confine it, or find what both databases do"
    named = [line.strip() for line in code(ROOM / "tables.py") if only.search(line)]
    assert all("with_variant" in line or "sqlite_where" in line or "sqlite_autoincrement" in line for line in named)  # fmt: skip


def code(path: Path) -> list[str]:
    """Without docstrings and comments."""
    bare = re.sub(r'"""(?:.|\n)*?"""', "", path.read_text())
    return [line.split("#")[0] for line in bare.splitlines()]
