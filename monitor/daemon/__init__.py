"""The lifecycle of the daemon, and what it leaves for commands beside it."""

from datetime import datetime

STARTED = "started"
"""The store's name for the daemon's process id, the time at which it started, and its claim."""

BOTS = "telegram"
"""The store's name for how the Telegram bots fare, as JSON: by channel, since when, and why one does not listen."""


def start_note(pid: int, at: datetime, claim_id: str) -> str:
    """Return what stands under STARTED. In containers all daemons have the same process id, so that it tells none from others."""
    return f"{pid} {at.isoformat()} {claim_id}"


def noted_start(note: str, pid: int, claim_id: str) -> datetime | None:
    """Return when this daemon started; None where another one has left the note. Raises ValueError."""
    noted_pid, at, noted_id = note.split(" ")
    return datetime.fromisoformat(at) if (noted_pid, noted_id) == (str(pid), claim_id) else None
