"""Our own failures. An endpoint's failures are values (`Failure`), never exceptions.

MonitorError
├── ConfigError        the configuration cannot be used; carries every complaint
├── StoreError         the store cannot be read or written
│   └── NewerSchemaError   it was written by a newer version; we refuse rather than guess
└── NotDeliveredError  a channel did not take a message; carries when to try again
"""

from dataclasses import dataclass
from datetime import timedelta


class MonitorError(Exception):
    """Anything that is ours; its text is fit for a person."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """`where` is a key path (`service.a.probes.chat.every`) or `line 3`."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class ConfigError(MonitorError):
    def __init__(self, complaints: tuple[Complaint, ...]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = complaints


class StoreError(MonitorError):
    pass


class NewerSchemaError(StoreError):
    pass


class NotDeliveredError(MonitorError):
    """`retry_after` is what the channel asked for, if it did; `permanent`: no use to try again."""

    def __init__(
        self, reason: str, retry_after: timedelta | None = None, *, permanent: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.permanent = permanent
