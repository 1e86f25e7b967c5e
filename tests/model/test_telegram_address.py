"""The Telegram address of a channel is read as Apprise reads it."""

import apprise
import pytest

from monitor.model.telegram_address import one_by_one, read_telegram_address

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
    single = [read_telegram_address(url) for url in one_by_one(begin + rest)]
    assert [each.chats for each in single] == [(chat,) for chat in ours.chats]
    assert {(each.token, each.silent, each.preview) for each in single} == {
        (ours.token, ours.silent, ours.preview)
    }


@pytest.mark.parametrize("url", ["json://host/1/2", f"tgram://{TOKEN}/", f"tgram://{TOKEN}/4?to=+"])
def test_what_has_no_several_chats_stays_as_it_is(url: str) -> None:
    assert one_by_one(url) == (url,)
