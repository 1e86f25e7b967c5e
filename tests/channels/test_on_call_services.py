"""On-call services hold one event for each incident: what happens to the incident happens to it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from channels_cast import reaching
from on_call_services import ACKNOWLEDGED, ON_CALL, OPEN, RESOLVED, OnCall

from monitor.alerts import Context
from monitor.alerts.channel_format import takes_acknowledgement
from monitor.alerts.example_incident import plain_test
from monitor.model import Channel, Message, NotificationType, Secret, Severity


def told(what: NotificationType, event: str, text: str = "b") -> Message:
    return Message(f"{event} {what.value}", text, what=what, severity=Severity.DOWN, event=event)


def states(stub: OnCall) -> list[tuple[str, int]]:
    return [(event.state, len(event.texts)) for event in stub.events]


async def test_begin_change_acknowledgement_and_end_act_on_one_event_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tuple(kind() for kind in ON_CALL)
    one, other = "home/ohmygpt/1", "home/ohmygpt/2"
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            await notifier.send(stub.schema, told(NotificationType.OPENED, one))
            await notifier.send(stub.schema, told(NotificationType.OPENED, other))
            assert states(stub) == [(OPEN, 1), (OPEN, 1)], stub.schema
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:  # another daemon, with no memory
        for stub in stubs:
            await notifier.send(stub.schema, told(NotificationType.REMINDER, one))
            assert states(stub) == [(OPEN, 2), (OPEN, 1)], stub.schema
            if takes_acknowledgement(Channel(id="x", url=Secret(stub.url))):
                await notifier.send(stub.schema, told(NotificationType.ACKNOWLEDGED, one))
                assert states(stub)[0][0] == ACKNOWLEDGED, stub.schema
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            await notifier.send(stub.schema, told(NotificationType.RESOLVED, one))
            assert [event.state for event in stub.events] == [RESOLVED, OPEN], stub.schema
            await notifier.send(stub.schema, told(NotificationType.CALM, other))
            assert [event.state for event in stub.events] == [RESOLVED] * 2, stub.schema
            assert stub.lost == [], stub.schema


async def test_a_plain_test_message_leaves_no_event_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tuple(kind() for kind in ON_CALL)
    context = Context(
        now=datetime(2026, 11, 30, tzinfo=UTC), services={}, endpoints={}, vantage="v"
    )
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            await notifier.tell(stub.schema, plain_test(context))
    assert {stub.schema: [event.state for event in stub.events] for stub in stubs} == {
        stub.schema: [RESOLVED] for stub in stubs
    }


async def test_an_end_that_was_taken_already_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tuple(kind() for kind in ON_CALL)
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            for what in (
                NotificationType.OPENED,
                NotificationType.RESOLVED,
                NotificationType.RESOLVED,
            ):
                await notifier.send(stub.schema, told(what, "home/ohmygpt/7"))
            assert [event.state for event in stub.events] == [RESOLVED], stub.schema
