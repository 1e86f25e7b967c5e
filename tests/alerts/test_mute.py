"""What is not told, why not, and what is told afterwards."""

from dataclasses import replace
from datetime import timedelta

from alerts_cast import PHONE, START, Night
from timelines import result

from monitor.alerts.mute import Muted, Quiet
from monitor.model import (
    ALL,
    AlertSettings,
    EntryKind,
    FailureKind,
    Incident,
    Maintenance,
    MaintenanceWindow,
    Mute,
    NotificationType,
    Silence,
)

WORK = Maintenance(
    id="move",
    title="Moving house",
    endpoints=frozenset({"s/a"}),
    once=MaintenanceWindow(START, START + timedelta(hours=1)),
)


def planned() -> Night:
    return Night(settings=AlertSettings(maintenance=(WORK,)))


def entries(incident: Incident) -> list[str]:
    return [f"{entry.what.value} {entry.text}".strip() for entry in incident.timeline]


def silence(night: Night, target: str, **time: float) -> None:
    until = night.now + timedelta(**time)
    asked = Silence(target=target, since=night.now, until=until, why="I know")
    night.keep(night.alerts.silence(asked, night.now))


def test_in_maintenance_nobody_is_told_and_the_reason_is_kept() -> None:
    night = planned()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=5)
    night.see("s/a/chat", times=2)
    night.later(hours=2)

    assert night.messages == []
    assert entries(night.incidents[1]) == [
        "opened got bad_gateway",
        "muted maintenance: Moving house",
        "resolved",
    ]


def test_what_is_still_bad_when_maintenance_ends_is_told_then() -> None:
    night = planned()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=5)
    night.later(minutes=59)
    assert night.messages == []
    night.later(minutes=1)
    night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]


def test_what_is_in_maintenance_hides_nothing_else() -> None:
    night = planned()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == ["opened #2 down to phone"]


def test_an_outage_that_was_told_before_is_not_reminded_of_in_maintenance_but_after_it() -> None:
    work = replace(
        WORK, once=MaintenanceWindow(START + timedelta(hours=1), START + timedelta(hours=9))
    )
    night = Night(settings=AlertSettings(maintenance=(work,)))
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    for _ in range(9 * 4):
        night.later(minutes=15)
    assert night.messages == ["opened #1 down to phone", "reminder #1 down to phone"]
    assert [entry.what for entry in night.incidents[1].timeline] == [
        EntryKind.OPENED,
        EntryKind.MUTED,
        EntryKind.REMINDED,
    ]


def test_results_in_maintenance_are_known_as_such() -> None:
    night = planned()
    assert night.alerts.in_maintenance("s/a/chat", START) == WORK
    assert night.alerts.in_maintenance("s/b/chat", START) is None
    assert night.alerts.in_maintenance("s/a/chat", START + timedelta(hours=1)) is None


def test_a_silence_mutes_what_it_covers_until_it_ends() -> None:
    night = Night()
    silence(night, "s/a", hours=2)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == ["opened #2 down to phone"]
    assert entries(night.incidents[1])[1] == "muted silenced until 2026-11-24 14:00 UTC: I know"

    night.later(hours=2)
    assert night.messages == ["opened #2 down to phone", "opened #1 down to phone"]


def test_a_silence_that_is_taken_back_is_over_at_once() -> None:
    night = Night()
    silence(night, ALL, hours=2)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    silence(night, ALL, hours=0)
    assert night.messages == ["opened #1 down to phone"]


def test_the_end_of_what_was_told_is_told_in_spite_of_a_silence() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    silence(night, "s", hours=2)
    night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]


def test_who_acknowledges_is_not_reminded_and_hears_of_the_end() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.keep(night.alerts.ack(1, night.now, "on it"))
    night.keep(night.alerts.ack(1, night.now, "on it"))
    night.later(hours=30)
    night.restart()
    night.later(hours=30)
    night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]
    assert entries(night.incidents[1]) == ["opened got bad_gateway", "acked on it", "resolved"]


def test_a_note_stands_in_the_timeline_once_also_of_an_incident_that_is_over() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", times=2)
    old = replace(night.incidents[1], id=77)
    for _ in range(2):
        night.keep(night.alerts.note(1, night.now, "a cable"))
    assert entries(night.incidents[1])[-1] == "note a cable"
    assert len(night.incidents[1].timeline) == 3

    night.keep(night.alerts.note(77, night.now, "long ago", old))
    assert entries(night.incidents[77])[-1] == "note long ago"
    assert night.alerts.note(78, night.now, "nothing").incidents == ()


def flap(night: Night, times: int) -> None:
    for _ in range(times):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
        night.see("s/a/chat", times=2)
        night.later(minutes=4)


