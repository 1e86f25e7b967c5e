"""`monitor report-failure`: what systemd starts when the service has ended for good (`OnFailure=`)."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from monitor import config
from monitor.alerts import Notifier
from monitor.config import Config
from monitor.config.salvage import channels_only
from monitor.model import ConfigError, Message, MonitorError, NotDeliveredError, Redactor

TRIES = (0, 5, 20)
"""Seconds before each try: nobody else will tell it, and nobody is held up."""
MOST_COMPLAINTS = 20


def report(path: Path, env: Mapping[str, str], say: Callable[[str], None]) -> int:
    """How many channels could not be told; there must be one. Raises MonitorError."""
    usable, complaints = _read(path, env)
    redact = Redactor(usable.secrets)
    message = _message(env, tuple(map(redact, complaints)))
    if not usable.channels:
        raise MonitorError(f"{path} has no channel that could be told; it failed: {message.body}")
    return asyncio.run(_tell_all(usable, redact, message, say))


def _read(path: Path, env: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    try:
        return config.load(path, env), ()
    except ConfigError as error:
        return channels_only(path, env), tuple(map(str, error.complaints))


def _message(env: Mapping[str, str], complaints: tuple[str, ...]) -> Message:
    unit = env.get("MONITOR_UNIT", "monitor.service")
    result = env.get("MONITOR_SERVICE_RESULT", "unknown")
    status = env.get("MONITOR_EXIT_STATUS", "unknown")
    lines = [
        f"{unit} has ended and will not be started again (result {result}, status {status}).",
        "Nothing is probed until somebody mends that.",
        *complaints[:MOST_COMPLAINTS],
    ]
    if len(complaints) > MOST_COMPLAINTS:
        lines.append(f"and {len(complaints) - MOST_COMPLAINTS} more")
    lines.append(f"More: journalctl -u {unit}")
    return Message("👁 monitor: monitoring has stopped", "\n".join(lines))


async def _tell_all(
    usable: Config, redact: Redactor, message: Message, say: Callable[[str], None]
) -> int:
    failed = 0
    for channel in usable.channels:
        try:
            notifier = Notifier((channel,), redact)
        except ConfigError as error:
            failed += 1
            say(f"{channel.id}: failed: {error}")
        else:
            failed += not await _tell(notifier, channel.id, message, say)
    return failed


async def _tell(
    notifier: Notifier, channel: str, message: Message, say: Callable[[str], None]
) -> bool:
    for wait in TRIES:
        await asyncio.sleep(wait)
        try:
            await notifier.send(channel, message)
        except NotDeliveredError as error:
            say(f"{channel}: failed: {error}")
        else:
            say(f"{channel}: told")
            return True
    return False
