"""What a bad week brings all at once: names that are alike, settings that change under way."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from alerts_cast import PHONE, START, Night

from monitor.alerts import AlertChanges
from monitor.alerts.policies import FailureRate
from monitor.model import (
    AlertSettings,
    FailureKind,
    Maintenance,
    Mute,
    Recurrence,
    Secret,
    Severity,
    Silence,
)

HOUR = timedelta(hours=1)


def test_services_whose_base_urls_are_named_alike_have_nothing_in_common() -> None:
    night = Night()
    night.keep(night.alerts.silence(Silence(target="s/a", since=START, until=START + HOUR), START))
    for _ in range(3):
        for service in ("s", "s1", "s2"):
            night.see(f"{service}/a/chat", FailureKind.BAD_GATEWAY)

    assert night.messages == ["opened #2 down to phone", "opened #3 down to phone"]
    assert [(incident.service, incident.muted) for incident in night.incidents.values()] == [
        ("s", Mute.SILENCE),
        ("s1", None),
        ("s2", None),
    ]


def test_a_reload_while_something_is_suspected_keeps_the_suspicion() -> None:
    night = Night(after=5)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.alerts.change(AlertSettings(after=2), (PHONE,))
    assert (night.alerts.suspects("s/a/chat"), night.messages) == (True, [])

    night.see("s/a/chat", FailureKind.BAD_GATEWAY)
    assert night.messages == ["opened #1 down to phone"]
    assert (night.incidents[1].opened, night.incidents[1].failed_runs) == (
        START,
        {"bad_gateway": 4},
    )


def test_a_reload_that_asks_for_more_certainty_takes_back_nothing_that_was_told() -> None:
    night = Night(after=2)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=2)
    night.alerts.change(AlertSettings(after=9, recover=4), (PHONE,))
    night.see("s/a/chat", times=3)
    assert night.messages == ["opened #1 down to phone"]
    night.see("s/a/chat")
    assert night.messages == ["opened #1 down to phone", "resolved #1 down to phone"]


def test_a_policy_that_left_the_configuration_ends_its_incident() -> None:
    rate = FailureRate(at_least=2)
    night = Night(settings=AlertSettings(after=9, policies=(rate,)))
    for _ in range(3):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY)
        night.see("s/a/chat")
    assert night.messages == ["opened #1 degraded to phone"]

    night.alerts.change(AlertSettings(after=9), (PHONE,))
    night.keep(night.alerts.forget({"s/a/chat"}, night.now))
    night.see("s/a/chat", times=3)
    assert (night.messages, night.incidents[1].closed) == (
        ["opened #1 degraded to phone", "resolved #1 degraded to phone"],
        START + timedelta(seconds=6),
    )


def test_who_acknowledges_what_is_not_there_changes_nothing() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", times=2)
    for number in (-1, 0, 1, 99):
        assert night.alerts.ack(number, night.now) == AlertChanges()


def test_an_incident_that_began_and_ended_in_a_silence_is_told_to_nobody_and_kept() -> None:
    night = Night()
    night.keep(night.alerts.silence(Silence(target="*", since=START, until=START + HOUR), START))
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", times=2)
    night.later(hours=2)
    assert (night.messages, night.incidents[1].muted) == ([], Mute.SILENCE)


def test_a_channel_that_hears_of_no_beginning_hears_of_no_end() -> None:
    """Severity and service of an incident never change, so its channels are always the same."""
    chat = replace(PHONE, id="chat", only=frozenset({Severity.DEGRADED}))
    other = replace(PHONE, id="other", services=frozenset({"t"}))
    night = Night(channels=(PHONE, chat, other))
    night.see("s/a/chat", FailureKind.SLOW, times=5)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", times=2)
    told = {
        name: [said for said in night.messages if said.endswith(name)]
        for name in ("phone", "chat", "other")
    }
    assert told == {
        "phone": [
            "opened #1 degraded to phone",
            "opened #2 down to phone",
            "resolved #2 down to phone",
            "resolved #1 degraded to phone",
        ],
        "chat": ["opened #1 degraded to chat", "resolved #1 degraded to chat"],
        "other": [],
    }


def test_a_base_url_that_comes_and_goes_in_two_ways_hears_the_end_of_both() -> None:
    night = Night(settings=AlertSettings(after=1, recover=1))
    for kind, runs in ((FailureKind.BAD_GATEWAY, 1), (FailureKind.SLOW, 3)):
        for _ in range(5):
            night.see("s/a/chat", kind, times=runs)
            night.see("s/a/chat")
    assert [said for said in night.messages if "flapping" in said] == [
        "flapping #4 down to phone",
        "flapping #9 degraded to phone",
    ]
    night.later(minutes=31)
    assert sorted(said for said in night.messages if "calm" in said) == [
        "calm #10 degraded to phone",
        "calm #5 down to phone",
    ]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        # put forward on 29 March: 02:30 does not happen, an hour by any clock from 03:30 summer time
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, 29, tzinfo=UTC)),
        # put back on 25 October: 02:30 happens twice, the first one counts
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 29, tzinfo=UTC)),
    ],
    ids=["forward", "back"],
)
def test_maintenance_on_the_night_when_the_clocks_change(first: datetime, last: datetime) -> None:
    nightly = Maintenance(
        id="n", title="nightly", recurring=Recurrence(at=time(2, 30), zone=BERLIN, lasts=HOUR)
    )
    settings = AlertSettings(maintenance=(nightly,))
    for begins, muted in (
        (first - timedelta(minutes=2), None),
        (first, Mute.MAINTENANCE),
        (last - timedelta(minutes=1), Mute.MAINTENANCE),
        (last + timedelta(minutes=1), None),
    ):
        night = Night(settings=settings)
        night.now = begins
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
        assert night.incidents[1].muted is muted, begins


def test_what_is_still_down_when_the_night_of_a_clock_change_is_over_is_told_then() -> None:
    nightly = Maintenance(
        id="n", title="nightly", recurring=Recurrence(at=time(2, 30), zone=BERLIN, lasts=HOUR)
    )
    night = Night(settings=AlertSettings(maintenance=(nightly,)))
    night.now = datetime(2026, 10, 25, 0, 40, tzinfo=UTC)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.later(minutes=45)
    assert night.messages == []
    night.later(minutes=10)
    assert night.messages == ["opened #1 down to phone"]


def test_a_new_channel_after_a_reload_hears_what_happens_from_then_on() -> None:
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    new = replace(PHONE, id="new", url=Secret("json://127.0.0.2"))
    night.alerts.change(AlertSettings(), (new,))
    night.see("s/a/chat", times=2)
    assert night.messages == ["opened #1 down to phone"]
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages[1:] == ["opened #2 down to new"]
