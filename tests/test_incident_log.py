"""What the log says of incidents: opened, changed, closed, each once."""

import logging

import pytest
from alerts_cast import Night

from monitor.alerts import AlertEngine
from monitor.logs import log_incident
from monitor.model import FailureKind


def test_an_incident_is_logged_when_it_opens_changes_and_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    night = Night()
    night.alerts = AlertEngine(
        night.settings, night.channels, night.memory(), on_incident=log_incident
    )
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=9)
    night.see("s/b/chat", FailureKind.CONNECT_TIMEOUT, times=3)
    night.see("s/a/chat", FailureKind.CONNECT_TIMEOUT)
    night.see("s/a/chat", times=2)
    night.see("s/b/chat", times=2)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        'event=incident number=1 what=opened severity=down service=s check=s/a/chat kind=bad_gateway why="got bad_gateway"',
        'event=incident number=1 what=joined severity=down service=s check=s/b/chat kind=connect_timeout why="got connect_timeout"',
        'event=incident number=1 what=cause severity=down service=s check=s/a/chat kind=connect_timeout why="got connect_timeout"',
        "event=incident number=1 what=left severity=down service=s check=s/a/chat",
        "event=incident number=1 what=resolved severity=down service=s open_s=15",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", *["INFO"] * 4]


def test_what_was_logged_before_a_restart_is_not_logged_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    night = Night()
    night.see("s/a/chat", FailureKind.BAD_GATEWAY, times=3)
    memory = night.memory()
    night.alerts = AlertEngine(night.settings, night.channels, memory, on_incident=log_incident)
    night.see("s/a/chat", FailureKind.BAD_GATEWAY)
    assert caplog.records == []
    night.see("s/a/chat", times=2)
    night.keep(night.alerts.note(1, night.now, "a cable"))
    assert (
        caplog.records.pop()
        .getMessage()
        .endswith('what=note severity=down service=s why="a cable"')
    )
    assert ["what=resolved" in record.getMessage() for record in caplog.records] == [True]
