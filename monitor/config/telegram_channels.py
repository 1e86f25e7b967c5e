"""Complains of channels whose bot cannot take commands as the file asks for it."""

from collections.abc import Iterable

from monitor.config.parse_tables import ParsedTables
from monitor.model import Channel
from monitor.model.telegram_address import read_telegram_address


def check_telegram(tables: ParsedTables, channels: Iterable[Channel]) -> None:
    """Check what belongs to Telegram alone; one token has one channel that listens to its bot."""
    listening: dict[str, str] = {}
    for channel in channels:
        place = ("channel", channel.id)
        if not channel.commands:
            if channel.allow is not None:
                tables.complain((*place, "allow"), "needs `commands = true` beside it")
            if channel.subscribers:
                tables.complain((*place, "subscribers"), "needs `commands = true` beside it")
            continue
        scheme = channel.url.reveal().partition("://")[0].lower()
        if scheme != "tgram":
            what = f"belongs to tgram://TOKEN/CHAT alone, and `url` begins with {scheme[:20]}://"
            tables.complain((*place, "commands"), what)
            continue
        if channel.allow is not None and not channel.allow:
            what = "is empty, so nobody could command; leave it out, and the chats of `url` may"
            tables.complain((*place, "allow"), what)
        try:
            token = read_telegram_address(channel.url.reveal()).token.reveal()
        except ValueError as error:
            tables.complain((*place, "url"), f"cannot take commands: {error}")
            continue
        other = listening.setdefault(token, channel.id)
        if other != channel.id:
            what = (
                f"is set for this bot in [channel.{other}] already, and a bot has one listener;"
                " leave it out here, and list the chats of both there in `allow`"
            )
            tables.complain((*place, "commands"), what)