def test_the_fourth_incident_within_an_hour_is_told_as_flapping_and_the_next_are_not() -> None:
    night = Night()
    flap(night, 3)
    assert [message.split(" ")[0] for message in night.messages] == ["opened", "resolved"] * 3
    night.messages.clear()
    flap(night, 5)
    assert night.messages == ["flapping #4 down to phone"]
    assert [night.incidents[n].muted for n in range(4, 9)] == [Mute.FLAPPING] * 5

    night.later(minutes=30)
    assert night.messages == ["flapping #4 down to phone", "calm #8 down to phone"]
    series = night.incidents[8].series
    assert series is not None
    assert (series.incidents, series.since, series.downtime) == (8, START, timedelta(seconds=24))
    assert series.failed_runs == {"bad_gateway": 24}

    night.messages.clear()
    night.later(hours=1)
    flap(night, 1)
    assert night.messages == ["opened #9 down to phone", "resolved #9 down to phone"]


def test_flapping_survives_restarts() -> None:
    night = Night()
    for _ in range(8):
        flap(night, 1)
        night.restart()
    night.later(minutes=30)
    assert [message.split(" ")[0] for message in night.messages] == [
        *["opened", "resolved"] * 3,
        "flapping",
        "calm",
    ]


def test_flapping_that_ends_bad_is_told_as_bad() -> None:
    night = Night()
    flap(night, 6)
    night.messages.clear()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=31)
    night.see("s/a/chat", times=2)
    night.later(minutes=31)
    assert night.messages == ["opened #7 down to phone", "resolved #7 down to phone"]


def test_one_that_flaps_hides_no_other_that_breaks_with_it_and_both_are_told_as_one() -> None:
    night = Night()
    flap(night, 5)
    night.messages.clear()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == ["opened #6 down to phone"]
    assert night.incidents[6].checks == ("s/a/chat", "s/b/chat")

    night.later(minutes=31)
    night.see("s/a/chat", times=2)
    night.see("s/b/chat", times=2)
    night.later(minutes=31)
    assert night.messages == ["opened #6 down to phone", "resolved #6 down to phone"]


def test_one_that_flaps_breaks_with_others_and_is_part_of_their_message() -> None:
    night = Night()
    flap(night, 5)
    night.messages.clear()
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=31)
    assert night.messages == ["opened #6 down to phone"]
    assert night.incidents[6].checks == ("s/b/chat", "s/a/chat")


def test_one_that_flaps_alone_long_after_others_broke_is_told_by_itself() -> None:
    night = Night()
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=10)
    flap(night, 5)
    assert [message.split(" ")[0] for message in night.messages] == [
        "opened",
        *["opened", "resolved"] * 3,
        "flapping",
    ]


def test_maintenance_is_no_flapping() -> None:
    night = Night()
    for _ in range(6):
        silence(night, "s", minutes=5)
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
        night.see("s/a/chat", times=2)
    assert night.messages == []
    night.later(minutes=10)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == ["opened #7 down to phone"]


