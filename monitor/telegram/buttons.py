"""The buttons below an alert: what they say, and what comes back when one is pressed. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from monitor.language import Language, marked
from monitor.model import Incident, Mute, Severity

SILENCE = timedelta(hours=1)
_DATA = re.compile(r"(ack|silence|details):(\d{1,15}):(\d{1,10})", re.ASCII)
_SAME = 15
"""Minutes by which the begin of an incident may have moved since a button was made."""
_MOST_ROWS = 5
_MOST_TARGETS = 5


class Action(StrEnum):
    ACK = "ack"
    SILENCE = "silence"
    DETAILS = "details"


LABELS = {
    Action.ACK: marked("Acknowledge"),
    Action.SILENCE: marked("Silence 1 h"),
    Action.DETAILS: marked("Details"),
}


@dataclass(frozen=True, slots=True)
class Button:
    """A button of an incident. `minute` is when that began, in minutes since 1970.

    A store that begins anew gives its numbers again: an old button must not act on another incident.
    """

    action: Action
    incident: int
    minute: int

    def belongs_to(self, incident: Incident) -> bool:
        return abs(_minute(incident.opened) - self.minute) <= _SAME

    @property
    def data(self) -> str:
        """Return what Telegram sends back; it takes 64 bytes."""
        return f"{self.action.value}:{self.incident}:{self.minute}"


def read_button(data: str) -> Button | None:
    """Read what came back; None for what is no button of ours."""
    match = _DATA.fullmatch(data)
    return match and Button(Action(match[1]), int(match[2]), int(match[3]))


def keyboard(incidents: Sequence[Incident], language: Language) -> dict[str, Any]:
    """Make the `reply_markup` of a message: one row for each incident that is open, no row for others."""
    going_on = [incident for incident in incidents if not incident.closed][:_MOST_ROWS]
    rows = [_row(incident, language, named=len(going_on) > 1) for incident in going_on]
    return {"inline_keyboard": rows}


def _row(incident: Incident, language: Language, *, named: bool) -> list[dict[str, str]]:
    """Return the buttons for what can be done: nobody silences the monitor's own incidents, or what is silenced."""
    useless = {Action.ACK} if incident.acked else set()
    if incident.service is None or incident.muted is Mute.SILENCE:
        useless.add(Action.SILENCE)
    minute, number = _minute(incident.opened), f" #{incident.id}" if named else ""
    return [
        {
            "text": language.gettext(label) + number,
            "callback_data": Button(action, incident.id, minute).data,
        }
        for action, label in LABELS.items()
        if action not in useless
    ]


def silence_targets(incident: Incident) -> tuple[str, ...]:
    """Return what to silence so that nobody is told of this incident: its base URLs, or its service."""
    paths = sorted({check.rsplit("/", 1)[0] for check in incident.active})
    if incident.severity is Severity.ACCOUNT or not 0 < len(paths) <= _MOST_TARGETS:
        return (incident.service or "",)
    return tuple(paths)


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)
