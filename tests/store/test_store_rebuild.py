"""Hours and days are what the raw rows say, however those came: in order, late, in any batches."""

import tempfile
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from store_cast import CHAT, NOON, entry, failed, streamed
from test_store_past import anew, days_of
from test_store_past import stored as stored_pasts

from monitor.model import Resolution, Rollup
from monitor.model.rollup import merge
from monitor.store import Reader, fold, migrations
from monitor.store.batch import gather, write
from monitor.store.engine import writing
from monitor.store.names import Names
from monitor.store.rolled import from_bytes
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import DAYS, HOURS, NUMBER_BITS
from monitor.store.times import EPOCH, hour_of_key, hours

minutes = st.integers(0, 48 * 60 - 1)
runs = st.lists(st.tuples(minutes, st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=25)
@given(batches=st.lists(runs, min_size=1, max_size=4), rolled_between=st.booleans())
@example(batches=[[(36 * 60, False, False)], [(0, False, False)]], rolled_between=False)
def test_rollups_are_rebuilt_from_raw_rows_to_the_same_value(
    batches: list[list[tuple[int, bool, bool]]], *, rolled_between: bool
) -> None:
    now, names = NOON + timedelta(hours=50), Names()
    with tempfile.TemporaryDirectory() as folder:
        engine = writing(Path(folder) / "m.db")
        with engine.begin() as connection:
            migrations.create(connection)
        for batch in batches:
            given_now = [
                entry(
                    (streamed if good else failed)(NOON + timedelta(minutes=minute)),
                    in_maintenance=muted,
                    missed=minute % 3,
                )
                for minute, good, muted in batch
            ]
            with engine.begin() as connection:
                write(connection, names, gather(given_now), now, vantage="local", crowded=True)
            more = rolled_between
            while more:
                with engine.begin() as connection:
                    more = fold.roll_next(connection, names, hours(now))
        with engine.begin() as connection:
            while fold.roll_next(connection, names, hours(now)):
                pass
            expected: dict[int, Rollup] = defaultdict(Rollup)
            for key, body in rows_between(connection, 0, None):
                run = read_run(connection, names, key, body)
                one = Rollup.of(run.result, in_maintenance=run.in_maintenance)
                expected[hour_of_key(key)] |= replace(one, missed=run.missed)
            stored = {
                table: {
                    key >> NUMBER_BITS: from_bytes(body)
                    for key, body in connection.execute(select(table.c.key, table.c.body))
                }
                for table in (HOURS, DAYS)
            }
            assert stored_pasts(connection) == anew(days_of(connection), hours(now) // 24)
        engine.dispose()
        reader = Reader(f"sqlite:///{Path(folder) / 'm.db'}")
        asked = {period.at: period.rollup for period in reader.rollups(CHAT, Resolution.DAY)}
        reader.close()
    daily = {
        day: merge(rollup for hour, rollup in expected.items() if hour // 24 == day)
        for day in {hour // 24 for hour in expected}
    }
    assert stored[HOURS] == expected
    assert stored[DAYS] == {day: each for day, each in daily.items() if day < hours(now) // 24}
    assert asked == {EPOCH + day * timedelta(days=1): each for day, each in daily.items()}