def test_who_was_told_of_one_base_url_hears_once_that_more_have_followed() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=1)
    for endpoint in "bcd":
        night.see(f"s/{endpoint}/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=3)
    assert night.messages == ["opened #1 down to phone"]
    night.later(minutes=1)
    night.later(minutes=9)
    assert night.messages == ["opened #1 down to phone", "update #1 down to phone"]


def test_what_breaks_in_the_same_half_minute_is_in_the_first_message() -> None:
    night = Night()
    for endpoint in "abcd":
        night.see(f"s/{endpoint}/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=20)
    assert night.messages == ["opened #1 down to phone"]


def waits(night: Night, services: str) -> set[float]:
    """How long the last one's message waits for others, in seconds."""
    for service in services:
        night.see(f"{service}/a/chat", FailureKind.BAD_GATEWAY, times=2)
    found = set()
    for service in services:
        for _ in range(3):
            changes = night.alerts.judge(result(f"{service}/a/chat", "D", night.now))
            found |= {(r.not_before - r.created).total_seconds() for r in changes.outgoing}
    return found


def test_news_waits_half_a_minute_for_more_and_a_minute_in_a_storm() -> None:
    assert waits(Night(), "ab") == {30}
    assert waits(Night(), "abcdef") == {60}
    assert waits(Night(settings=AlertSettings(wait=timedelta(0))), "ab") == {0}


def test_reminders_and_what_is_told_at_last_wait_for_nothing() -> None:
    night = planned()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    rows = night.alerts.remind(START + timedelta(hours=1)).outgoing
    rows += night.alerts.remind(START + timedelta(hours=5)).outgoing
    assert [row.what for row in rows] == [NotificationType.OPENED, NotificationType.REMINDER]
    assert all(row.not_before == row.created for row in rows)
    assert PHONE.id == rows[0].channel


def test_a_silence_says_until_when_and_why_if_somebody_said_so() -> None:
    hour = Silence(target="s/a", since=START, until=START + timedelta(hours=1))
    quiet = Quiet(silences=(hour,))
    assert quiet.reason("s/a/chat", START) == Muted(
        Mute.SILENCE, "silenced until 2026-11-24 13:00 UTC"
    )
    quiet = quiet.silenced(replace(hour, why="moving"), START)
    assert quiet.reason("s/a/chat", START) == Muted(
        Mute.SILENCE, "silenced until 2026-11-24 13:00 UTC: moving"
    )
    assert quiet.reason("s/b/chat", START) is None
    assert quiet.silenced(replace(hour, until=START), START).silences == ()


def test_a_silence_holds_from_its_first_moment_until_just_before_its_last() -> None:
    hour = Silence(target=ALL, since=START, until=START + timedelta(hours=1))
    second = timedelta(seconds=1)
    moments = (START - second, START, hour.until - second, hour.until)
    assert [hour.holds(at) for at in moments] == [False, True, True, False]


def test_an_incident_is_muted_only_where_each_of_its_checks_is() -> None:
    night = Night()
    for endpoint in "ab":
        night.see(f"s/{endpoint}/chat", FailureKind.BAD_GATEWAY, times=3)
    both, until = night.incidents[1], START + timedelta(hours=1)
    one = Quiet(silences=(Silence(target="s/a", since=START, until=until),))
    two = Quiet(silences=(*one.silences, Silence(target="s/b", since=START, until=until, why="b")))
    assert one.reason_for_all(both, START) is None
    assert two.reason_for_all(both, START) == one.reason("s/a/chat", START)
    assert two.reason_for_all(replace(both, active=frozenset()), START) is None


def test_what_is_muted_does_not_join_what_people_were_told_of() -> None:
    night = planned()
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == ["opened #1 down to phone"]
    assert [night.incidents[n].checks for n in (1, 2)] == [("s/b/chat",), ("s/a/chat",)]
    assert night.incidents[2].muted is Mute.MAINTENANCE


def test_a_note_is_kept_where_time_or_words_differ_and_while_the_incident_lives() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    for second, text in ((0, "one"), (0, "two"), (1, "one"), (1, "one")):
        night.keep(night.alerts.note(1, night.now + timedelta(seconds=second), text))
    night.see("s/a/chat", times=2)
    night.keep(night.alerts.note(1, night.now, "over"))
    night.keep(night.alerts.note(1, night.now + timedelta(seconds=1), "really"))
    assert entries(night.incidents[1])[1:] == [
        "note one",
        "note two",
        "note one",
        "resolved",
        "note over",
        "note really",
    ]


def test_a_note_to_what_is_long_over_opens_nothing_and_is_not_held() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    old = replace(night.incidents[1], id=77)
    for text in ("one", "two"):
        (noted,) = night.alerts.note(77, night.now, text, old).incidents
        assert entries(noted)[1:] == [f"note {text}"]
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.alerts.summary == "1 open incidents"


def test_base_urls_of_two_services_come_and_go_each_on_its_own() -> None:
    night = Night()
    for _ in range(5):
        for service in "st":
            night.see(f"{service}/a/chat", FailureKind.BAD_GATEWAY, times=3)
            night.see(f"{service}/a/chat", times=2)
        night.later(minutes=4)
    said = [message.split(" ")[0] for message in night.messages]
    assert said == [*["opened", "resolved"] * 6, "flapping", "flapping"]
    night.later(minutes=40)
    assert [message.split(" ")[0] for message in night.messages[14:]] == ["calm", "calm"]


def test_an_incident_that_comes_and_goes_says_so_and_hands_its_series_on() -> None:
    night = Night()
    flap(night, 6)
    told, silent = night.incidents[4], night.incidents[5]
    assert (told.announced, silent.announced) == (False, False)
    assert entries(told)[1:] == ["muted it comes and goes", "resolved"]
    assert entries(silent)[1:] == ["muted it comes and goes", "resolved"]
    assert told.timeline[1].at == told.opened + timedelta(seconds=2)
    assert [night.incidents[n].series is not None for n in range(1, 7)] == [False] * 3 + [True] * 3
    ended = [incident.series.ended for incident in night.incidents.values() if incident.series]
    assert ended == [
        night.incidents[5].opened + timedelta(seconds=2),
        night.incidents[6].opened + timedelta(seconds=2),
        None,
    ]


def test_what_outlasts_its_series_is_not_added_to_it() -> None:
    night = Night()
    flap(night, 5)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=31)
    before = night.incidents[6].series
    night.see("s/a/chat", times=2)
    assert before is not None
    assert night.incidents[6].series == before
