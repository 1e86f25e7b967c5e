"""The lifecycle of the daemon, and what it leaves for commands beside it."""

STARTED = "started"
"""The store's name for the daemon's process id and the time at which it started."""

BOTS = "telegram"
"""The store's name for how the Telegram bots fare, as JSON: by channel, since when, and why one does not listen."""
