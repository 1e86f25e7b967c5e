"""`monitor incident note`: a person's words in an incident's timeline, and on its page."""

from datetime import datetime

from monitor.cli.acking import find
from monitor.config import Config
from monitor.model import MonitorError, OperatorRequest, Redactor, RequestKind, clean_text
from monitor.store import Store

LONGEST = 1000


def note(config: Config, number: int, text: str, now: datetime) -> str:
    """The page is public: secrets are masked, control characters go."""
    find(config, number)
    text = clean_text(Redactor(config.secrets)(text), LONGEST)
    if not text:
        raise MonitorError("the note is empty")
    request = OperatorRequest(at=now, what=RequestKind.NOTE, target=str(number), text=text)
    Store.request(config.store, request)
    return f"#{number}: noted"
