"""A Telegram group that becomes a supergroup gets every message, under its new number."""

from functools import partial
from pathlib import Path

import pytest
from cast import HandClock
from channels_cast import reaching
from services import Telegram
from telegram import TOKEN

from monitor.alerts import AlertEngine
from monitor.alerts.moved_chats import MovedChats
from monitor.daemon.components import tell_of_move
from monitor.model import AlertSettings, Channel, Message, NotDeliveredError, Secret
from monitor.store import Store

OLD, NEW, NEWER = "-42", -1001234567890, -1009876543210


async def test_the_new_number_is_used_at_once_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, moves = Telegram(), list[tuple[str, ...]]()
    group.chats, group.moved = {str(NEW)}, {OLD: NEW}

    async def hear(*move: str) -> None:
        moves.append(move)

    moved = MovedChats()
    moved.on_move = hear
    url = f"tgram://{TOKEN}/{OLD}:7"
    async with reaching((group,), tmp_path, monkeypatch, url, moved) as notifier:
        await notifier.send("tgram", Message("one", "b"))
        await notifier.send("tgram", Message("two", "b"))
        assert [chat for chat, _ in group.taken] == [str(NEW)] * 2
        assert len(group.sent) == 3
        assert moves == [("tgram", OLD, str(NEW))]

        group.chats, group.moved = {str(NEWER)}, {OLD: NEW, str(NEW): NEWER}
        await notifier.send("tgram", Message("three", "b"))
        assert moves[1:] == [("tgram", str(NEW), str(NEWER))]
    known = MovedChats(moved.known)
    async with reaching((group,), tmp_path, monkeypatch, url, known) as notifier:  # after a restart
        await notifier.send("tgram", Message("four", "b"))
    assert [chat for chat, _ in group.taken[2:]] == [str(NEWER)] * 2
    assert len(group.sent) == 6


async def test_a_group_that_sends_us_round_in_a_circle_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Telegram()
    group.moved = {OLD: NEW, str(NEW): int(OLD)}
    url = f"tgram://{TOKEN}/{OLD}"
    async with reaching((group,), tmp_path, monkeypatch, url) as notifier:
        with pytest.raises(NotDeliveredError, match="upgraded to a supergroup"):
            await notifier.send("tgram", Message("one", "b"))
    assert len(group.sent) == 2


async def test_the_operator_is_told_through_the_channel_and_a_restart_remembers(
    tmp_path: Path, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    store.open()
    memory = store.recall()
    channel = Channel(id="phone", url=Secret(f"tgram://{TOKEN}/{OLD}"))
    alerts = AlertEngine(AlertSettings(), (channel,), memory)
    moved = MovedChats(memory.moved_chats)
    moved.on_move = partial(tell_of_move, store, clock, alerts, moved)
    assert await moved.learn("phone", OLD, str(NEW))
    assert not await moved.learn("phone", OLD, str(NEW))

    (row,) = await store.due(clock.now())
    assert row.text.splitlines() == [
        "👁 monitor: a group of channel phone has another number",
        (
            "It became a supergroup. Messages go to -1001234567890 now; put that in place of -42 into the"
            " `url` of the channel."
        ),
    ]
    assert f"event=group_moved channel=phone before={OLD} after={NEW}" in caplog.text
    await store.close()
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    store.open()
    assert store.recall().moved_chats == {OLD: str(NEW)}
    await store.close()
