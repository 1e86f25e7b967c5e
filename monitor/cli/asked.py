"""Says what a person has asked the daemon for, and that it waits where no daemon runs."""

from monitor.cli.console import say
from monitor.config import Config
from monitor.store import Store


def say_asked(config: Config, text: str) -> None:
    """Print what was asked for; the request is in the store, and a daemon that starts takes it up."""
    say(text)
    if Store.holder(config.store) is None:
        say("No daemon runs: it is done when one starts (`monitor run`).")
