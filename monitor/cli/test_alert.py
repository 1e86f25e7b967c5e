"""`monitor test-alert`: send a test message to every channel."""

import asyncio
from collections.abc import Callable

import typer

from monitor.alerts import Notifier
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load
from monitor.config import Config
from monitor.model import Complaint, ConfigError, Message, NotDeliveredError, Redactor

TEST_MESSAGE = Message(
    "Test message from monitor",
    "If you can read this, alerts reach you here. Nothing is wrong.",
    event="test",
)


def command(path: ConfigPath = None) -> None:
    """Send one test message to every channel, and say which failed and why. Exit 1 if one failed."""
    loaded = load(path)
    failed = asyncio.run(test_every_channel(loaded, say))
    raise typer.Exit(1 if failed else 0)


async def test_every_channel(config: Config, say: Callable[[str], None]) -> int:
    """Return how many channels failed. Raises ConfigError where there is none."""
    if not config.channels:
        what = "there is none; add a table such as [channel.telegram] with a url"
        raise ConfigError((Complaint("channel", what),), config.path)
    notifier = Notifier(config.channels, Redactor(config.secrets))
    failed = 0
    for channel in config.channels:
        try:
            await notifier.tell(channel.id, TEST_MESSAGE)
        except NotDeliveredError as error:
            failed += 1
            say(f"{channel.id}: failed: {error}")
        else:
            say(f"{channel.id}: sent")
    return failed
