"""What people write to a bot reaches the alerts, once, from those who may, and is answered where it was asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bot_cast import alert, bot_setup, listening_bot, soon
from cast import HandClock
from hypothesis import given, settings
from hypothesis import strategies as st
from proxies import Fake, proxying
from telegram import BOT, CHAT, TOKEN, Telegram, telegram

from monitor.alerts import Context, Notifier
from monitor.alerts.moved_chats import MovedChats
from monitor.cli.status import document
from monitor.courier import Courier
from monitor.daemon import bot_operations
from monitor.daemon.telegram_bots import TelegramBots, audience, sent_by_apprise
from monitor.language import language
from monitor.model import EntryKind, Mute, NotDeliveredError, Redactor
from monitor.telegram import replies
from monitor.telegram.bot import PER_CHAT
from monitor.telegram.updates import read_updates

GROUP, FORUM, STRANGER = -100123, -100456, 99
KEYS = st.sampled_from(
    [
        "update_id",
        "message",
        "callback_query",
        "my_chat_member",
        "chat",
        "from",
        "id",
        "message_id",
        "date",
        "text",
        "data",
        "type",
        "username",
        "first_name",
        "is_topic_message",
        "status",
        "message_thread_id",
        "migrate_to_chat_id",
        "new_chat_member",
        "language_code",
    ]
)


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    fake = Telegram(
        chats={int(CHAT): "private", GROUP: "group", FORUM: "supergroup", STRANGER: "private"},
        topics={5},
    )
    async with telegram(fake):
        yield fake


async def test_an_acknowledgement_is_in_the_incident_with_the_persons_name(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        await place.fail()
        assert await place.answers("/ack 1 looking into it") == (
            "Ada7 (@ada7) acknowledged incident #1: no more reminders; you will be told when it is over."
        )
        incident = await place.incident()
        [entry] = [each for each in incident.timeline if each.what is EntryKind.ACKED]
        assert (entry.text, incident.remind_at) == ("Ada7 (@ada7): looking into it", None)
        assert await place.answers("/ack #1") == (
            "Incident #1 was acknowledged before: Ada7 (@ada7): looking into it"
        )
        assert await place.incident() == incident
        assert await place.answers("/ack 2") == "There is no incident #2."
        assert await place.answers("/ack soon") == "Please write: /ack N [WHY]"


@pytest.mark.slow
async def test_the_page_says_that_somebody_knows_and_not_who(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        await place.fail()
        await place.answers("/ack 1 looking into it")
        await place.publisher.publish()
        files = [file for file in (tmp_path / "page").rglob("*") if file.is_file()]
        assert any(b"Acknowledged" in file.read_bytes() for file in files)
        for words in (b"Ada7", b"ada7", b"looking into it"):
            assert [file for file in files if words in file.read_bytes()] == []


async def test_a_silence_holds_and_ends_early(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        assert await place.answers("/silence s/a 2h new disk") == (
            "s/a is silenced until 24 Nov 14:00 UTC by Ada7 (@ada7)."
        )
        await place.fail()
        assert (await place.incident()).muted is Mute.SILENCE
        [silence] = (await place.store.snapshot(clock.now())).silences
        assert (silence.target, silence.why) == ("s/a", "Ada7 (@ada7): new disk")
        clock.tick(1)
        assert await place.answers("/silence s/a end") == "Ada7 (@ada7) ended the silence of s/a."
        assert (await place.incident()).announced
        assert "everything is silenced" in await place.answers("/silence all 5m")
        assert await place.answers("/silence x 5m") == (
            'Nothing is called "x". There are: all, s, s/a, s/a/http, s/b, s/b/http'
        )
        for wrong in ("/silence s", "/silence s soon", "/silence s 400d"):
            assert await place.answers(wrong) == "Please write: /silence TARGET 2h [WHY]"


async def test_what_it_knows_is_what_the_page_says(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        assert await place.answers("/incidents") == "No incident is open."
        await place.fail()
        assert await place.answers("/incidents") == (
            "[#1] Relay, a: bad gateway (since 24 Nov 12:00 UTC, for 3\N{NO-BREAK SPACE}s)"
        )
        assert (await place.answers("/status")).splitlines() == [
            "Whether the service is up is not known. One base URL is down.",
            "Relay",
            "  Major outage: a",
            "  No data: b",
            "[#1] Relay, a: bad gateway (since 24 Nov 12:00 UTC, for 3\N{NO-BREAK SPACE}s)",
            "1 message waits to be delivered.",
        ]
        assert await place.answers("/best") == "Relay: no base URL is known to work well now."
        assert await place.answers("/best x") == 'Nothing is called "x". There are: s'
        assert (await place.answers(f"/help@{BOT.upper()}")).splitlines()[0] == (
            "/status: what works now, and what does not"
        )


async def test_a_check_is_run_and_its_result_is_told_after_it(
    tmp_path: Path, phone: Telegram, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_operations, "LOOK_S", 0.01)
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        assert await place.answers("/check s/a/http") == "s/a/http is asked; the answer follows."
        await soon(lambda: place.checked == ["s/a/http"])
        await place.fail(runs=1)
        await soon(lambda: len(phone.sent) == 2)
        assert phone.sent[1].text.startswith("s/a/http: down, ")
        assert phone.sent[1].text.endswith("Seen: got 502 (bad_gateway)")
        assert 'Nothing is called "s/a"' in await place.answers("/check s/a")


async def test_only_those_on_the_list_are_obeyed_and_others_hear_it_once_a_day(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    keys = f'url = "tgram://{TOKEN}/{GROUP}"\nallow = [7, {CHAT}]'
    async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place):
        await place.fail()
        for text in ("/ack 1", "/status", "/silence all 2h"):
            phone.write(text, chat=STRANGER, user=STRANGER)
        phone.write("/ack 1", chat=GROUP, user=8)
        phone.write("/ack 1", chat=FORUM, user=7)
        phone.update("channel_post", {"chat": {"id": int(CHAT)}, "text": "/ack 1"})
        phone.chats[STRANGER] = "channel"
        phone.write("/ack 1", chat=STRANGER, user=STRANGER)
        phone.chats[STRANGER] = "private"
        assert "Ada7 (@ada7) acknowledged" in await place.answers("/ack 1", chat=GROUP, user=7)
        assert phone.of(STRANGER) == ["This bot takes commands from its operators alone."]
        assert {each.chat for each in phone.sent} == {STRANGER, GROUP}
        assert (await place.store.snapshot(clock.now())).silences == ()
        clock.tick(86_400)
        phone.write("/start", chat=STRANGER, user=STRANGER)
        await soon(lambda: len(phone.of(STRANGER)) == 2)


async def test_what_is_for_another_bot_or_no_command_is_left_alone(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        for text in ("/status@another_bot", "/weather", "good morning", "/", "/ack@", "//ack 1"):
            phone.write(text)
        assert await place.answers(f"/incidents@{BOT}") == "No incident is open."
        assert len(phone.sent) == 1


async def test_what_was_written_long_ago_is_not_done_and_said_so(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place:
        await place.fail()
        phone.write("/ack 1", age=301)
        async with listening_bot(place):
            await soon(lambda: len(phone.sent) == 1)
            assert phone.sent[0].text == (
                "/ack 1: nothing was done, because it reached me more than 5 minutes after it was"
                " written. Write it again if it still holds."
            )
            assert not (await place.incident()).acked
            await place.answers("/ack 1", age=200)
            assert (await place.incident()).acked


async def test_what_was_done_before_a_restart_is_not_done_again(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place:
        async with listening_bot(place):
            await place.answers("/silence s 1h")
            await soon(lambda: not phone.heard)
        async with listening_bot(place):
            await place.answers("/incidents")
        assert phone.messages[0].startswith("s is silenced until")
        assert phone.messages[1:] == ["No incident is open."]


async def test_it_listens_by_long_polls_that_confirm_what_was_seen(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        await place.answers("/incidents")
        number = phone.updated
        await soon(lambda: not phone.heard)
    first, second = phone.polls[:2]
    assert (first["timeout"], "offset" in first) == (0, False)
    assert (second["timeout"], second["allowed_updates"]) == (
        50,
        ["message", "callback_query", "my_chat_member"],
    )
    assert (phone.polls[-1]["offset"], phone.polls[-1]["timeout"]) == (number + 1, 0)
    menus = [body["scope"] for method, body in phone.calls if method == "setMyCommands"]
    assert menus == [{"type": "chat", "chat_id": int(CHAT)}]


async def test_a_second_listener_is_told_once_and_not_fought(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        other = asyncio.create_task(phone.get_updates({"timeout": "30"}))
        await soon(lambda: place.store.undelivered.get("phone") == 2)
        polls = len(phone.polls)
        assert await place.notices() == [
            "👁 monitor: another program reads the messages of channel phone's bot"
        ]
        status = document(place.config, await place.store.snapshot(clock.now()), None)
        assert "error=409, Conflict: terminated by other" in status["bots"]["phone"]["trouble"]
        await bot.send(*alert())
        await asyncio.sleep(0.05)
        assert (len(phone.polls), len(phone.sent)) == (polls, 1)
        other.cancel()
        with suppress(asyncio.CancelledError):
            await other


@pytest.mark.parametrize("webhook", [True, False])
async def test_a_bot_that_cannot_listen_says_why_and_sends_all_the_same(
    tmp_path: Path, phone: Telegram, clock: HandClock, webhook: bool
) -> None:
    phone.webhook = webhook
    keys = "" if webhook else f'url = "tgram://{TOKEN}x/{CHAT}"'
    async with bot_setup(tmp_path, phone, clock, keys) as place:
        bot = place.bot()
        task = asyncio.create_task(bot.run())
        await soon(lambda: "error=" in str(place.states))
        trouble = str(place.states["phone"]["trouble"])
        assert ("error=409" if webhook else "error=401") in trouble
        assert TOKEN not in trouble
        if webhook:
            await bot.send(*alert())
            assert len(phone.sent) == 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await bot.close()


async def test_a_chat_that_asks_too_much_is_slowed_down(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        for _ in range(PER_CHAT + 30):
            phone.write("/incidents")
        await soon(lambda: not phone.heard)
        assert len(phone.sent) == PER_CHAT + 1
        assert phone.messages[-1] == replies.too_many(language("en"))
        clock.tick(61)
        assert await place.answers("/incidents") == "No incident is open."


ODD = [
    *(None, 5, "x", [], {}, {"message": []}, {"update_id": "7"}, {"update_id": True}),
    *({"update_id": 5000, "message": each} for each in (None, 7, "x", [], {"chat": 3})),
    *({"update_id": 5001, kind: {"chat": {"id": 1 << 70}}} for kind in ("message", "poll")),
    {"update_id": 5002, "callback_query": {"id": 5, "message": [], "from": {"id": "7"}}},
]


async def test_an_update_of_any_form_is_passed_over(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place):
        phone.heard += [each for each in ODD if isinstance(each, dict)]
        assert "more than 5 minutes" in await place.answers("/incidents", date=[])
    assert [update.what for update in read_updates(ODD)] == [None] * 8


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
        max_leaves=20,
    )
)
def test_json_of_any_type_anywhere_is_read(result: Any) -> None:
    assert all(-(1 << 63) < update.id < 1 << 63 for update in read_updates(result))
    for kind in ("message", "callback_query", "my_chat_member"):
        assert len(read_updates([{"update_id": 1, kind: result}])) == 1


# --- alerts through the bot -----------------------------------------------------------------------


async def test_an_alert_goes_to_each_chat_and_topic_by_itself_as_html(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    keys = f'url = "tgram://{TOKEN}/{CHAT}/{FORUM}:5?silent=yes"'
    async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place) as bot:
        phone.faults.append("429 17")
        with pytest.raises(NotDeliveredError) as caught:
            await bot.send(*alert(), 1)
        assert caught.value.retry_after == timedelta(seconds=17)
        await bot.send(*alert(), 2)
        await bot.send(*alert(), 1)
        with pytest.raises(NotDeliveredError, match=r"there is no phone\+3 any more"):
            await bot.send(*alert(), 3)
        assert [(each.chat, each.topic, each.text) for each in phone.sent] == [
            (FORUM, 5, "Relay: down\nSince then & <now>."),
            (int(CHAT), None, "Relay: down\nSince then & <now>."),
        ]
        await place.answers("/incidents", chat=FORUM, message_thread_id=5, is_topic_message=True)
        assert (phone.sent[-1].chat, phone.sent[-1].topic) == (FORUM, 5)


@pytest.mark.parametrize("commands", [True, False])
async def test_a_chat_that_refuses_for_good_holds_up_no_other_and_nobody_hears_twice(
    tmp_path: Path, phone: Telegram, clock: HandClock, commands: bool
) -> None:
    gone = -404
    keys = f'url = "tgram://{TOKEN}/{gone}/{CHAT}/{FORUM}:5"'
    async with bot_setup(tmp_path, phone, clock, keys) as place:
        channel = replace(place.channel, commands=commands)
        config = replace(place.config, channels=(channel,))
        bots = TelegramBots(lambda *_: place.operations(), clock, Random(1))
        bots.change(config, Notifier(sent_by_apprise(config), Redactor(), place.moved))
        place.alerts.change(config.alerts, audience(config))
        courier = Courier(
            place.store, bots, lambda _: Context(now=clock.now()), clock=clock, rng=Random(1)
        )
        for happens in (place.fail, place.recover):
            await happens()
            for _ in range(5):
                clock.tick(600)
                await courier.deliver_due()
        await bots.close()
        await place.store.flush()
        waiting = await place.store.due(clock.now() + timedelta(days=1))
        assert {row.channel for row in waiting} == {"phone"}
        assert config.targets == ("phone", "phone+2", "phone+3")
    for chat in (int(CHAT), FORUM):
        assert [text.split(" ")[0] for text in phone.of(chat)] == ["🔴", "✅"]


async def test_a_group_that_became_a_supergroup_is_followed_and_told_once(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    phone.moved[GROUP] = FORUM
    keys = f'url = "tgram://{TOKEN}/{GROUP}"'
    async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place) as bot:
        for _ in range(2):
            await bot.send(*alert())
        assert phone.of(FORUM) == ["Relay: down\nSince then & <now>."] * 2
        notices = ["👁 monitor: a group of channel phone has another number"]
        assert await place.notices() == notices
        place.moved = MovedChats(place.store.recall().moved_chats)
        again = place.bot()  # after a restart
        await again.send(*alert())
        assert (len(phone.of(FORUM)), await place.notices()) == (3, notices)
        await again.close()
        assert await place.answers("/incidents", chat=FORUM) == "No incident is open."


async def test_what_telegram_did_not_take_is_not_delivered(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place:
        bot = place.bot()
        faults = {"500": None, "portal": None, "drop": None, "ok false 9": 9, "429 17": 17}
        for fault, wait in faults.items():
            phone.faults.append(fault)
            with pytest.raises(NotDeliveredError) as caught:
                await bot.send(*alert())
            assert TOKEN not in str(caught.value)
            assert caught.value.retry_after == (timedelta(seconds=wait) if wait else None)
        await bot.send(*alert())
        assert len(phone.sent) == 1
        await bot.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_it_goes_through_the_channels_proxy(
    tmp_path: Path, phone: Telegram, clock: HandClock, scheme: str
) -> None:
    async with proxying(Fake(socks=scheme == "socks5")) as proxy:
        keys = f'proxy = "{scheme}://127.0.0.1:{proxy.port}"'
        async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place):
            assert await place.answers("/incidents") == "No incident is open."
        assert proxy.seen
