"""The Telegram address of a channel is read as Apprise reads it."""

import apprise
import pytest

from monitor.model.telegram_address import read_telegram_address

TOKEN = "123456789:" + "AbCdEfGhIj" * 3 + "AbCdE"


@pytest.mark.parametrize(
    "rest",
    [
        "42",
        "-100123:7",
        "42/-100123:7/@news/ops_group:12/",
        "42?topic=9&silent=yes&preview=yes",
        "42:3/43?thread=9&format=text",
        "?to=42,-43",
        "%40news:5",
    ],
)
@pytest.mark.parametrize("begin", [f"tgram://{TOKEN}/", f"tgram://bot{TOKEN.replace(':', '%3A')}/"])
def test_chats_topics_and_options_are_those_of_apprise(begin: str, rest: str) -> None:
    theirs = apprise.Apprise.instantiate(begin + rest)
    ours = read_telegram_address(begin + rest)
    assert ours.token.reveal() == theirs.bot_token
    assert {(chat.id, chat.topic) for chat in ours.chats} == {
        (chat, topic or None) for chat, topic in theirs.targets
    }
    assert (ours.silent, ours.preview) == (theirs.silent, theirs.preview)
