"""Delivery against a Bot API server over real HTTP: in order, at least once, never given up early."""

import asyncio
import logging
import ssl
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trustme
from aiohttp import web
from cast import HandClock
from listening import listening
from proxies import Fake, proxying
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import Alternatives, Context, Notifier
from monitor.alerts.alternatives import Alternative
from monitor.clock import SystemClock
from monitor.courier import Courier
from monitor.language import language
from monitor.model import (
    Channel,
    ConfigError,
    Failure,
    FailureKind,
    Incident,
    Message,
    NotDeliveredError,
    NotificationType,
    OutboxMessage,
    Redactor,
    Secret,
    Severity,
)
from monitor.model.errors import REACH, delivery_remedy
from monitor.store import Store

URL = Secret(f"tgram://{TOKEN}/{CHAT}")
REDACT = Redactor([URL, Secret(TOKEN)])


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    async with telegram() as fake:
        yield fake


@pytest.fixture
async def store(tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    opened.open()
    yield opened
    await opened.close()


def channel(phone: Telegram, name: str = "telegram") -> Channel:
    return Channel(id=name, url=URL, telegram_api=phone.url)


def incident(
    number: int = 1,
    message: str = "got 502",
    closed: datetime | None = None,
    service: str = "ohmygpt",
    severity: Severity = Severity.DOWN,
) -> Incident:
    opened = datetime(2026, 11, 24, 11, 42, tzinfo=UTC)
    return Incident(
        id=number,
        service=service,
        severity=severity,
        opened=opened,
        closed=closed,
        failure=Failure(FailureKind.BAD_GATEWAY, message),
        checks=(f"{service}/cf-cdn/chat",),
        active=frozenset() if closed else frozenset({f"{service}/cf-cdn/chat"}),
        failed_runs={"bad_gateway": 7},
    )


def row(
    clock: HandClock,
    number: int = 1,
    what: NotificationType = NotificationType.OPENED,
    to: str = "telegram",
) -> OutboxMessage:
    return OutboxMessage(
        channel=to,
        what=what,
        severity=Severity.DOWN,
        incident=number,
        created=clock.now(),
        not_before=clock.now(),
    )


def courier(store: Store, clock: HandClock, *channels: Channel, code: str = "en") -> Courier:
    def context(_: Incident | None) -> Context:
        return Context(
            now=clock.now(),
            services={"ohmygpt": "OhMyGPT"},
            endpoints={"ohmygpt/cf-cdn": ("Cloudflare CDN", "https://cdn.example")},
            alternatives=Alternatives((Alternative("Direct", "https://direct.example", 420),)),
            page_url="https://status.example",
            downtime=timedelta(hours=2, minutes=5),
            language=language(code),
        )

    return Courier(store, Notifier(channels, REDACT), context, clock=clock, rng=Random(1))


async def test_a_message_says_what_since_when_why_what_instead_and_where_to_read_on(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    await courier(store, clock, channel(phone)).deliver_due()

    assert [text.splitlines() for text in phone.messages] == [
        [
            "🔴 OhMyGPT, Cloudflare CDN: down",
            "Use https://direct.example (TTFT 420 ms)",
            "Bad gateway since 24 Nov 11:42 UTC, 18m. Fault: base URL. [#1]",
            "Seen: 502",
            "https://status.example/incidents/1/",
        ]
    ]
    assert await store.due(clock.now()) == ()


async def test_recovery_says_how_long_and_how_many_runs_failed(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(closed=clock.now()),), (row(clock, what=NotificationType.RESOLVED),))
    await courier(store, clock, channel(phone)).deliver_due()

    assert phone.messages[0].splitlines() == [
        "✅ OhMyGPT, Cloudflare CDN: recovered, was down for 18m",
        "From 24 Nov 11:42 UTC to 24 Nov 12:00 UTC. [#1]",
        "Failed runs: 7 bad gateway",
        "Down this month: 2h5m.",
        "https://status.example/incidents/1/",
    ]


async def test_messages_are_told_in_chinese_where_that_is_wanted(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save(
        (
            incident(message="got HTTP 502, want 200"),
            incident(2, closed=clock.now(), service="s2"),
        ),
        (row(clock), row(clock, 2)),
    )
    await courier(store, clock, channel(phone), code="zh-CN").deliver_due()

    assert [text.splitlines() for text in phone.messages] == [
        [
            "🔴 OhMyGPT · Cloudflare CDN：不可用",
            "改用：https://direct.example（首字 420ms）",
            "原因：网关错误。自 11-24 11:42 UTC 起，已18分钟。责任：端点侧。[#1]",
            "现象：返回 HTTP 502，应为 200",
            "https://status.example/incidents/1/",
        ],
        [
            "✅ s2 · cf-cdn：已恢复，不可用持续18分钟",
            "11-24 11:42 UTC → 11-24 12:00 UTC。[#2]",
            "失败检测：网关错误 7 次",
            "本月不可用：2小时5分钟。",
            "https://status.example/incidents/2/",
        ],
    ]


async def test_what_an_endpoint_says_cannot_break_the_message(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    hostile = "<script>'</script>&amp;<b>]]>{0}%s"
    await store.save((incident(message=hostile),), (row(clock),))
    await courier(store, clock, channel(phone)).deliver_due()

    assert f"Seen: {hostile}" in phone.messages[0]


async def test_a_channel_that_is_down_gets_its_message_when_it_is_back(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    phone.down = True
    for _ in range(50):
        await to.deliver_due()
        clock.tick(60)
    assert phone.messages == []
    assert phone.asked < 15

    phone.down = False
    clock.tick(1200)
    assert await to.deliver_due() == 1
    assert len(phone.messages) == 1


async def test_what_no_channel_has_taken_is_said_as_it_is_when_it_is_tried_again(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    phone.faults.append("500")
    assert await to.deliver_due() == 0
    clock.tick(3600)
    assert await to.deliver_due() == 1
    assert "11:42 UTC, 1h18m." in phone.messages[0]


async def test_a_channel_that_gets_another_address_gets_what_waits_in_its_own_format(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 41)
    rows = tuple(row(clock, number) for number in numbers)
    await store.save(tuple(incident(number, service=f"s{number}") for number in numbers), rows)
    to = courier(store, clock, replace(channel(phone), id="other"))
    assert await to.deliver_due() == 0
    to.change(Notifier((channel(phone),), REDACT), lambda _: Context(now=clock.now()))
    clock.tick(3600)
    assert await to.deliver_due() == 40
    assert [text.splitlines()[0] for text in phone.messages] == [
        "40 messages waited while this channel was out of reach"
    ]


async def test_the_wait_that_the_channel_asks_for_is_kept_to_the_second(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    phone.faults.append("429 17")
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    await to.deliver_due()

    clock.tick(16.9)
    assert (await to.deliver_due(), phone.asked) == (0, 1)
    clock.tick(0.2)
    assert (await to.deliver_due(), phone.asked) == (1, 2)


async def test_order_is_kept_in_a_channel_and_a_broken_one_holds_up_nobody(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    async with telegram() as other:
        other.down = True
        rows = tuple(
            row(clock, number, to=to) for number in (1, 2, 3) for to in ("telegram", "other")
        )
        await store.save(
            tuple(incident(number, service=f"s{number}") for number in (1, 2, 3)), rows
        )
        to = courier(store, clock, channel(phone), channel(other, "other"))
        await to.deliver_due()
        assert [text.splitlines()[2][-4:] for text in phone.messages] == ["[#1]", "[#2]", "[#3]"]
        assert other.asked == 1

        other.down = False
        clock.tick(30)
        await to.deliver_due()
        assert [text.splitlines()[2][-4:] for text in other.messages] == ["[#1]", "[#2]", "[#3]"]


async def test_a_lost_reply_makes_a_duplicate_never_a_loss(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    phone.faults.append("accept then drop")
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    await to.deliver_due()
    clock.tick(30)
    await to.deliver_due()

    assert len(phone.messages) == 2
    assert phone.messages[0].splitlines()[0] == phone.messages[1].splitlines()[0]


async def test_an_incident_that_ended_while_it_waited_is_one_message(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    rows = (row(clock), row(clock, what=NotificationType.RESOLVED))
    await store.save((incident(closed=clock.now()),), rows)

    assert await courier(store, clock, channel(phone)).deliver_due() == 2
    assert [text.splitlines()[0] for text in phone.messages] == [
        "✅ OhMyGPT, Cloudflare CDN: recovered, was down for 18m"
    ]


async def test_what_is_told_only_when_it_is_over_says_that_it_is_told_late(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    phone.faults.append("500")
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    await to.deliver_due()
    clock.tick(3600)
    await store.save((incident(closed=clock.now()),), (row(clock, what=NotificationType.RESOLVED),))

    assert await to.deliver_due() == 2
    assert phone.messages[0].splitlines()[:3] == [
        "✅ OhMyGPT, Cloudflare CDN: recovered, was down for 1h18m",
        "From 24 Nov 11:42 UTC to 24 Nov 13:00 UTC. [#1]",
        "Told late: it could not be delivered before.",
    ]


async def test_in_a_digest_what_is_over_says_from_when_to_when(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 6)
    found = tuple(incident(number, closed=clock.now(), service=f"s{number}") for number in numbers)
    await store.save(found, tuple(row(clock, number) for number in numbers))
    await courier(store, clock, channel(phone)).deliver_due()
    assert phone.messages[0].splitlines()[:2] == [
        "✅ 5 incidents are over",
        "[#1] s1, cf-cdn: recovered, was down for 18m. From 24 Nov 11:42 UTC on, bad gateway",
    ]


async def test_a_thousand_waiting_messages_become_one_digest_that_says_how_many_are_left_out(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 501)
    found = tuple(
        incident(number, closed=clock.now() if number % 50 else None, service=f"s{number}")
        for number in numbers
    )
    rows = tuple(
        row(clock, number, what)
        for number in numbers
        for what in (NotificationType.OPENED, NotificationType.RESOLVED)
    )
    await store.save(found, rows)
    clock.tick(6 * 3600)

    assert await courier(store, clock, channel(phone)).deliver_due() == 1000
    lines = [line for text in phone.messages for line in text.splitlines()[1:]]
    assert phone.messages[0].startswith("1000 messages, told late")
    assert [line.split(",")[0] for line in lines[:10]] == [
        f"[#{number}] s{number}" for number in range(50, 501, 50)
    ]
    assert (len(phone.messages), lines[-1]) == (
        1,
        "And 460 more: `monitor incidents` lists them.",
    )
    assert await store.due(clock.now()) == ()


async def test_many_waiting_messages_become_one_digest_in_parts(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 41)
    await store.save(
        tuple(incident(number, service=f"s{number}") for number in numbers),
        tuple(row(clock, number) for number in numbers),
    )
    clock.tick(600)

    assert await courier(store, clock, channel(phone)).deliver_due() == 40
    assert [text.splitlines()[0] for text in phone.messages] == [
        f"40 messages, told late ({place}/2)" for place in (1, 2)
    ]
    assert phone.messages[0].splitlines()[1] == (
        "[#1] s1, cf-cdn: down. Use https://direct.example (TTFT 420 ms)."
        " Since 24 Nov 11:42 UTC, bad gateway"
    )
    lines = [line for text in phone.messages for line in text.splitlines()[1:]]
    assert [line.split("]")[0] for line in lines] == [f"[#{number}" for number in numbers]


async def test_many_notices_at_once_are_one_digest_that_names_each(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    notice = replace(row(clock, what=NotificationType.NOTICE), incident=None)
    notices = tuple(replace(notice, text=f"Notice {name}\nMore of it") for name in "abcde")
    await store.save((), notices)
    assert await courier(store, clock, channel(phone)).deliver_due() == 5
    assert [text.splitlines() for text in phone.messages] == [
        [
            "👁 5 notices from monitor",
            *(
                line
                for number, name in enumerate("abcde", 1)
                for line in (f"Notice {name} [n{number}]", "More of it")
            ),
        ]
    ]


async def test_of_many_notices_none_is_lost_nor_what_to_do(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    notice = replace(row(clock, what=NotificationType.NOTICE), incident=None)
    notices = tuple(replace(notice, text=f"Notice {n}\nTo do: mend {n}") for n in range(45))
    await store.save((incident(),), (row(clock), *notices))
    assert await courier(store, clock, channel(phone)).deliver_due() == 46
    lines = [line for text in phone.messages for line in text.splitlines()]
    assert [line for line in lines if line.startswith("To do")] == [
        f"To do: mend {n}" for n in range(45)
    ]
    assert [text.splitlines()[0] for text in phone.messages] == [
        "🔴 OhMyGPT, Cloudflare CDN: down",
        "👁 20 notices from monitor",
        "👁 20 notices from monitor",
        "👁 5 notices from monitor",
    ]


async def test_news_waits_for_other_news_and_all_of_a_service_is_one_message(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    later = replace(row(clock, 1), not_before=clock.now() + timedelta(seconds=30))
    await store.save((incident(1),), (later,))
    to = courier(store, clock, channel(phone))
    clock.tick(29)
    second = replace(row(clock, 2), not_before=clock.now() + timedelta(seconds=30))
    await store.save((incident(2, severity=Severity.ACCOUNT),), (second,))
    assert await to.deliver_due() == 0

    clock.tick(1)
    assert await to.deliver_due() == 2
    (text,) = phone.messages
    assert text.splitlines()[0] == "🔴 OhMyGPT, Cloudflare CDN: down"
    assert text.splitlines()[-2:] == [
        "Also:",
        "[#2] OhMyGPT: refused over key or account. Use another base URL. Since 24 Nov 11:42 UTC, bad gateway",
    ]


async def test_a_storm_over_many_services_is_one_message_that_says_what_works(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 6)
    found = [incident(number, service=f"s{number}") for number in numbers]
    found[0] = replace(found[0], closed=clock.now(), active=frozenset())
    await store.save(tuple(found), tuple(row(clock, number) for number in numbers))

    assert await courier(store, clock, channel(phone)).deliver_due() == 5
    (text,) = phone.messages
    assert text.splitlines()[0] == "🔴 4 incidents at once, in 4 services"
    assert text.splitlines()[1].endswith(
        "down. Use https://direct.example (TTFT 420 ms). Since 24 Nov 11:42 UTC, bad gateway"
    )
    assert text.splitlines()[-1] == (
        "[#1] s1, cf-cdn: recovered, was down for 18m. From 24 Nov 11:42 UTC on, bad gateway"
    )


async def test_at_the_end_news_waits_no_longer(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    later = replace(row(clock), not_before=clock.now() + timedelta(seconds=30))
    await store.save((incident(),), (later,))
    to = courier(store, clock, channel(phone))
    assert await to.deliver_due() == 0
    assert await to.deliver_due(at_once=True) == 1


async def test_a_part_that_went_through_is_not_sent_again(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 41)
    rows = tuple(row(clock, number) for number in numbers)
    await store.save(tuple(incident(number, service=f"s{number}") for number in numbers), rows)
    phone.faults.extend(["", "500"])
    to = courier(store, clock, channel(phone))
    assert await to.deliver_due() == 0
    clock.tick(30)
    assert await to.deliver_due() == 40
    assert [text.splitlines()[0][-5:] for text in phone.messages] == [
        "(1/2)",
        "(2/2)",
    ]


async def test_a_group_chat_is_not_flooded(phone: Telegram, store: Store, clock: HandClock) -> None:
    to = courier(store, clock, channel(phone))
    for number in range(1, 25):
        await store.save((incident(number),), (row(clock, number),))
        await to.deliver_due()
        clock.tick(1)
    assert len(phone.messages) == 18
    clock.tick(60)
    assert await to.deliver_due() == 6


async def test_nothing_is_given_up_within_a_day(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    phone.down = True
    for _ in range(24 * 4):
        await to.deliver_due()
        clock.tick(15 * 60)
    assert len(await store.due(clock.now() + timedelta(hours=1))) == 1

    for _ in range(8):
        await to.deliver_due()
        clock.tick(15 * 60)
    assert await store.due(clock.now() + timedelta(hours=1)) == ()


async def test_the_outbox_survives_a_restart(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    url = f"sqlite:///{tmp_path / 'r.db'}"
    first = Store(url, clock=clock)
    first.open()
    await first.save((incident(),), (row(clock),))
    await first.close()

    second = Store(url, clock=clock)
    second.open()
    assert await courier(second, clock, channel(phone)).deliver_due() == 1
    await second.close()
    assert len(phone.messages) == 1


async def test_a_long_text_is_cut_by_us_and_delivered(phone: Telegram) -> None:
    message = Message("title", "😀" * 1700)
    await Notifier((channel(phone),), REDACT).send("telegram", message)
    assert len(phone.messages) == 1


@pytest.mark.parametrize("fault", ["500", "drop", "429 3"])
async def test_no_error_and_no_log_ever_shows_the_token(
    phone: Telegram, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    phone.faults.append(fault)
    notifier = Notifier(
        (channel(phone), replace(channel(phone, "wrong"), url=Secret(f"tgram://{TOKEN}x/1"))),
        REDACT,
    )
    with pytest.raises(NotDeliveredError) as caught:
        await notifier.send("telegram", Message("t", "b"))
    with pytest.raises(NotDeliveredError):
        await notifier.send("wrong", Message("t", "b"))

    assert TOKEN not in f"{caught.value} {caught.value!r}"
    ours = [
        record
        for record in caplog.records
        if record.name.partition(".")[0] in {"apprise", "urllib3", "monitor"}
    ]
    assert [record.getMessage() for record in ours if TOKEN in record.getMessage()] == []


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nonsense://secret-part", 'Apprise knows no scheme "nonsense://"'),
        ("pagerduty://secret-part", "want pagerduty://INTEGRATIONKEY@APIKEY or pagerduty://"),
        ("https://oapi.dingtalk.com/robot/secret-part", "dingtalk://SECRET@TOKEN"),
    ],
)
def test_an_address_that_apprise_does_not_take_is_a_complaint_that_names_the_form(
    address: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Notifier((Channel(id="x", url=Secret(address)),), REDACT)

    assert str(caught.value).startswith("channel.x.url: Apprise ")
    assert says in str(caught.value)
    assert "secret-part" not in str(caught.value)


def test_only_the_plugins_that_the_channels_use_are_loaded() -> None:
    """In a process of its own: what one has loaded stays."""
    script = """
import sys
from monitor.alerts import Notifier
from monitor.model import Channel, Redactor, Secret

def meet(*urls):
    Notifier(tuple(Channel(id=f"c{n}", url=Secret(url)) for n, url in enumerate(urls)), Redactor(()))
    return sum(name.startswith("apprise.plugins.") for name in sys.modules)

few = meet("tgram://123456789:abcdefg_hijklmnopqrstuvwxyzabcdefgh/1")
more = meet("mailto://somebody:secret@example.com", "JSON://127.0.0.1")
all_of_them = meet("https://discord.com/api/webhooks/" + "1" * 18 + "/" + "a" * 68)
print(few, more, all_of_them)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    few, more, all_of_them = map(int, told.stdout.split())
    assert few < more < 30, "a mail plugin is a folder, and is found all the same"
    assert all_of_them > 100, (
        "whose plugin cannot be told from the address, it is looked for in all"
    )


async def test_a_message_for_a_channel_that_left_the_config_waits_a_day_for_its_return(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock, to="gone"), row(clock)))
    to = courier(store, clock, channel(phone))
    assert await to.deliver_due() == 1
    for _ in range(23 * 4):
        clock.tick(15 * 60)
        await to.deliver_due()
    to.change(Notifier((channel(phone, "gone"),), REDACT), to._context)
    clock.tick(1200)
    assert await to.deliver_due() == 1
    assert len(phone.messages) == 2


async def test_what_a_person_must_mend_is_tried_slowly(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, replace(channel(phone), url=Secret(f"tgram://{TOKEN}/99")))
    await to.deliver_due()
    clock.tick(299)
    assert (await to.deliver_due(), phone.asked) == (0, 1)
    clock.tick(2)
    assert (await to.deliver_due(), phone.asked) == (0, 2)


@pytest.mark.parametrize(
    ("status", "slow"),
    [(400, True), (401, True), (403, True), (404, True), (408, False), (500, False), (502, False)],
)
async def test_what_a_person_must_mend_is_told_from_what_passes(
    store: Store, clock: HandClock, status: int, slow: bool
) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(
            {"ok": False, "error_code": status, "description": "no"}, status=status
        )

    async with site(refuse) as url:
        bad = Channel(id="telegram", url=URL, telegram_api=f"http://{url}")
        await store.save((incident(),), (row(clock),))
        await courier(store, clock, bad).deliver_due()
        await store.flush()
        (waiting,) = (await store.snapshot(clock.now())).outbox
        waits = waiting.not_before - clock.now()
        assert (waits >= timedelta(minutes=5)) is slow
        assert (delivery_remedy(waiting.last_error) == REACH) is not slow


async def test_a_long_message_in_chinese_with_all_that_is_escaped_arrives_whole(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    hostile = "<b>&amp;</b> '引号' 与 😀 " * 20
    found = tuple(
        replace(incident(number, message=hostile, service="ohmygpt"), severity=severity)
        for number, severity in enumerate(Severity, 1)
    )
    await store.save(found, tuple(row(clock, number) for number in range(1, 5)))
    assert await courier(store, clock, channel(phone), code="zh-CN").deliver_due() == 4
    text = "\n".join(phone.messages)
    assert [f"[#{number}]" in text for number in range(1, 5)] == [True] * 4
    assert hostile[:20] in text
    assert all(len(message.encode("utf-16-le")) // 2 <= 4096 for message in phone.messages)


async def test_while_nothing_can_be_stored_a_message_says_so(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    known = to._context
    to.change(to._channels, lambda found: replace(known(found), durable=False))
    await to.deliver_due()
    assert phone.messages[0].splitlines()[-1] == "Not durable: nothing can be stored at the moment."


async def test_a_clock_that_jumps_a_day_ahead_loses_nothing(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    phone.down = True
    await to.deliver_due()
    clock.step(2 * 86_400)
    await to.deliver_due()
    phone.down = False
    clock.tick(100)
    assert await to.deliver_due() == 1


async def test_a_digest_begins_with_what_still_goes_on(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    numbers = range(1, 61)
    found = tuple(
        incident(number, closed=None if number == 60 else clock.now(), service=f"s{number}")
        for number in numbers
    )
    await store.save(found, tuple(row(clock, number) for number in numbers))
    await courier(store, clock, channel(phone)).deliver_due()
    assert phone.messages[0].splitlines()[1].startswith("[#60] s60, cf-cdn: down")


async def test_who_listens_and_fails_sends_nothing_again(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    made = courier(store, clock, channel(phone), channel(phone, "other"))
    told: list[str] = []

    def listener(outgoing: OutboxMessage, _: Message) -> None:
        told.append(outgoing.channel)
        if outgoing.channel == "other":
            raise RuntimeError("a bug of ours")

    made._on_message = listener
    await store.save((incident(),), (row(clock, to="other"), row(clock)))
    assert await made.deliver_due() == 2
    assert await made.deliver_due() == 0
    assert sorted(told) == ["other", "telegram"]
    assert len(phone.messages) == 2


@pytest.mark.slow
async def test_a_channel_that_hangs_holds_up_no_other_and_not_the_end(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    stop = asyncio.Event()
    async with telegram() as slow:
        slow.faults.extend(["hang"] * 9)
        to = courier(store, clock, channel(phone), channel(slow, "slow"))
        loop = asyncio.create_task(to.run(stop))
        for number in (1, 2):
            rows = (row(clock, number, to="slow"), row(clock, number))
            await store.save((incident(number),), rows)
            to.wake()
            await asyncio.sleep(0.5)
            assert len(phone.messages) == number
        stop.set()
        to.wake()
        await asyncio.wait_for(loop, 2)


async def test_a_fault_of_ours_in_one_message_does_not_send_again_what_went_before(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    to = courier(store, clock, channel(phone))
    good = to._context

    def context(of: Incident | None) -> Context:
        if of and of.id == 2:
            raise RuntimeError("a bug of ours")
        return good(of)

    to._context = context
    both = (incident(1), incident(2, service="other"))
    await store.save(both, (row(clock, 1), row(clock, 2)))
    for _ in range(3):
        await to.deliver_due()
        clock.tick(3600)
    assert len(phone.messages) == 1
    (left,) = await store.due(clock.now())
    assert (left.incident, left.attempts, left.last_error) == (2, 3, "internal: RuntimeError")


async def test_a_message_that_was_never_tried_does_not_wait_for_a_clock_set_back(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    clock.step(-3600)
    assert await courier(store, clock, channel(phone)).deliver_due() == 1


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_a_clock_that_is_set_moves_no_next_try(
    phone: Telegram, store: Store, clock: HandClock, step: float
) -> None:
    phone.faults.append("429 40")
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    await to.deliver_due()
    clock.step(step)
    clock.tick(39)
    assert await to.deliver_due() == 0
    clock.tick(2)
    assert await to.deliver_due() == 1


async def test_after_a_start_nothing_waits_for_hours_because_the_clock_was_set_back(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    phone.faults.append("500")
    url = f"sqlite:///{tmp_path / 'm.db'}"
    store = Store(url, clock=clock)
    store.open()
    await store.save((incident(),), (row(clock),))
    await courier(store, clock, channel(phone)).deliver_due()
    await store.close()

    clock.step(-7200)
    store = Store(url, clock=clock)
    store.open()
    to = courier(store, clock, channel(phone))
    clock.tick(19 * 60)
    before = await to.deliver_due()
    clock.tick(2 * 60)
    assert (before, await to.deliver_due()) == (0, 1)
    await store.close()


async def test_a_refusal_with_the_status_of_a_success_is_no_delivery(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    phone.faults.extend(["ok false 40", "portal"])
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    assert await to.deliver_due() == 0
    clock.tick(39)
    assert (await to.deliver_due(), phone.asked) == (0, 1)
    clock.tick(2)
    assert (await to.deliver_due(), phone.asked) == (0, 2)
    clock.tick(20)
    assert await to.deliver_due() == 1
    assert len(phone.messages) == 1


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("77", 77),
        ("Tue, 24 Nov 2026 12:01:17 GMT", 77),
        ("Tue, 24 Nov 2026 11:59:00 GMT", None),
        ("Wed, 25 Nov 2037 12:00:00 GMT", 86_400),
        ("soon", None),
        ("Tue, 24 Nov 2026 25:61:00 GMT", None),
    ],
)
async def test_another_service_may_ask_for_time_in_a_header_by_any_clock(
    asked: str, seconds: float | None
) -> None:
    sent = "Tue, 24 Nov 2026 12:00:00 GMT"  # by the clock of the answer, whatever ours says

    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": asked, "Date": sent})

    async with site(busy) as url:
        notifier = Notifier((Channel(id="x", url=Secret(f"json://{url}")),), REDACT)
        with pytest.raises(NotDeliveredError) as caught:
            await notifier.send("x", Message("t", "b"))
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert caught.value.retry_after == wanted


@pytest.mark.parametrize("socks", [False, True], ids=["http", "socks5"])
async def test_a_channel_goes_through_its_own_proxy_and_others_do_not(
    phone: Telegram, socks: bool
) -> None:
    async with proxying(Fake(socks=socks, login="user:pass-word-9")) as proxy:
        through = replace(channel(phone, "through"), proxy=Secret(proxy.url))
        notifier = Notifier((through, channel(phone)), REDACT)
        await asyncio.gather(
            notifier.send("through", Message("one", "b")),
            notifier.send("telegram", Message("two", "b")),
        )
        port = phone.url.rpartition(":")[2]
        assert [seen.removeprefix("POST ")[:40] for seen in proxy.seen] == (
            [f"127.0.0.1:{port}"] if socks else [f"{phone.url}/bot{TOKEN}/sendMessage"[:40]]
        )
    assert sorted(text.splitlines()[0] for text in phone.messages) == ["one", "two"]


async def test_a_channel_under_tls_is_reached_through_a_tunnel(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    heard: list[dict[str, str]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    async with site(hear, context) as host, proxying(Fake()) as proxy:
        url = Secret(f"jsons://{host}/?verify=no")
        notifier = Notifier((Channel(id="x", url=url, proxy=Secret(proxy.url)),), REDACT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # urllib3 says that nothing is verified, as asked
            await notifier.send("x", Message("t", "b"))
        assert proxy.seen == [f"CONNECT {host}"]
    assert [each["title"] for each in heard] == ["t"]


async def test_a_proxy_that_does_not_answer_is_no_delivery_and_shows_no_login(
    phone: Telegram,
) -> None:
    secret = Secret("http://user:pass-word-9@127.0.0.1:9")
    through = replace(channel(phone), proxy=secret)
    with pytest.raises(NotDeliveredError) as caught:
        await Notifier((through,), REDACT).send("telegram", Message("t", "b"))
    assert "pass-word-9" not in f"{caught.value!r}"
    assert phone.asked == 0


Hear = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def site(hear: Hear, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Host and port of a server that takes what is posted."""
    app = web.Application()
    app.router.add_post("/{path:.*}", hear)
    async with listening(app, context) as url:
        yield url.partition("://")[2]


async def test_while_our_own_network_fails_messages_are_tried_every_minute(
    phone: Telegram, store: Store, clock: HandClock
) -> None:
    await store.save((incident(),), (row(clock),))
    to = courier(store, clock, channel(phone))
    to._is_blind = lambda: True
    phone.down = True
    for _ in range(60):
        await to.deliver_due()
        clock.tick(61)
    assert phone.asked == 60


async def test_a_wall_clock_that_is_set_back_holds_up_no_message(
    phone: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apprise would wait by the wall clock, an hour where that was set back by one."""
    notifier = Notifier((channel(phone),), REDACT)
    await notifier.send("telegram", Message("one", "body"))

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            assert tz is None
            return SystemClock().now().replace(tzinfo=None) - timedelta(hours=48)

    monkeypatch.setattr("apprise.url.datetime", SetBack)
    async with asyncio.timeout(10):
        await notifier.send("telegram", Message("two", "body"))
        await notifier.send("telegram", Message("three", "body"))
    assert [text.splitlines()[0] for text in phone.messages] == ["one", "two", "three"]
