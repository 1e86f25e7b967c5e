"""Hours and days are what the raw rows say, however those came: in order, late, in any batches."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from store_cast import NOON, entry, failed, streamed

from monitor.model.rollup import merge
from monitor.store import fold, migrations
from monitor.store.batch import gather, write
from monitor.store.engine import writing
from monitor.store.names import Names
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import DAYS, HOURS, NUMBER_BITS
from monitor.store.tally import Tally, from_bytes
from monitor.store.times import hour_of_key, hours

minutes = st.integers(0, 48 * 60 - 1)
runs = st.lists(st.tuples(minutes, st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=25)
@given(batches=st.lists(runs, min_size=1, max_size=4), rolled_between=st.booleans())
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
            expected: dict[int, Tally] = {}
            for key, body in rows_between(connection, 0, None):
                tally = expected.setdefault(hour_of_key(key), Tally())
                tally.add_run(read_run(connection, names, key, body))
            stored = {
                table: {
                    key >> NUMBER_BITS: from_bytes(body)
                    for key, body in connection.execute(select(table.c.key, table.c.body))
                }
                for table in (HOURS, DAYS)
            }
        engine.dispose()
    hourly = {hour: tally.rollup() for hour, tally in expected.items()}
    assert stored[HOURS] == hourly
    assert stored[DAYS] == {
        day: merge(rollup for hour, rollup in hourly.items() if hour // 24 == day)
        for day in {hour // 24 for hour in hourly}
    }
