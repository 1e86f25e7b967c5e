"""Hours and days are what the raw rows say, however those came: in order, late, in any batches."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, select
from store_cast import NOON, entry, failed, streamed, tables

from monitor.model import Rollup
from monitor.model.rollup import merge
from monitor.store import rollup_job
from monitor.store.histogram import Sum, rollup_of
from monitor.store.rollup_job import roll_next, sum_from
from monitor.store.run_rows import COUNTED_RUNS, HOUR_MS, Ids, millis
from monitor.store.schema import DAYS, HOURS
from monitor.store.transaction import WriteSet, write

minutes = st.integers(0, 48 * 60 - 1)
runs = st.lists(st.tuples(minutes, st.booleans(), st.booleans()), min_size=1, max_size=30)


@settings(deadline=None, max_examples=10)
@given(batches=st.lists(runs, min_size=1, max_size=4), rolled_between=st.booleans())
@example(batches=[[(36 * 60, False, False)], [(0, False, False)]], rolled_between=False)
@example(batches=[[(36 * 60, False, False)], [(0, False, False)]], rolled_between=True)
def test_rollups_are_what_the_raw_rows_say_however_those_came(
    fresh_url: Callable[[], str],
    batches: list[list[tuple[int, bool, bool]]],
    *,
    rolled_between: bool,
) -> None:
    now, ids = NOON + timedelta(hours=50), Ids()
    expected: dict[int, Rollup] = defaultdict(Rollup)
    with tables(fresh_url()) as engine:
        for number, batch in enumerate(batches):
            given_now = [
                entry(
                    (streamed if good else failed)(NOON + timedelta(minutes=minute)),
                    in_maintenance=muted,
                    missed=minute % 3,
                )
                for minute, good, muted in batch
            ]
            for run in given_now:
                share = Rollup.of(run.result, in_maintenance=run.in_maintenance)
                hour = millis(run.result.at) // HOUR_MS
                expected[hour] |= replace(share, missed=run.missed)
            with engine.begin() as connection:
                write(connection, ids, WriteSet.of(given_now), now, vantage="local", crowded=True)
            if rolled_between or number == len(batches) - 1:
                roll(engine.begin, millis(now))
                ids.forget()
        with engine.begin() as connection:
            assert stored(connection, HOURS) == expected
            assert stored(connection, DAYS) == {
                day: merge(run for hour, run in expected.items() if hour // 24 == day)
                for day in {hour // 24 for hour in expected}
            }
            again = defaultdict(list)
            for at, _, *counted in connection.execute(COUNTED_RUNS):
                again[at // HOUR_MS].append(counted)
            assert {hour: Sum.of_rows(rows).rollup for hour, rows in again.items()} == expected


def roll(begin, before: int) -> None:  # noqa: ANN001
    more = True
    while more:
        with begin() as connection:
            more = roll_next(connection, before // HOUR_MS * HOUR_MS)


def stored(connection: Connection, table: Table) -> dict[int, Rollup]:
    return {row.period: rollup_of([sum_from(row)]) for row in connection.execute(select(table))}


def test_many_checks_are_rolled_up_in_several_transactions(url: str) -> None:
    count = 2 * rollup_job._AT_ONCE + 1
    given_runs = [entry(streamed(check=f"a/e{number}/chat")) for number in range(count)]
    with tables(url) as engine:
        with engine.begin() as connection:
            write(connection, Ids(), WriteSet.of(given_runs), NOON, vantage="local")
        steps, more = 0, True
        while more:
            with engine.begin() as connection:
                more = roll_next(connection, millis(NOON + timedelta(hours=1)))
                steps += more
        with engine.begin() as connection:
            rows = connection.execute(select(HOURS.c.up)).scalars().all()
    assert (steps, rows) == (3, [1] * count)
