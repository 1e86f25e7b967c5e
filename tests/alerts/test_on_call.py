"""Channels that hold events, against real HTTP: one event an incident, from its begin to its end."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from alerts_cast import BEGUN, START, Night
from cast import HandClock
from on_call_services import ACKNOWLEDGED as KNOWN
from on_call_services import HOLDING_EVENTS, OPEN, OnCall, on_call
from on_call_services import RESOLVED as OVER
from stubs import Reply

from monitor.alerts import Context, Notifier, incidents, self_alerts
from monitor.alerts.channel_format import holds_events, takes_acknowledgement
from monitor.alerts.self_alerts import begins, ends
from monitor.courier import Courier
from monitor.model import (
    Channel,
    FailureKind,
    Incident,
    Message,
    Notice,
    NotificationType,
    OutboxMessage,
    Redactor,
    Secret,
    Severity,
)
from monitor.store import Store

MINUTE = timedelta(minutes=1)
OPENED, ACKNOWLEDGED = NotificationType.OPENED, NotificationType.ACKNOWLEDGED
RESOLVED, REMINDER = NotificationType.RESOLVED, NotificationType.REMINDER


def channel(name: str) -> Channel:
    return Channel(id=name, url=Secret(HOLDING_EVENTS[name].url))


def row(
    name: str,
    what: NotificationType,
    at: datetime,
    number: int | None = 1,
    severity: Severity = Severity.DOWN,
) -> OutboxMessage:
    return OutboxMessage(
        channel=name, what=what, severity=severity, incident=number, created=at, not_before=at
    )


class Daemon:
    """A store and a courier with real Apprise, and what a new process makes of the same file."""

    def __init__(self, folder: Path, clock: HandClock, *channels: Channel) -> None:
        self.clock, self.channels = clock, channels
        self.url = f"sqlite:///{folder / 'm.db'}"
        self.start()

    def start(self) -> None:
        self.store = Store(self.url, clock=self.clock)
        self.store.open()
        self.memory = self.store.recall()
        self.courier = Courier(
            self.store,
            Notifier(self.channels, Redactor(())),
            lambda _: Context(now=self.clock.now(), page_url="https://status.example"),
            clock=self.clock,
            rng=Random(1),
        )

    async def tell(self, incident: Incident | None, *rows: OutboxMessage) -> int:
        await self.store.save((incident,) if incident else (), rows)
        return await self.courier.deliver_due()

    async def restart(self) -> None:
        await self.store.close()
        self.start()


@pytest.fixture
async def service(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OnCall]:
    async with on_call(request.param, monkeypatch) as service:
        yield service


QUICK = {"pagerduty", "opsgenie"}


@pytest.mark.parametrize(
    ("service", "name"),
    [
        pytest.param(name, name, marks=() if name in QUICK else pytest.mark.slow)
        for name in HOLDING_EVENTS
    ],
    indirect=["service"],
)
async def test_an_incident_is_one_event_from_its_begin_to_its_end_also_over_a_restart(
    service: OnCall, name: str, tmp_path: Path, clock: HandClock
) -> None:
    daemon = Daemon(tmp_path, clock, channel(name))
    assert await daemon.tell(BEGUN, row(name, OPENED, clock.now())) == 1
    assert await daemon.tell(BEGUN, row(name, REMINDER, clock.now())) == 1
    happened = [OPEN, OPEN]
    if HOLDING_EVENTS[name].takes_acknowledgement:
        assert await daemon.tell(BEGUN, row(name, ACKNOWLEDGED, clock.now())) == 1
        happened.append(KNOWN)
    await daemon.restart()
    over = incidents.leave(BEGUN, "s/a/chat", START + MINUTE)
    assert await daemon.tell(over, row(name, RESOLVED, clock.now())) == 1
    assert service.lives == {"local:s:1": [*happened, OVER]}
    await daemon.store.close()


@pytest.mark.parametrize("service", ["pagerduty"], indirect=True)
async def test_nothing_is_told_together_and_what_failed_goes_on_where_it_stopped(
    service: OnCall, tmp_path: Path, clock: HandClock
) -> None:
    daemon = Daemon(tmp_path, clock, channel("pagerduty"))
    rows = [row("pagerduty", OPENED, clock.now(), number) for number in range(1, 7)]
    opened = tuple(replace(BEGUN, id=number) for number in range(1, 7))
    await daemon.store.save(opened, tuple(rows))
    service.replies.append(Reply(500))
    assert await daemon.courier.deliver_due() == 0
    clock.tick(10)
    assert await daemon.courier.deliver_due() == 6
    assert service.lives == {f"local:s:{number}": [OPEN] for number in range(1, 7)}
    assert {sent.json()["payload"]["severity"] for sent in service.sent} == {"critical"}
    await daemon.store.close()


@pytest.mark.parametrize("service", ["opsgenie"], indirect=True)
async def test_what_waited_is_told_as_what_came_of_it(
    service: OnCall, tmp_path: Path, clock: HandClock
) -> None:
    daemon = Daemon(tmp_path, clock, channel("opsgenie"))
    at = clock.now()
    known = [row("opsgenie", OPENED, at), row("opsgenie", ACKNOWLEDGED, at)]
    ended = [row("opsgenie", what, at, 2) for what in (OPENED, ACKNOWLEDGED, RESOLVED)]
    over = incidents.leave(replace(BEGUN, id=2), "s/a/chat", START + MINUTE)
    await daemon.store.save((BEGUN, over), (*known, *ended))
    assert await daemon.courier.deliver_due() == 5
    assert service.lives == {"local:s:1": [OPEN, KNOWN]}
    assert service.lost == [f"{OVER} local:s:2"]
    await daemon.store.close()


@pytest.mark.parametrize("service", ["pagerduty"], indirect=True)
async def test_the_monitors_own_trouble_is_an_event_that_a_start_ends(
    service: OnCall, tmp_path: Path, clock: HandClock
) -> None:
    daemon = Daemon(tmp_path, clock, channel("pagerduty"))

    async def tell(notice: Notice) -> None:
        alerts = Night(daemon.channels).alerts
        await daemon.tell(None, *alerts.notice(notice, clock.now()))

    await tell(begins("store", "monitor: its store is in trouble"))
    await tell(begins("schedule", "monitor: its schedule is in trouble"))
    await tell(ends("schedule", "monitor: its schedule is well again"))
    assert service.lives == {"local:store": [OPEN], "local:schedule": [OPEN, OVER]}

    await daemon.restart()
    assert [begun.event for begun in daemon.memory.begun] == ["store"]
    alerts = Night(daemon.channels).alerts
    await daemon.tell(None, *alerts.end_begun(daemon.memory.begun, clock.now()))
    assert service.lives["local:store"] == [OPEN, OVER]
    await daemon.restart()
    assert daemon.memory.begun == ()
    await daemon.store.close()


@pytest.mark.parametrize("service", ["pagerduty"], indirect=True)
async def test_what_is_over_when_it_is_told_begins_and_ends_at_once(
    service: OnCall, tmp_path: Path, clock: HandClock
) -> None:
    daemon = Daemon(tmp_path, clock, channel("pagerduty"))
    stopped = Message(
        "monitor: monitoring has stopped", "body", what=OPENED, event=f"local/{self_alerts.STOPPED}"
    )
    await Notifier(daemon.channels, Redactor(())).tell("pagerduty", stopped)
    notices = (Notice("monitor: could not see"), Notice("monitor: crashed", self_alerts.STOPPED))
    for notice in notices:
        await daemon.tell(None, *Night(daemon.channels).alerts.notice(notice, clock.now()))
    assert service.lives == {"local:stopped": [OPEN, OPEN, OVER], "local:n1": [OPEN, OVER]}
    assert service.sent[0].json()["payload"]["severity"] == "warning"
    await daemon.store.close()


def test_the_docs_name_every_service_that_holds_events() -> None:
    text = Path("docs/alerts.md").read_text()
    table = re.findall(r"^\| [^|]+ \| `(\w+)://` \| (yes|no) \|", text, re.MULTILINE)
    assert dict(table) == {
        name: "yes" if service.takes_acknowledgement else "no"
        for name, service in HOLDING_EVENTS.items()
    }
    for name, service in HOLDING_EVENTS.items():
        assert holds_events(channel(name))
        assert takes_acknowledgement(channel(name)) == service.takes_acknowledgement


def test_the_address_that_a_service_itself_shows_is_known_for_what_it_is() -> None:
    shown = "https://api.squadcast.com/v2/incidents/api/" + "a" * 40
    notifier = Notifier((Channel(id="shown", url=Secret(shown)),), Redactor(()))
    assert notifier.holds_events("shown")


def test_that_somebody_knows_is_told_to_channels_that_can_keep_it() -> None:
    channels = (
        channel("pagerduty"),
        channel("opsgenie"),
        Channel(id="chat", url=Secret("json://h")),
    )
    night = Night(channels)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    night.messages.clear()
    night.keep(night.alerts.ack(1, night.now, "on it"))
    night.keep(night.alerts.ack(1, night.now, "again"))
    assert night.messages == ["acknowledged #1 down to opsgenie"]


def test_a_series_is_one_event_whichever_of_its_incidents_speaks() -> None:
    night = Night((channel("pagerduty"),))
    for _ in range(6):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
        night.see("s/a/chat", times=2)
        night.later(minutes=2)
    night.later(minutes=40)
    flapped = {number: incident.event for number, incident in night.incidents.items()}
    assert flapped == {1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 4}
    assert night.messages[-2:] == ["flapping #4 down to pagerduty", "calm #6 down to pagerduty"]


def test_a_series_that_goes_on_as_a_part_of_another_incident_ends_where_events_are_held() -> None:
    chat = Channel(id="chat", url=Secret("json://h"))
    night = Night((channel("pagerduty"), chat))
    for _ in range(4):
        night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
        night.see("s/a/chat", times=2)
        night.later(minutes=2)
    night.messages.clear()
    night.see("s/b/chat", FailureKind.BAD_GATEWAY, times=3)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    assert night.messages == [
        "opened #5 down to pagerduty",
        "opened #5 down to chat",
        "resolved #4 down to pagerduty",
    ]
