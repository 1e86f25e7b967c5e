"""Events go out over real HTTP: signed, at least once, in order of their incident, and held up by nobody."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from aiohttp import web
from cast import HandClock
from listening import listening
from proxies import Fake, proxying
from receiver import SECRET, Receiver, receiving

from monitor.alerts import Context, Notifier
from monitor.alerts.event_document import Names, best_document
from monitor.alerts.event_json import document_json
from monitor.alerts.incident_events import event_row
from monitor.alerts.webhook_sender import WebhookSender, signature
from monitor.clock import Clock, SystemClock
from monitor.courier import Courier
from monitor.model import (
    NotDeliveredError,
    OutboxMessage,
    ReceiverGoneError,
    Redactor,
    Secret,
    Severity,
    Webhook,
)
from monitor.model.errors import RECEIVER, delivery_remedy
from monitor.store import Store

REDACT = Redactor([Secret(SECRET)])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    opened.open()
    yield opened
    await opened.close()


def row(
    webhook: Webhook, clock: Clock, incident: int | None = 1, name: str = "first"
) -> OutboxMessage:
    """`name` tells documents apart: it stands where the vantage does."""
    document = best_document(
        "s", None, None, clock.now(), Names(vantage=name, services={}, endpoints={})
    )
    return event_row(webhook, Severity.DOWN, incident, document_json(document), clock.now())


def courier(store: Store, clock: HandClock, sender: WebhookSender) -> Courier:
    made = Courier(
        store,
        Notifier((), REDACT),
        lambda _: Context(now=clock.now()),
        clock=clock,
        rng=Random(1),
    )
    made.send_event = sender.send
    return made


async def send(
    receiver: Receiver, *answers: web.Response, clock: Clock | None = None, **more: object
) -> None:
    receiver.answers += answers
    webhook = receiver.webhook(**more)
    sender = WebhookSender((webhook,), REDACT, clock or SystemClock())
    await sender.send(row(webhook, SystemClock()))


def test_the_signature_is_that_of_the_published_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_official_library_verifies_what_is_sent(receiver: Receiver) -> None:
    standardwebhooks = pytest.importorskip("standardwebhooks")
    await send(receiver)
    ((path, headers, body),) = receiver.requests
    document = standardwebhooks.Webhook(SECRET).verify(body, headers)
    assert (path, headers["content-type"]) == ("/gateway", "application/json")
    assert document["id"] == headers["webhook-id"]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(body + b" ", headers)


@pytest.mark.parametrize(
    ("answer", "why", "permanent", "wait"),
    [
        ({"status": 301, "headers": {"Location": "/other"}}, "HTTP 301", True, None),
        ({"status": 400, "text": "no\nsuch"}, "HTTP 400: no such", True, None),
        ({"status": 500}, "HTTP 500", False, None),
        ({"status": 429, "headers": {"Retry-After": "77"}}, "HTTP 429", False, 77),
        (
            {
                "status": 503,
                "headers": {
                    "Date": "Tue, 24 Nov 2026 12:00:00 GMT",
                    "Retry-After": "Tue, 24 Nov 2026 12:02:00 GMT",
                },
            },
            "HTTP 503",
            False,
            120,
        ),
        ({"status": 403, "text": SECRET}, "HTTP 403: ***", True, None),
        ({"status": 500, "body": b"x" * 100_000}, "HTTP 500: " + "x" * 199 + "…", False, None),
    ],
)
async def test_what_is_no_2xx_was_not_taken_and_a_redirect_is_not_followed(
    receiver: Receiver,
    answer: dict[str, object],
    why: str,
    permanent: bool,
    wait: int | None,
) -> None:
    with pytest.raises(NotDeliveredError) as raised:
        await send(receiver, web.Response(**answer))  # type: ignore[arg-type]
    assert str(raised.value) == f"the receiver answered {why}"
    assert (raised.value.permanent, raised.value.retry_after) == (
        permanent,
        timedelta(seconds=wait) if wait else None,
    )
    assert len(receiver.requests) == 1
    assert delivery_remedy(str(raised.value)) == RECEIVER


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_2xx_is_taken(receiver: Receiver, status: int) -> None:
    await send(receiver, web.Response(status=status, text="whatever"))


async def test_a_receiver_that_is_not_there_or_too_slow_is_said_without_its_address(
    receiver: Receiver, clock: HandClock
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    slow = web.Application()
    slow.router.add_post("/{path:.*}", hang)
    async with listening(slow) as url:
        webhook = replace(receiver.webhook(), url=Secret(f"{url}/secret"))
        sender = WebhookSender((webhook,), REDACT, clock, timeout_s=0.1)
        with pytest.raises(NotDeliveredError, match=r"^the receiver gave no answer within 0\.1 s$"):
            await sender.send(row(webhook, clock))
    with pytest.raises(NotDeliveredError, match=r"^no connection to the receiver$"):
        await sender.send(row(webhook, clock))


async def test_events_go_out_through_a_proxy_where_one_is_named(receiver: Receiver) -> None:
    async with proxying(Fake()) as proxy:
        await send(receiver, proxy=Secret(proxy.url))
        assert len(receiver.requests) == 1
        assert proxy.seen


async def test_each_try_has_the_same_id_and_body_and_a_time_and_signature_of_its_own(
    receiver: Receiver, store: Store, clock: HandClock
) -> None:
    webhook = receiver.webhook()
    await store.save(outgoing=(row(webhook, clock),))
    sending = courier(store, clock, WebhookSender((webhook,), REDACT, clock))
    receiver.answers.append(web.Response(status=500))
    assert await sending.deliver_due() == 0
    clock.tick(8)
    assert await sending.deliver_due() == 1
    (_, first, body), (_, second, again) = receiver.requests
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 8
    for headers in (first, second):
        number, sent = headers["webhook-id"], int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(SECRET, number, sent, body)
    assert await store.due(clock.now()) == ()


async def test_events_are_never_merged_and_one_that_is_refused_holds_up_its_own_incident_alone(
    receiver: Receiver, store: Store, clock: HandClock
) -> None:
    webhook = receiver.webhook()
    rows = [row(webhook, clock, number, f"{number}{place}") for number in (1, 2) for place in "ab"]
    await store.save(outgoing=tuple(rows))
    sending = courier(store, clock, WebhookSender((webhook,), REDACT, clock))
    receiver.answers.append(web.Response(status=500))

    def taken() -> list[str]:
        return [document["vantage"] for document in receiver.documents]

    assert await sending.deliver_due() == 2
    assert taken() == ["1a", "2a", "2b"]
    await store.save(outgoing=(row(webhook, clock, 1, "1c"), row(webhook, clock, 3, "3a")))
    assert await sending.deliver_due() == 1
    assert taken()[3:] == ["3a"]
    clock.tick(8)
    assert await sending.deliver_due() == 3
    assert taken()[4:] == ["1a", "1b", "1c"]


async def test_410_switches_a_webhook_off_until_a_reload_and_other_webhooks_go_on(
    receiver: Receiver, store: Store, clock: HandClock
) -> None:
    gone, other = receiver.webhook("gone"), receiver.webhook("other")
    sender = WebhookSender((gone, other), REDACT, clock)
    sending = courier(store, clock, sender)
    receiver.answers.append(web.Response(status=410))
    await store.save(outgoing=(row(gone, clock), row(gone, clock, 2)))
    await sending.deliver_due()
    await store.save(outgoing=(row(gone, clock, 3), row(other, clock)))
    await sending.deliver_due()
    assert [path for path, _, _ in receiver.requests] == ["/gone", "/other"]
    assert sender.gone == {"webhook.gone"}
    dead = (await store.snapshot(clock.now())).dead
    assert {message.channel for message in dead} == {"webhook.gone"}
    assert {delivery_remedy(message.last_error) for message in dead} == {RECEIVER}

    sending.send_event = WebhookSender((gone, other), REDACT, clock).send  # a reload
    await store.save(outgoing=(row(gone, clock, 4),))
    assert await sending.deliver_due() == 1
    assert receiver.requests[-1][0] == "/gone"


async def test_events_of_a_webhook_that_left_the_configuration_are_given_up(
    receiver: Receiver, clock: HandClock
) -> None:
    with pytest.raises(ReceiverGoneError, match=r"there is no webhook\.gateway any more"):
        await WebhookSender((), REDACT, clock).send(row(receiver.webhook(), clock))


async def test_a_row_outlasts_a_restart_with_its_document(
    receiver: Receiver, tmp_path: Path, clock: HandClock
) -> None:
    webhook = receiver.webhook()
    url = f"sqlite:///{tmp_path / 'm.db'}"
    store = Store(url, clock=clock)
    store.open()
    sent = row(webhook, clock)
    await store.save(outgoing=(sent,))
    await store.close()
    store = Store(url, clock=clock)
    store.open()
    await courier(store, clock, WebhookSender((webhook,), REDACT, clock)).deliver_due()
    await store.close()
    assert receiver.documents == [json.loads(sent.text)]


def test_nothing_of_webhooks_is_imported_where_none_is_configured() -> None:
    code = (
        "import sys; import monitor.daemon.components;"
        "print(sorted(name for name in sys.modules if 'webhook' in name or 'event_' in name"
        " and name.startswith('monitor')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_secret_of_the_tests_is_made_as_the_docs_say() -> None:
    assert 24 <= len(base64.b64decode(SECRET.removeprefix("whsec_"))) <= 64
