"""Judging the list of models, over a real socket."""

import json

import pytest
from cast import HandClock
from run_check import run_check
from servers import saying, serving

from monitor.model import Check, Endpoint, Evidence, FailureKind, Habit, Redactor, Secret
from monitor.probes import PROBES, Attempted
from monitor.probes.wire.client import Client

KEY = "the-key-of-the-relay"


async def kind(
    clock: HandClock,
    probe: str,
    status: str,
    body: bytes,
    key: str | None = None,
    settings: dict[str, object] | None = None,
) -> FailureKind | None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with Client() as client, serving(saying(head + body)) as server:
        endpoint = Endpoint(
            id="direct",
            service="relay",
            url=f"http://127.0.0.1:{server.port}",
            name="direct",
            key=Secret(key) if key else None,
        )
        check = Check(
            service="relay",
            endpoint=endpoint,
            probe=PROBES[probe](**(settings or {})),
            model="gpt-x",
        )
        attempted = await run_check(check, client, clock=clock)
    return attempted.result.failure and attempted.result.failure.kind


async def judged(clock: HandClock, body: bytes, habit: Habit = Habit()) -> Attempted:  # noqa: B008
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with Client() as client, serving(saying(head + body)) as server:
        url = f"http://127.0.0.1:{server.port}"
        endpoint = Endpoint(id="direct", service="relay", url=url, name="direct", key=Secret(KEY))
        check = Check(service="relay", endpoint=endpoint, probe=PROBES["models"](), model="gpt-x")
        return await run_check(
            check, client, clock=clock, habit=habit, redact=Redactor([Secret(KEY)])
        )


def listing(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "key", "expected"),
    [
        ("200 OK", listing("gpt-x", "other"), "k" * 8, None),
        ("200 OK", listing("other"), "k" * 8, FailureKind.MODEL_NOT_FOUND),
        ("200 OK", listing(), "k" * 8, FailureKind.UNEXPECTED_BODY),
        ("200 OK", b"hello", "k" * 8, FailureKind.UNEXPECTED_BODY),
        ("200 OK", b"<!doctype html><title>x</title>", "k" * 8, FailureKind.HTML_ANSWER),
        ("401 No", b'{"error": {"message": "bad key"}}', "k" * 8, FailureKind.AUTH_INVALID),
        ("401 No", b'{"error": {"message": "no key"}}', None, None),
        ("403 No", b'{"error": {"message": "no key"}}', None, None),
    ],
)
async def test_a_list_of_models_is_judged(
    clock: HandClock, status: str, body: bytes, key: str | None, expected: FailureKind | None
) -> None:
    assert await kind(clock, "models", status, body, key) == expected


async def test_what_appeared_and_what_vanished_is_noted(clock: HandClock) -> None:
    before = Habit(listed=frozenset({"gpt-x", "old"}))
    first = await judged(clock, listing("gpt-x", "old"))
    same = await judged(clock, listing("old", "gpt-x"), first.habit)
    changed = await judged(clock, listing("gpt-x", "new", KEY), before)
    lost = await judged(clock, listing("old"), before)
    assert (first.evidence, first.habit.listed) == (None, before.listed)
    assert same.evidence is None
    assert changed.evidence == Evidence(note="appeared: new, ***; vanished: old", is_change=True)
    assert changed.habit.listed == {"gpt-x", "new", "***"}
    assert lost.evidence is not None
    assert (lost.evidence.note, lost.habit.listed) == ("vanished: gpt-x", {"old"})


async def test_of_one_page_of_a_longer_list_nothing_has_vanished(clock: HandClock) -> None:
    before = Habit(listed=frozenset({"gpt-x", "old"}))
    page = json.dumps({"data": [{"id": "gpt-x"}], "has_more": True}).encode()
    paged = await judged(clock, page, before)
    assert (paged.evidence, paged.habit.listed) == (None, before.listed)


async def test_of_thousands_of_models_each_is_known(clock: HandClock) -> None:
    names = {f"m-{number}" for number in range(2500)}
    many = await judged(clock, listing("gpt-x", *names))
    fewer = await judged(clock, listing("gpt-x", *(names - {"m-2400"})), many.habit)
    assert fewer.evidence == Evidence(note="vanished: m-2400", is_change=True)


@pytest.mark.parametrize(
    ("status", "body", "settings", "expected"),
    [
        ("200 OK", b"hello", {}, None),
        ("404 No", b"", {}, FailureKind.UNEXPECTED_STATUS),
        ("404 No", b"", {"status": [200, 404]}, None),
        ("302 X\r\nLocation: http://else.test/", b"", {}, FailureKind.UNEXPECTED_REDIRECT),
        ("200 OK", b"hello", {"contains": "bye"}, FailureKind.UNEXPECTED_BODY),
        ("200 OK", b'{"a": [{"b": 1}]}', {"json": {"a.0.b": 1}}, None),
        ("200 OK", b'{"a": [{"b": 1}]}', {"json": {"a.0.b": 2}}, FailureKind.UNEXPECTED_BODY),
        ("200 OK", b'{"a": []}', {"json": {"a.0.b": 2}}, FailureKind.UNEXPECTED_BODY),
    ],
)
async def test_a_page_is_judged(
    clock: HandClock,
    status: str,
    body: bytes,
    settings: dict[str, object],
    expected: FailureKind | None,
) -> None:
    assert await kind(clock, "http", status, body, None, settings) == expected


@pytest.mark.parametrize(
    ("status", "body", "good", "expected", "note"),
    [
        ("200 OK", listing("other"), 0, None, "the list does not name gpt-x"),
        ("200 OK", listing("gpt-x"), 0, None, ""),
        ("200 OK", listing("openai/gpt-x"), 0, None, ""),
        ("404 No", b'{"error": "Not Found"}', 0, FailureKind.NOT_OFFERED, ""),
        ("405 No", b"", 0, FailureKind.NOT_OFFERED, ""),
        ("200 OK", b"<!doctype html><title>x</title>", 0, FailureKind.NOT_OFFERED, ""),
        ("404 No", b'{"error": "Not Found"}', 9, FailureKind.ROUTE_GONE, ""),
        ("401 No", b'{"error": {"message": "bad key"}}', 0, FailureKind.AUTH_INVALID, ""),
        ("200 OK", b"hello", 0, FailureKind.UNEXPECTED_BODY, ""),
    ],
)
async def test_a_list_proves_nothing_of_a_model_that_another_check_asks(
    clock: HandClock, status: str, body: bytes, good: int, expected: FailureKind | None, note: str
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with Client() as client, serving(saying(head + body)) as server:
        url = f"http://127.0.0.1:{server.port}"
        endpoint = Endpoint(id="direct", service="relay", url=url, name="direct", key=Secret(KEY))
        check = Check(
            service="relay",
            endpoint=endpoint,
            probe=PROBES["models"](),
            model="gpt-x",
            asked_models=frozenset({"gpt-x"}),
        )
        attempted = await run_check(check, client, clock=clock, habit=Habit(good=good))
    failure = attempted.result.failure
    assert (failure and failure.kind) == expected
    if failure is None:
        assert (attempted.evidence.note if attempted.evidence else "") == note
