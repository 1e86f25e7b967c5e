"""What a person asks of the daemon from another process: it waits in the store until it is done."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model.maintenance import Silence


class RequestKind(StrEnum):
    SILENCE = "silence"
    ACK = "ack"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRequest:
    """`target` is what a silence covers, or the number of an incident."""

    id: int = 0
    """Given by the store; 0 before."""
    at: datetime
    what: RequestKind
    target: str
    until: datetime | None = None
    text: str = ""

    @property
    def silence(self) -> Silence:
        return Silence(
            target=self.target, since=self.at, until=self.until or self.at, why=self.text
        )

    @property
    def incident(self) -> int:
        return int(self.target) if self.target.isdigit() else 0
