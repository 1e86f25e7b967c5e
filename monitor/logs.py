"""Logging: one line per event to standard error, with secrets replaced after formatting.

Under systemd a line begins with `<N>`, its syslog priority, and carries no time: the journal has it.
On a terminal it begins with the time, and colours say how bad it is; in a file there are none.
"""

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from itertools import takewhile
from types import TracebackType
from typing import TextIO

from monitor.model import EntryKind, Incident, Redactor, TimelineEntry
from monitor.model.secret import printable

log = logging.getLogger(__name__)

_PRIORITY = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}
_FOREIGN = ("aiohttp", "apprise", "apscheduler", "asyncio", "requests", "urllib3")
"""Libraries whose chatter holds URLs and tokens, or a line per run: warnings and worse only."""


_COLOURS = {
    logging.CRITICAL: "1;31",
    logging.ERROR: "31",
    logging.WARNING: "33",
    logging.DEBUG: "2",
}
_EVENT = re.compile(r"\bevent=(\w+)")


def quoted(text: object) -> str:
    """Quote a text as the value of a key: what others sent may hold quotes itself."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def pairs(values: Mapping[str, object]) -> str:
    """Write `key=value` for every value that is known."""
    return " ".join(f"{key}={value}" for key, value in values.items() if value is not None)


def log_incident(before: Incident | None, after: Incident) -> None:
    """Log what is new in an incident's timeline; a run that was only counted is no news."""
    last = before.timeline[-1:] if before else ()
    new = takewhile(lambda entry: (entry,) != last, reversed(after.timeline))
    for entry in reversed(list(new)):
        _log_entry(after, entry)


def _log_entry(incident: Incident, entry: TimelineEntry) -> None:
    length = entry.at - incident.opened
    parts = {
        "number": incident.id,
        "what": entry.what.value,
        "severity": incident.severity.value,
        "service": incident.service,
        "check": entry.check,
        "kind": entry.kind and entry.kind.value,
        "open_s": round(length.total_seconds()) if entry.what is EntryKind.RESOLVED else None,
        "why": quoted(entry.text) if entry.text else None,
    }
    level = logging.WARNING if entry.what is EntryKind.OPENED else logging.INFO
    log.log(level, "event=incident %s", pairs(parts))


class RepeatFilter:
    """Remembers the last failure of each subject: the same one is news once, until it changes."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def is_news(self, subject: str, failure: str | None) -> bool:
        """Say whether `failure` differs from the last one. None means that all is well, and forgets it."""
        if failure is None:
            self._last.pop(subject, None)
            return False
        if self._last.get(subject) == failure:
            return False
        self._last[subject] = failure
        return True

    def level(self, subject: str, failure: str | None, otherwise: int = logging.INFO) -> int:
        return logging.WARNING if self.is_news(subject, failure) else otherwise


class SafeFormatter(logging.Formatter):
    def __init__(self, redact: Redactor, *, journal: bool, colour: bool = False) -> None:
        super().__init__(
            "%(message)s" if journal else "%(asctime)s %(levelname)-8s %(message)s",
            datefmt="%H:%M:%S",
        )
        self.redact = redact
        self._journal, self._colour = journal, colour

    def format(self, record: logging.LogRecord) -> str:
        text = self.redact(printable(super().format(record)))  # cleaned first: it may join a secret
        if not self._journal:
            return _coloured(text, record.levelno) if self._colour else text
        mark = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in text.splitlines())


def _coloured(text: str, level: int) -> str:
    """Colour the whole line where it is bad, else the event alone."""
    if level in _COLOURS:
        return f"\033[{_COLOURS[level]}m{text}\033[0m"
    return _EVENT.sub("\033[1m\\1\033[0m", text, count=1)


def is_under_systemd() -> bool:
    return "JOURNAL_STREAM" in os.environ or "INVOCATION_ID" in os.environ


def set_up(
    redact: Redactor, *, level: str = "INFO", journal: bool = False, to: TextIO | None = None
) -> None:
    out = to or sys.stderr
    handler = logging.StreamHandler(out)
    colour = out.isatty() and not os.environ.get("NO_COLOR")
    handler.setFormatter(SafeFormatter(redact, journal=journal, colour=colour))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    _guard_hook(redact)


def learn(redact: Redactor) -> None:
    """Replace other secrets from now on, and leave everything else as it was set up."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, SafeFormatter):
            handler.formatter.redact = redact
    _guard_hook(redact)


def _guard_hook(redact: Redactor) -> None:
    """Redact exceptions that nobody caught, which Python itself would print."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(redact(printable(text)))

    sys.excepthook = hook
