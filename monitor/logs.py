"""One line per event to standard error; secrets are replaced after everything else is formatted.

Under systemd a line begins with `<N>`, its syslog priority, and carries no time: the journal has it.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import TextIO

from monitor.model import Redactor

_PRIORITY = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}
_FOREIGN = ("aiohttp", "apprise", "apscheduler", "asyncio", "requests", "urllib3")
"""Libraries whose chatter holds URLs and tokens, or a line per run: warnings and worse only."""


class SafeFormatter(logging.Formatter):
    def __init__(self, redact: Redactor, *, journal: bool) -> None:
        super().__init__(
            "%(message)s" if journal else "%(asctime)s %(levelname)-7s %(message)s",
            datefmt="%H:%M:%S",
        )
        self.redact = redact
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = self.redact(super().format(record))
        if not self._journal:
            return text
        mark = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in text.splitlines())


def set_up(
    redact: Redactor, *, level: str = "INFO", journal: bool = False, to: TextIO | None = None
) -> None:
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(SafeFormatter(redact, journal=journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _FOREIGN:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    _guard_hook(redact)


def learn(redact: Redactor) -> None:
    """Other secrets from now on, everything else as it was set up."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, SafeFormatter):
            handler.formatter.redact = redact
    _guard_hook(redact)


def _guard_hook(redact: Redactor) -> None:
    """An exception that nobody caught is printed by Python itself: redact that too."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = hook
