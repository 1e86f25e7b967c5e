"""Our own failures. An endpoint's failures are values (`Failure`), never exceptions.

MonitorError
├── ConfigError        the configuration cannot be used; carries every complaint
├── StoreError         the store cannot be read or written
│   └── NewerSchemaError   it was written by a newer version; we refuse rather than guess
└── NotDeliveredError  a channel did not take a message; carries when to try again
    └── ReceiverGoneError  a webhook takes nothing any more; it is not tried again
"""

import re
import shlex
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


class MonitorError(Exception):
    """Any failure of our own; its text is fit for a person."""


def how_to_install(extra: str) -> str:
    """Return the command that adds an extra to this installation. Any other `pip` would ask an index for "monitor"."""
    return f'{shlex.quote(sys.executable)} -m pip install "monitor[{extra}]"'


@dataclass(frozen=True, slots=True)
class Complaint:
    """Says what is wrong in the configuration, and how to mend it.

    `where` is a key path (`service.a.probes.chat.every`) or `line 3`.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class ConfigError(MonitorError):
    """Is raised with all complaints of a configuration.

    `path` is the file that the places of the complaints are in, where they do not name it themselves.
    """

    def __init__(self, complaints: tuple[Complaint, ...], path: Path | None = None) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = complaints
        self.path = path

    @property
    def report(self) -> str:
        """Return the complaints under a line that names the file."""
        if self.path is None:
            return str(self)
        count = len(self.complaints)
        problems = "a problem" if count == 1 else f"{count} problems"
        return f"{self.path} has {problems}:\n{self}"


class StoreError(MonitorError):
    pass


class NewerSchemaError(StoreError):
    pass


class NotDeliveredError(MonitorError):
    """Is raised where a channel did not take a message.

    `retry_after` is what the channel asked for, if it did; `permanent`: no use to try again.
    """

    is_taken_by_some = False
    """Set where some of those whom the channel writes to have it, and the others are still to get it."""

    def __init__(
        self, reason: str, retry_after: timedelta | None = None, *, permanent: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.permanent = permanent


class ReceiverGoneError(NotDeliveredError):
    """Is raised where nobody is there any more, and it is no use to try again."""


_STATUS = re.compile(r"(?:error=|HTTP |SMTP )(\d{3})\b")
MENDED_BY_A_PERSON = "trying again helps only after somebody has mended it"
"""Ends the reason of a refusal that comes again until then."""
ADDRESS = "Its token or address is refused: copy it again into `url` of the channel."
CHAT = "Its chat refuses us: check the chat's number, and that the bot is in the chat and may write there."
SETTINGS = "The service refuses the message: its own words say why. Mend the channel's address or its settings there."
GONE = (
    "The channel left the configuration: put it back, or read on the page what it would have told."
)
REACH = "See whether this machine reaches the channel: `monitor test-alert` says what it answers."
RECEIVER = "Remove the webhook from the configuration, or put its receiver right and reload."
DELIVERY_REMEDIES = (ADDRESS, CHAT, SETTINGS, GONE, REACH, RECEIVER)


def delivery_remedy(why: str) -> str:
    """Return what a person can do about a message that its channel did not take.

    `why` is `OutboxMessage.last_error`. The English sentence is the key of its translation.
    """
    if why.startswith("there is no channel"):
        return GONE
    if "the receiver" in why or why.startswith("there is no webhook"):
        return RECEIVER
    match = _STATUS.search(why)
    status = int(match[1]) if match else 0
    if status in {401, 404, 530, 535}:
        return ADDRESS
    if status in {400, 403}:
        return CHAT
    return SETTINGS if why.endswith(MENDED_BY_A_PERSON) else REACH
