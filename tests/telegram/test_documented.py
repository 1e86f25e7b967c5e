"""What docs/telegram.md says of commands, limits and topics is what there is."""

import re
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from cast import HandClock
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import Notifier
from monitor.config import parse
from monitor.daemon.telegram_bots import TelegramBots, sent_by_apprise
from monitor.language import ENGLISH
from monitor.model import Message, Redactor
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


async def test_apprise_and_a_bot_reach_the_same_topic_and_show_the_same(clock: HandClock) -> None:
    seen = 'got "@all <b>&amp; 5 > 3</b>"\n@here [a](b) `c`\nhttps://status.example/incidents/1/?a=b&c=d'
    message = Message("Relay <s>: down & @channel", seen, link=seen.splitlines()[-1])

    def operations(*_: Any) -> Any:
        return SimpleNamespace(current_chat=int)

    async with telegram(Telegram(topics={7})) as phone:
        channel = f'url = "tgram://{TOKEN}/{CHAT}:7"\ntelegram_api = "{phone.url}"'
        text = f"""[service.s]\nendpoints = {{ a = "http://h" }}
            [channel.plain]\n{channel}\n[channel.forum]\n{channel}\ncommands = true"""
        config = parse(text, path=Path("monitor.toml"), env={})
        bots = TelegramBots(operations, clock, Random(1))
        bots.change(config, Notifier(sent_by_apprise(config), Redactor()))
        for name in ("plain", "forum"):
            for part in bots.parts(name, message):
                await bots.send(name, part)
        await bots.close()
    assert [(each.chat, each.topic) for each in phone.sent] == [(int(CHAT), 7)] * 2
    by_apprise, by_bot = (each.splitlines() for each in phone.messages)
    assert by_bot == by_apprise
    assert by_bot == [
        "Relay <s>: down & @\u2060channel",
        'got "@\u2060all <b>&amp; 5 > 3</b>"',
        "@\u2060here [a](b) `c`",
        "https://status.example/incidents/1/?a=b&c=d",
    ]
