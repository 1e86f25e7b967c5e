"""What docs/telegram.md says of commands, limits and topics is what there is."""

import re
from pathlib import Path

from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import Notifier
from monitor.language import ENGLISH
from monitor.model import Channel, Message, Redactor, Secret
from monitor.telegram import bot, buttons, poller, subscriptions
from monitor.telegram.buttons import Action
from monitor.telegram.commands import HELP, HELP_OF_READERS, Verb

TEXT = (Path(__file__).parents[2] / "docs" / "telegram.md").read_text()


def commands(heading: str) -> set[str]:
    section = re.split(r"\n## ", TEXT.split(f"\n## {heading}\n", 1)[1])[0]
    rows = re.findall(r"^\| (`/.*?) \|", section, re.MULTILINE)
    return {usage for row in rows for usage in re.findall(r"`(/[^`]*)`", row)}


def test_every_command_is_documented_as_it_is_written_and_no_other() -> None:
    assert commands("Commands") == {verb.usage for verb in HELP}
    others = {verb.usage for verb in (*HELP_OF_READERS, Verb.START, Verb.HELP)}
    assert commands("Readers who subscribe") == others


def test_every_button_is_documented() -> None:
    section = TEXT.split("\n## Buttons\n", 1)[1].split("\n## ")[0]
    labels = [ENGLISH.gettext(label) for label in buttons.LABELS.values()]
    assert re.findall(r"^\| ([A-Z][\w ]*) \|", section, re.MULTILINE) == labels
    assert [*buttons.LABELS] == [*Action]


def test_limits_are_documented() -> None:
    words = " ".join(TEXT.split())
    minutes = [round(seconds / 60) for seconds in poller.CONFLICT_WAITS_S]
    for sentence in (
        f"A chat may send {bot.PER_CHAT} commands a minute, all chats together {bot.IN_ALL}.",
        f"At most {subscriptions.MOST_CHATS:,} chats, of {subscriptions.MOST_SERVICES} services each",
        f"pauses for {minutes[0]}, then {minutes[1]}, then {minutes[2]} minutes",
        f"at least once, in order, {subscriptions.PER_SECOND} a second",
    ):
        assert sentence in words
    assert (bot.PER_READER, bot.OF_READERS, poller.TOO_OLD.seconds) == (5, 60, 300)


async def test_a_topic_is_reached_by_apprise_too() -> None:
    async with telegram(Telegram(topics={7})) as phone:
        channel = Channel(
            id="forum", url=Secret(f"tgram://{TOKEN}/{CHAT}:7"), telegram_api=phone.url
        )
        await Notifier((channel,), Redactor()).send("forum", Message("Relay: down", "Since then."))
    assert [(each.chat, each.topic) for each in phone.sent] == [(int(CHAT), 7)]
