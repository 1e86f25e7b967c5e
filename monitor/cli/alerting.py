"""`monitor test-alert`: one message to every channel, and which did not take it."""

from collections.abc import Callable

from monitor.alerts import Notifier
from monitor.config import Config
from monitor.model import Complaint, ConfigError, Message, NotDeliveredError, Redactor

TEST = Message(
    "Test message from monitor",
    "If you can read this, alerts reach you here. Nothing is wrong.",
)


def check(config: Config) -> None:
    """Raise ConfigError for an address that Apprise does not know."""
    Notifier(config.channels, Redactor(config.secrets))


async def test_every_channel(config: Config, say: Callable[[str], None]) -> int:
    """How many channels failed."""
    if not config.channels:
        raise ConfigError(
            (
                Complaint(
                    "channel", "there is none; add a table such as [channel.telegram] with a url"
                ),
            )
        )
    notifier = Notifier(config.channels, Redactor(config.secrets))
    failed = 0
    for channel in config.channels:
        try:
            await notifier.send(channel.id, TEST)
        except NotDeliveredError as error:
            failed += 1
            say(f"{channel.id}: failed: {error}")
        else:
            say(f"{channel.id}: sent")
    return failed
