"""A button below an alert acts once, where it belongs, while it may, and goes when it is of no use."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from bot_cast import TEXT, BotSetup, alert, bot_setup, listening_bot, soon
from cast import HandClock
from hypothesis import given
from hypothesis import strategies as st
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import Notifier
from monitor.daemon.telegram_bots import TelegramBots
from monitor.language import language
from monitor.model import (
    EntryKind,
    FailureKind,
    Message,
    Mute,
    OperatorRequest,
    Redactor,
    RequestKind,
)
from monitor.telegram import replies
from monitor.telegram.buttons import Action, Button, read_button

GROUP, NEWS, STRANGER = -100123, -100456, 99
ALL_BUTTONS = ["Acknowledge", "Silence 1 h", "Details"]


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    fake = Telegram(chats={int(CHAT): "private", GROUP: "group", NEWS: "channel"}, topics={5})
    async with telegram(fake):
        yield fake


async def pressed(place: BotSetup, words: str, user: int = 7, chat: int | None = None) -> str:
    """What the person who presses is told."""
    press = place.phone.press(words, user=user, chat=chat)
    await soon(lambda: press in place.phone.toasts)
    return place.phone.toasts[press]


async def test_acknowledge_is_done_once_for_all_to_see(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    keys = f'url = "tgram://{TOKEN}/{GROUP}:5"'
    async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place) as bot:
        await place.fail()
        await bot.send(*alert("down", 1))
        [message] = phone.sent
        assert [*message.buttons] == ALL_BUTTONS
        double = dict(message.buttons)
        assert await pressed(place, "Acknowledge", user=8) == ""
        answer = phone.sent[-1]
        assert (answer.chat, answer.topic, answer.reply_to) == (GROUP, 5, message.id)
        assert answer.text == (
            "Ada8 (@ada8) acknowledged incident #1: no more reminders; you will be told when it is over."
        )
        assert [*message.buttons] == ALL_BUTTONS[1:]
        incident = await place.incident()
        assert [each.text for each in incident.timeline if each.what is EntryKind.ACKED] == [
            "Ada8 (@ada8)"
        ]
        message.buttons = double  # the other person's phone shows it still
        said = "Incident #1 was acknowledged before: Ada8 (@ada8)"
        assert await pressed(place, "Acknowledge", user=9) == said
        assert (await place.incident(), len(phone.sent)) == (incident, 2)


async def test_silence_covers_the_base_urls_of_the_incident_for_an_hour(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        await bot.send(*alert("down", 1))
        assert await pressed(place, "Silence 1 h") == ""
        assert phone.messages[-1] == "s/a is silenced until 24 Nov 13:00 UTC by Ada7 (@ada7)."
        assert (await place.incident()).muted is Mute.SILENCE
        assert [*phone.sent[0].buttons] == ["Acknowledge", "Details"]


async def test_details_show_evidence_and_who_did_what_in_the_operators_time(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    text = f'{TEXT}[alerts]\ntimezone = "Asia/Shanghai"\n'
    noon = "24 Nov 20:00 (12:00 UTC)"
    async with bot_setup(tmp_path, phone, clock, text=text) as place, listening_bot(place) as bot:
        await place.fail(message='got "@everyone, call @bob"')
        await bot.send(*alert("down", 1))
        await place.answers("/ack 1 new disk")
        assert await pressed(place, "Details") == ""
        lines = phone.messages[-1].splitlines()
        assert lines[0] == "[#1] Relay, a: bad gateway"
        calls_nobody = 'got "@\u2060everyone, call @\u2060bob"'
        assert f"Seen: {calls_nobody} (bad_gateway)" in lines
        assert lines[1] == f"Since {noon}, for 3\N{NO-BREAK SPACE}s."
        by = "(Ada7 (@ada7): new disk)"
        assert lines[-1] == f"{noon} Acknowledged: The operator knows. {by}"
        assert f"(since {noon}, for 3" in await place.answers("/incidents")
        assert f"(since {noon}, for 3" in await place.answers("/status")
        assert "until 24 Nov 22:00 (14:00 UTC) by" in await place.answers("/silence s/b 2h")
        await place.recover()
        assert f"has been over since {noon};" in await place.answers("/ack 1")


async def test_details_say_of_each_base_url_why_it_fails(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        await place.fail("s/b/http", kind=FailureKind.TCP_REFUSED, message="got connection refused")
        await bot.send(*alert("down", 1))
        assert await pressed(place, "Details") == ""
        lines = phone.messages[-1].splitlines()
        assert lines[0] == "[#1] Relay, 2 base URLs: bad gateway and connection refused"
        assert lines[3:5] == ["a: got 502 (bad_gateway)", "b: got connection refused (tcp_refused)"]


async def test_buttons_go_with_the_end_and_those_that_stay_say_so(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        await bot.send(*alert("down", 1))
        first = phone.sent[0]
        before = dict(first.buttons)
        await bot.send(*alert("still down", 1))
        assert ([*first.buttons], [*phone.sent[1].buttons]) == ([], ALL_BUTTONS)
        await place.recover()
        await bot.send(*alert("recovered", 1))
        assert [each.buttons for each in phone.sent] == [{}, {}, {}]
        first.buttons = before
        for words in ("Acknowledge", "Silence 1 h"):
            said = await pressed(place, words)
            assert said == "Incident #1 has been over since 24 Nov 12:00 UTC; nothing was done."
            assert first.buttons == {}
            first.buttons = before
        assert not (await place.incident()).acked


async def test_buttons_go_at_once_with_what_was_done_elsewhere(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place:
        bots = TelegramBots(lambda *_: place.operations(), clock, Random(1))
        bots.change(place.config, Notifier((), Redactor()))
        place.requests.on_change = bots.renew_buttons
        await place.fail()
        await bots.send("phone", Message("Relay: down", "Since then.", incidents=(1,)))
        [message] = phone.sent
        assert [*message.buttons] == ALL_BUTTONS
        for what, target, left in (
            (RequestKind.ACK, "1", ["Silence 1 h", "Details"]),
            (RequestKind.SILENCE, "s", ["Details"]),
        ):
            until = clock.now() + timedelta(hours=1)
            await place.store.add_request(
                OperatorRequest(at=clock.now(), what=what, target=target, until=until)
            )
            await place.requests.handle_waiting()
            await soon(lambda left=left: [*message.buttons] == left, seconds=5)
        await bots.close()


async def test_a_message_of_several_incidents_has_a_row_for_each_that_goes_on(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        clock.tick(3600)
        await place.fail("s/b/http")
        await bot.send(*alert("two are down", 1, 2))
        assert [*phone.sent[0].buttons][:4] == [
            "Acknowledge #1",
            "Silence 1 h #1",
            "Details #1",
            "Acknowledge #2",
        ]
        await place.recover()
        await bot.send(*alert("recovered", 1))
        assert [*phone.sent[0].buttons] == ALL_BUTTONS
        assert phone.sent[1].buttons == {}
        assert await pressed(place, "Acknowledge") == ""
        assert (await place.incident(2)).acked


async def test_who_may_not_command_presses_in_vain(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    keys = f'url = "tgram://{TOKEN}/{GROUP}/{NEWS}"\nallow = [7]'
    refusal = replies.not_for_you(language("en"))
    async with bot_setup(tmp_path, phone, clock, keys) as place, listening_bot(place) as bot:
        await place.fail()
        await bot.send(*alert("down", 1))
        assert await pressed(place, "Acknowledge", user=8) == refusal
        assert await pressed(place, "Acknowledge", user=8, chat=GROUP) == refusal
        assert await pressed(place, "Acknowledge", user=STRANGER, chat=STRANGER) == refusal
        assert not (await place.incident()).acked
        assert await pressed(place, "Acknowledge", user=7) == ""
        assert (await place.incident()).acked


async def test_a_button_of_another_incident_or_of_nothing_does_nothing(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    """A store that begins anew gives its numbers again."""
    async with bot_setup(tmp_path, phone, clock) as place, listening_bot(place) as bot:
        await place.fail()
        await bot.send(*alert("down", 1))
        [message] = phone.sent
        button = read_button(message.buttons["Acknowledge"])
        assert button
        for data in (
            replace(button, minute=button.minute - 16).data,
            "ack:77:1",
            "ack:1",
            "x" * 64,
        ):
            message.buttons = {"Acknowledge": data}
            known = data.count(":") == 2
            said = f"There is no incident #{data.split(':')[1]}." if known else ""
            assert await pressed(place, "Acknowledge") == said
        assert not (await place.incident()).acked
        message.buttons = {"Acknowledge": replace(button, minute=button.minute + 15).data}
        assert await pressed(place, "Acknowledge") == ""


async def test_what_was_pressed_while_nobody_listened_is_not_done(
    tmp_path: Path, phone: Telegram, clock: HandClock
) -> None:
    async with bot_setup(tmp_path, phone, clock) as place:
        await place.fail()
        async with listening_bot(place) as bot:
            await bot.send(*alert("down", 1))
        press = phone.press("Acknowledge")
        async with listening_bot(place):
            await soon(lambda: press in phone.toasts)
            assert phone.toasts[press] == replies.stale_button(language("en"))
            assert not (await place.incident()).acked
            assert await pressed(place, "Acknowledge") == ""
            assert (await place.incident()).acked


@given(
    st.builds(
        Button, st.sampled_from(Action), st.integers(0, 10**15 - 1), st.integers(0, 10**10 - 1)
    )
)
def test_what_a_button_carries_comes_back_in_64_bytes(button: Button) -> None:
    assert read_button(button.data) == button
    assert len(button.data.encode()) <= 64


@given(st.text(max_size=64))
def test_anything_else_is_no_button(data: str) -> None:
    button = read_button(data)
    assert button is None or button.data == data
