"""Anybody may subscribe to what the page shows, hears nothing else, and holds up nobody."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from bot_cast import BotSetup, bot_setup, listening_bot, soon
from cast import HandClock
from telegram import CHAT, Telegram, telegram

from monitor.alerts import Notifier
from monitor.cli.status import document
from monitor.daemon.telegram_bots import TelegramBots, audience
from monitor.model import (
    FailureKind,
    Message,
    NotDeliveredError,
    NotificationType,
    Redactor,
    Severity,
)
from monitor.telegram import subscriptions

ADA, LI, BOB, GROUP = 11, 12, 13, -100
TEXT = """
[monitor]
listen = ""
[page]
url = "https://status.example"
title = "Relays"
hosts = false
[alerts]
timezone = "Asia/Shanghai"
[service.s]
name = "Relay"
endpoints = { a = "http://127.0.0.1:9", b = "http://hidden.example" }
probes = { http = "1h" }
[service.t]
endpoints = { c = "http://127.0.0.1:9" }
probes = { http = "1h" }
[service.private]
public = false
endpoints = { d = "http://127.0.0.1:9" }
probes = { http = "1h" }
"""


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    fake = Telegram(chats={int(CHAT): "private", GROUP: "group"})
    fake.chats |= dict.fromkeys((ADA, LI, BOB), "private")
    async with telegram(fake):
        yield fake


@pytest.fixture
async def place(
    tmp_path: Path, phone: Telegram, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BotSetup]:
    monkeypatch.setattr(subscriptions, "PER_SECOND", 1000)
    async with bot_setup(tmp_path, phone, clock, "subscribers = true", TEXT) as made:
        yield made


async def asks(place: BotSetup, text: str, chat: int, language: str = "en") -> str:
    """Write as somebody who is no operator; what the bot answers."""
    before = len(place.phone.of(chat))
    sender = {"id": chat, "first_name": "R", "language_code": language}
    place.phone.write(text, chat=chat, **{"from": sender})
    await soon(lambda: len(place.phone.of(chat)) > before)
    return place.phone.of(chat)[-1]


def news(what: NotificationType, *incidents: int) -> Message:
    return Message("an operator's title", "an operator's words", what=what, incidents=incidents)


async def test_readers_hear_of_what_they_chose_in_their_language_until_they_have_enough(
    place: BotSetup, phone: Telegram, clock: HandClock
) -> None:
    async with listening_bot(place) as bot:
        assert await asks(place, "/start", ADA) == (
            "Relays\n"
            "/subscribe [SERVICE]: tells you when a service fails, and when that is over\n"
            "/unsubscribe [SERVICE]: ends that, and forgets you\n"
            "SERVICE is one of: s, t\n"
            "https://status.example"
        )
        assert await asks(place, "/subscribe s", ADA) == (
            "You will hear of Relay. /unsubscribe ends it."
        )
        assert "所有服务" in await asks(place, "/subscribe", LI, "zh-hans")
        assert (await asks(place, "/subscribe t", BOB)).startswith("You will hear of t.")
        assert (await asks(place, "/subscribe private", BOB)) == (
            'Nothing is called "private". There are: s, t'
        )
        status = document(place.config, await place.store.snapshot(clock.now()), None)
        assert status["subscribers"] == {"phone": 3}

        await place.fail()
        await bot.broadcast(news(NotificationType.OPENED, 1))
        await bot.broadcast(news(NotificationType.REMINDER, 1))
        assert phone.of(ADA)[-1] == (
            "🔴 Relay, a: bad gateway\n"
            "Since 24 Nov 12:00 UTC, for 3\N{NO-BREAK SPACE}s.\n"
            "The proxy cannot reach the service behind it. At fault: the base URL or what is behind"
            " it.\n"
            "https://status.example/incidents/1/"
        )
        assert phone.of(LI)[-1].startswith("🔴 Relay")
        assert "始于 11-24 12:00 UTC" in phone.of(LI)[-1]
        assert [len(phone.of(chat)) for chat in (ADA, LI, BOB)] == [3, 2, 2]

        assert await asks(place, "/unsubscribe", ADA) == (
            "You will hear no more; your number is forgotten."
        )
        assert await asks(place, "/unsubscribe", ADA) == "You have not subscribed to that."
        await place.recover()
        await bot.broadcast(news(NotificationType.RESOLVED, 1))
        assert phone.of(LI)[-1].startswith("✅ 已恢复")
        assert len(phone.of(ADA)) == 5
    assert [subscriber.chat for subscriber in await place.store.subscribers()] == [LI, BOB]


async def test_what_the_page_does_not_show_is_not_told(
    place: BotSetup, phone: Telegram, clock: HandClock
) -> None:
    told = audience(place.config)
    assert [(each.id, each.only, each.services) for each in told[1:]] == [
        ("phone+subscribers", {each for each in Severity if each.is_of_base_urls}, {"s", "t"})
    ]
    place.alerts.change(place.config.alerts, told)
    async with listening_bot(place) as bot:
        await asks(place, "/subscribe", ADA)
        await place.fail("private/d/http")
        await place.fail("s/a/http", kind=FailureKind.AUTH_INVALID)
        await place.fail("s/a/http", kind=FailureKind.OFFLINE)
        rows = await place.store.due(clock.now())
        assert {row.channel for row in rows} == {"phone"}
        numbers = {row.incident for row in rows if row.incident}
        assert len(numbers) == 3
        before = len(phone.sent)
        for number in numbers:
            await bot.broadcast(news(NotificationType.OPENED, number))
        assert len(phone.sent) == before

        clock.tick(3600)
        for _ in range(3):
            await place.recover("s/b/http")
        await place.fail("s/a/http")
        rows = await place.store.due(clock.now())
        assert [row.incident for row in rows if row.channel == "phone+subscribers"] == [4]
        await bot.broadcast(news(NotificationType.OPENED, 4))
        for secret in ("127.0.0.1", "hidden.example", "got 502", "operator's"):
            assert secret not in phone.sent[-1].text


async def test_who_blocks_the_bot_or_is_gone_is_forgotten_and_others_are_told(
    place: BotSetup, phone: Telegram
) -> None:
    async with listening_bot(place) as bot:
        for chat in (ADA, LI, BOB):
            await asks(place, "/subscribe", chat)
        await place.fail()
        phone.blocked.add(ADA)
        del phone.chats[LI]
        await bot.broadcast(news(NotificationType.OPENED, 1))
        assert phone.of(BOB)[-1].startswith("🔴 Relay")
        assert [subscriber.chat for subscriber in await place.store.subscribers()] == [BOB]
        left = {"chat": {"id": BOB, "type": "private"}, "new_chat_member": {"status": "kicked"}}
        phone.update("my_chat_member", left)
        await soon(lambda: not phone.heard)
    assert await place.store.subscribers() == ()


async def test_what_breaks_off_goes_on_where_it_was_also_after_a_restart(
    place: BotSetup, phone: Telegram
) -> None:
    async with listening_bot(place) as bot:
        for chat in (ADA, LI, BOB):
            await asks(place, "/subscribe s", chat)
        await place.fail()
        phone.faults.extend(["", "500"])
        with pytest.raises(NotDeliveredError):
            await bot.broadcast(news(NotificationType.OPENED, 1))
        await bot.broadcast(news(NotificationType.OPENED, 1))
        assert [len(phone.of(chat)) for chat in (ADA, LI, BOB)] == [2, 2, 2]
    again = place.bot()
    await again.broadcast(news(NotificationType.OPENED, 1))
    assert [len(phone.of(chat)) for chat in (ADA, LI, BOB)] == [3, 3, 3]
    await again.close()


async def test_a_message_that_is_long_for_operators_is_one_for_readers_and_none_is_lost(
    place: BotSetup, clock: HandClock
) -> None:
    bots = TelegramBots(lambda *_: place.operations(), clock, Random(1))
    bots.change(place.config, Notifier((), Redactor()))
    long = Message("Many incidents", "line\n" * 2000, incidents=(1,))
    assert len(bots.parts("phone", long)) > 1
    assert bots.parts("phone+subscribers", long) == (long,)
    with pytest.raises(NotDeliveredError, match="there is no channel gone"):
        await bots.send("gone+subscribers", long)
    await bots.close()


async def test_that_one_comes_and_goes_is_not_said_of_others_in_the_same_message(
    place: BotSetup, phone: Telegram
) -> None:
    async with listening_bot(place) as bot:
        await asks(place, "/subscribe", ADA)
        await place.fail()
        await place.recover()
        await bot.broadcast(news(NotificationType.FLAPPING, 1))
    heard = phone.of(ADA)[-1]
    assert "Recovered" in heard
    assert "comes and goes" not in heard


async def test_there_are_bounds_and_nobody_writes_without_end(
    place: BotSetup, phone: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_CHATS", 1)
    async with listening_bot(place):
        await asks(place, "/subscribe s", ADA)
        assert await asks(place, "/subscribe", LI) == "There are too many subscriptions already."
        assert (await asks(place, "/subscribe", ADA)).startswith("You will hear of every service")
        for _ in range(9):
            phone.write("/help", chat=BOB)
        phone.write("/subscribe", chat=GROUP, user=BOB)
        phone.write("/ack 1", chat=LI, user=LI)
        await place.answers("/incidents")
        assert (len(phone.of(BOB)), len(phone.of(GROUP))) == (5, 0)
        assert phone.of(LI)[-1].startswith("Relays\n/subscribe")
        menus = [body for method, body in phone.calls if method == "setMyCommands"]
        assert [
            (body.get("scope", {}).get("chat_id"), body.get("language_code")) for body in menus
        ] == [
            (int(CHAT), None),
            (None, ""),
            (None, "zh"),
        ]


async def test_an_operator_may_subscribe_too(place: BotSetup) -> None:
    async with listening_bot(place):
        assert (await place.answers("/subscribe t")).startswith("You will hear of t.")
        assert "/unsubscribe [SERVICE]" in await place.answers("/help")
    assert [subscriber.service for subscriber in await place.store.subscribers()] == ["t"]
