"""A channel that waits hears of what lasts and nobody took up, and then hears its end."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

from alerts_cast import PHONE, START, Watch, histories
from hypothesis import given

from monitor.alerts import routing
from monitor.model import (
    AlertSettings,
    Channel,
    FailureKind,
    Maintenance,
    MaintenanceWindow,
    Notice,
    NotificationType,
    OutboxMessage,
    Secret,
    Severity,
)

QUARTER = timedelta(minutes=15)
BOSS = Channel(id="boss", url=Secret("json://127.0.0.1"), escalate_after=QUARTER)
DOWN, OPENED, RESOLVED = FailureKind.BAD_GATEWAY, NotificationType.OPENED, NotificationType.RESOLVED


def test_what_lasts_and_nobody_acknowledged_is_told_to_who_waits_and_so_is_its_end() -> None:
    watch = Watch(BOSS)
    watch.bad("a")
    watch.wait(14.5)
    assert watch.told == ["opened to phone"]
    watch.wait(1)
    assert watch.told == ["opened to phone", "opened to boss"]
    watch.good("a")
    watch.wait(60)
    assert watch.told[2:] == ["resolved to phone", "resolved to boss"]


def test_who_comes_or_need_not_wait_any_more_in_the_middle_hears_no_end_without_a_begin() -> None:
    watch = Watch(BOSS)
    watch.bad("a")
    watch.wait(1)
    at_once = replace(BOSS, escalate_after=None)
    late = Channel(id="late", url=Secret("json://127.0.0.1"))
    watch.alerts.change(watch.settings, (PHONE, at_once, late))
    watch.good("a")
    watch.wait(60)
    assert watch.told == ["opened to phone", "resolved to phone"]


def test_who_comes_in_the_middle_and_is_reminded_hears_the_end() -> None:
    watch = Watch(settings=AlertSettings(after=1, remind=timedelta(hours=1)))
    watch.bad("a")
    late = Channel(id="late", url=Secret("json://127.0.0.1"))
    watch.alerts.change(watch.settings, (PHONE, late))
    watch.wait(61)
    watch.good("a")
    watch.wait(1)
    assert watch.told[1:] == [
        f"{what} to {channel}" for what in ("reminder", "resolved") for channel in ("phone", "late")
    ]


def test_what_was_acknowledged_or_over_in_time_never_reaches_who_waits() -> None:
    acked, short = Watch(BOSS), Watch(BOSS)
    for watch in (acked, short):
        watch.bad("a")
        watch.wait(14)
    acked.ack(1)
    short.good("a")
    for watch in (acked, short):
        watch.wait(30)
        watch.good("a")
        assert watch.to("boss") == []


def test_who_waited_hears_reminders_and_the_end_over_a_restart_and_other_settings() -> None:
    watch = Watch(BOSS, settings=AlertSettings(after=1, remind=timedelta(hours=1)))
    watch.bad("a")
    watch.wait(16)
    watch.restart()
    watch.wait(45)
    assert watch.told[2:] == ["reminder to phone", "reminder to boss"]
    slower = replace(BOSS, escalate_after=timedelta(days=1), only=frozenset({Severity.ACCOUNT}))
    watch.alerts.change(watch.settings, (replace(PHONE, escalate_after=QUARTER), slower))
    watch.good("a")
    assert watch.told[4:] == ["resolved to phone", "resolved to boss"]


def test_a_mute_holds_escalation_back_and_it_counts_anew_from_the_reminder() -> None:
    watch = Watch(BOSS)
    watch.bad("a")
    watch.silence(60)
    watch.wait(61)
    assert watch.told == ["opened to phone", "reminder to phone"]
    watch.wait(13)
    assert watch.to("boss") == []
    watch.wait(2)
    assert watch.told[2:] == ["opened to boss"]


def test_notices_about_the_monitor_reach_who_waits_only_where_nobody_else_is_left() -> None:
    def told(*channels: Channel, but: frozenset[str] = frozenset()) -> list[str]:
        return [row.channel for row in routing.notices(channels, Notice("text", but=but), START)]

    assert told(PHONE, BOSS) == ["phone"]
    assert told(PHONE, BOSS, but=frozenset({"phone"})) == ["boss"]
    assert told(BOSS) == ["boss"]


HOURS = timedelta(hours=1)
PLANNED = Maintenance(
    id="m",
    title="Maintenance",
    endpoints=frozenset({"s/b"}),
    once=MaintenanceWindow(START + HOURS, START + 2 * HOURS),
)


@given(histories)
def test_who_waits_hears_of_each_beginning_once_with_its_end_and_of_nothing_taken_up_in_time(
    history: list[tuple[str, object]],
) -> None:
    watch = Watch(BOSS, settings=AlertSettings(after=1, maintenance=(PLANNED,)))
    watch.live([("bad", "a"), *history, ("wait", 16), ("good", "a"), ("good", "b")])

    first = {row.incident: row.created for row in watch.to("phone") if row.what is OPENED}
    by_incident: dict[int, list[OutboxMessage]] = defaultdict(list)
    for row in watch.to("boss"):
        by_incident[row.incident or 0].append(row)
    for number, rows in by_incident.items():
        whats, begun = [row.what for row in rows], rows[0].created
        assert (whats[0], whats[-1]) == (OPENED, RESOLVED)
        assert (whats.count(OPENED), whats.count(RESOLVED)) == (1, 1)
        assert begun >= first[number] + QUARTER
        assert watch.acked.get(number, begun) >= begun
