"""What is recorded is remembered, whole, and rollups are what the results say."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, NOON, entry, failed, in_a_file, opened, streamed, told

from monitor.clock import Clock
from monitor.model import NewerSchemaError, NotificationType, OutboxMessage, Rollup, Severity
from monitor.model.rollup import WINDOW_FIGURES, merge
from monitor.store import Store


async def test_what_was_recorded_is_read_back_by_the_next_daemon(url: str, clock: Clock) -> None:
    given = (streamed(), failed(NOON + timedelta(seconds=30)))
    async with opened(url, clock) as store:
        for result in given:
            store.record(entry(result))
    async with opened(url, clock) as store:
        assert await store.results(CHAT, since=NOON) == given
        assert store.recall().last_asked == {CHAT: given[1].at}


async def test_two_runs_in_one_millisecond_are_two_results(store: Store, clock: Clock) -> None:
    store.record(entry(streamed()))
    store.record(entry(streamed()))
    await store.flush()
    results = await store.results(CHAT, since=NOON)
    assert [result.at - NOON for result in results] == [timedelta(0), timedelta(milliseconds=1)]


async def test_rollups_are_what_the_results_say_also_for_late_ones(
    store: Store, clock: Clock
) -> None:
    given = [streamed(NOON + timedelta(minutes=7) * step) for step in range(40)]
    for result in given[:10] + given[11:]:
        store.record(entry(result))
    clock.tick(5 * 3600)
    await store.flush()
    store.record(entry(given[10]))
    await store.flush()
    history = (await store.snapshot(clock.now())).checks[CHAT]
    assert [*history.days] == [NOON.date()]
    whole = merge(map(Rollup.of, given))
    assert history.days[NOON.date()] == Rollup(outcomes=whole.outcomes)
    assert history.last_24h == whole
    shown = {name: figure for name, figure in whole.figures.items() if name in WINDOW_FIGURES}
    assert history.windows[7] == replace(whole, figures=shown)


async def test_a_message_is_due_until_it_is_sent(url: str, clock: Clock) -> None:
    notice = OutboxMessage(
        channel="telegram",
        what=NotificationType.NOTICE,
        severity=Severity.MONITOR,
        incident=None,
        created=NOON,
        not_before=NOON,
        text="hello",
    )
    async with opened(url, clock) as store:
        await store.save(outgoing=(notice,))
    async with opened(url, clock) as store:
        (due,) = await store.due(NOON)
        assert (due.id, due.text) == (1, "hello")
        store.sent(due.id, NOON)
    async with opened(url, clock) as store:
        assert await store.due(NOON) == ()


async def test_a_store_of_a_newer_version_is_refused(url: str, clock: Clock) -> None:
    async with opened(url, clock):
        pass
    told(url, "UPDATE key_value SET value = '99' WHERE name = 'schema'")
    with pytest.raises(NewerSchemaError, match="install the newer version"):
        Store(url, clock=clock).open()


@in_a_file
async def test_a_damaged_store_is_kept_and_a_fresh_one_begun(
    url: str, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "monitor.db").write_bytes(b"no database" * 1000)
    async with opened(url, clock) as store:
        assert "kept as monitor.db.corrupt-20261124T120000Z" in store.notes[0]
    assert (tmp_path / "monitor.db.corrupt-20261124T120000Z").read_bytes()[:11] == b"no database"


async def test_a_reader_looks_on_beside_the_writer(store: Store, url: str, clock: Clock) -> None:
    store.record(entry(streamed()))
    await store.flush()
    reader = Store.read_only(url)
    assert reader.snapshot(clock.now()).checks[CHAT].latest == streamed()
    reader.close()


async def test_after_the_clock_was_set_back_the_last_half_hour_is_that_of_the_new_time(
    store: Store, clock: HandClock
) -> None:
    old, new = NOON - timedelta(minutes=70), NOON - timedelta(minutes=61)
    for result in (streamed(old), streamed(NOON)):
        store.record(entry(result))
    await store.flush()
    await store.snapshot(clock.now())
    clock.step(-3600)
    store.record(entry(streamed(new)))
    await store.flush()
    recent = (await store.snapshot(clock.now())).checks[CHAT].recent
    assert [result.at for result in recent] == [old, new, NOON]


async def test_it_tells_when_memory_has_been_filled_from_the_file(
    store: Store, clock: HandClock
) -> None:
    await store.snapshot(clock.now())
    filled: list[str] = []
    store.on_load = lambda: filled.append("again")
    await store.snapshot(clock.now())
    assert filled == []
    clock.tick(86_400)
    await store.snapshot(clock.now())
    assert filled == ["again"]
