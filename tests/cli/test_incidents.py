"""What `monitor incidents` says of one incident and of many."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cast import HandClock
from rich.console import Console

from monitor.alerts.incidents import join
from monitor.cli import incidents
from monitor.cli.console import SafeConsole, json_text
from monitor.config import Config, parse
from monitor.model import EntryKind, Failure, FailureKind, Incident, Severity, TimelineEntry
from monitor.store import Store

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAILURE = Failure(FailureKind.BAD_GATEWAY, "got 502")
INCIDENT = Incident(
    id=1,
    service="s",
    severity=Severity.DOWN,
    cause="bad_gateway",
    opened=NOW,
    checks=("s/a/http",),
    active=frozenset({"s/a/http"}),
    failure=FAILURE,
    timeline=(TimelineEntry(at=NOW, what=EntryKind.OPENED, check="s/a/http"),),
)


def printed(*parts: object, console: type[Console] = SafeConsole) -> str:
    file = io.StringIO()
    screen = console(file=file, width=400)
    for part in parts:
        screen.print(part)
    return file.getvalue()


def opened(folder: Path, clock: HandClock) -> tuple[Config, Store]:
    text = '[service.s]\nendpoints = { a = "https://a.example" }\n'
    config = parse(text, path=folder / "monitor.toml", env={})
    store = Store(config.store, clock=clock)
    store.open()
    store.recall()
    return config, store


def test_every_kind_of_entry_has_a_word() -> None:
    entries = tuple(TimelineEntry(at=NOW, what=what, text="why") for what in EntryKind)
    text = printed(*incidents.timeline(replace(INCIDENT, timeline=entries), NOW, {}, {}))
    assert text.count("why") == len(EntryKind) + 1  # and the heading of the column
    assert "acknowledged" in text


def test_of_base_urls_that_fail_for_different_reasons_it_says_which_one_does_what() -> None:
    refused = Failure(FailureKind.TCP_REFUSED, "got connection refused")
    opening = replace(INCIDENT.timeline[0], kind=FAILURE.kind, text=FAILURE.message)
    both = join(replace(INCIDENT, timeline=(opening,)), "s/b/http", NOW, refused)
    listed = printed(incidents.table([both], NOW, {}))
    assert "a: bad_gateway: got 502; b: tcp_refused: got connection refused" in listed
    assert printed(*incidents.timeline(both, NOW, {}, {})).splitlines()[:6] == [
        "#1 down: bad gateway and connection refused",
        "2026-11-24 12:00:00 UTC, lasted 0s, open",
        "a: bad_gateway: got 502",
        "b: tcp_refused: got connection refused",
        "The proxy cannot reach the service behind it. Use another base URL.",
        "The server refuses connections. Use another base URL.",
    ]
    assert incidents.document(both)["reasons"] == {
        "s/a": {"kind": "bad_gateway", "fault": "endpoint", "message": "got 502"},
        "s/b": {"kind": "tcp_refused", "fault": "endpoint", "message": "got connection refused"},
    }


def test_an_entry_says_from_where_by_the_name_of_the_place() -> None:
    entries = tuple(
        TimelineEntry(at=NOW, what=EntryKind.WIDENED, vantage=vantage, text="why")
        for vantage in ("local", "gone")
    )
    places = {"local": "the monitor's location"}
    text = printed(*incidents.timeline(replace(INCIDENT, timeline=entries), NOW, places, {}))
    assert "from the monitor's location: why" in text
    assert "from gone: why" in text


async def test_an_incident_in_the_future_is_listed_and_its_length_is_not_negative(
    tmp_path: Path, clock: HandClock
) -> None:
    """As after a wall clock that was set back."""
    config, store = opened(tmp_path, clock)
    later = clock.now() + timedelta(hours=1)
    await store.save(incidents=(replace(INCIDENT, opened=later),))
    await store.close()
    since = clock.now() - timedelta(days=90)
    listed = incidents.read_incidents(config, since=since, until=None, only_open=False)
    assert [incident.id for incident in listed] == [1]
    assert (
        "-"
        not in printed(incidents.table(listed, clock.now(), {}))
        .splitlines()[1]
        .split(" down ")[0][25:]
    )


def test_foreign_control_characters_reach_no_terminal() -> None:
    evil = "\x1b]0;title\x07 \x9b31m \u202egnp.exe"
    failure = Failure(FailureKind.BAD_GATEWAY, evil)
    text = printed(*incidents.timeline(replace(INCIDENT, failure=failure), NOW, {}, {})) + printed(
        incidents.table([replace(INCIDENT, failure=failure, checks=(evil,))], NOW, {})
    )
    assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert "gnp.exe" in text
    assert json_text({"evil": evil}) == (
        '{"evil":"\\u001b]0;title\\u0007 \\u009b31m \\u202egnp.exe"}'
    )


async def test_an_open_incident_has_lasted_until_a_daemon_was_seen_last(
    tmp_path: Path, clock: HandClock
) -> None:
    config, store = opened(tmp_path, clock)
    begin = clock.now()
    clock.tick(420)
    store.heartbeat(clock.now())
    await store.save(incidents=(replace(INCIDENT, opened=begin),))
    await store.close()
    until = incidents.watched_until(config, begin + timedelta(days=3))
    assert "7m, open" in printed(incidents.table([replace(INCIDENT, opened=begin)], until, {}))
