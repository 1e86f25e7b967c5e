"""`monitor report-failure`: tell the channels that the service failed.

systemd starts it when the service has failed (`OnFailure=`).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from monitor import config
from monitor.alerts import Notifier, self_alerts
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, service_env
from monitor.clock import SystemClock
from monitor.config import Config, channels_only
from monitor.language import Language, language
from monitor.model import (
    ConfigError,
    Message,
    MonitorError,
    NotDeliveredError,
    NotificationType,
    Redactor,
)

RETRY_DELAYS_S = (0, 5, 20)
"""Seconds before each try: nobody else will tell it, and nobody is held up."""
REPEAT_AFTER = timedelta(hours=4)
"""Time between two messages about one crash loop."""
BAD_CONFIG = "78"
_TOLD_BEFORE = "told before; a crash loop is told every four hours"


def command(path: ConfigPath = None) -> None:
    """Tell every channel that the service has failed; systemd starts this. Exit 1 if one failed."""
    file = config.find(path)
    env = service_env(file, os.environ)
    failed = report_failure(file, env, SystemClock().now(), say)
    raise typer.Exit(1 if failed else 0)


def report_failure(
    path: Path, env: Mapping[str, str], now: datetime, say: Callable[[str], None]
) -> int:
    """Return how many channels could not be told. Raises MonitorError where there is no channel."""
    usable, complaints = _read(path, env)
    if _is_crash(env) and _was_told(env, now):
        say(_TOLD_BEFORE)
        return 0
    redact = Redactor(usable.secrets)
    say_to = language(usable.alerts.language)
    message = _message(env, tuple(map(redact, complaints)), usable.vantage, say_to)
    if not usable.channels:
        raise MonitorError(f"{path} has no channel that could be told; it failed: {message.body}")
    failed = asyncio.run(_tell_all(usable, redact, message, say))
    if _is_crash(env) and failed < len(usable.receivers):
        _remember(env, now)
    return failed


def _is_crash(env: Mapping[str, str]) -> bool:
    """Say whether systemd will start it again: after any known end but a bad configuration."""
    return env.get("MONITOR_EXIT_STATUS", BAD_CONFIG) != BAD_CONFIG


def _marker(env: Mapping[str, str]) -> Path | None:
    folder = env.get("RUNTIME_DIRECTORY")
    return Path(folder) / "told" if folder else None


def _was_told(env: Mapping[str, str], now: datetime) -> bool:
    marker = _marker(env)
    if marker is None or not marker.is_file():
        return False
    return timedelta(0) <= now - datetime.fromtimestamp(marker.stat().st_mtime, UTC) < REPEAT_AFTER


def _remember(env: Mapping[str, str], now: datetime) -> None:
    if marker := _marker(env):
        with contextlib.suppress(OSError):  # then it is told again, which is better than never
            marker.touch()
            os.utime(marker, (now.timestamp(), now.timestamp()))


def _read(path: Path, env: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    try:
        return config.load(path, env), ()
    except ConfigError as error:
        return channels_only(path, env), tuple(map(str, error.complaints))


def _message(
    env: Mapping[str, str], complaints: tuple[str, ...], vantage: str, say: Language
) -> Message:
    result = env.get("MONITOR_SERVICE_RESULT", "unknown")
    status = env.get("MONITOR_EXIT_STATUS", "unknown")
    text = self_alerts.stopped(
        env.get("MONITOR_UNIT", "monitor.service"),
        f"result {result}, status {status}",
        complaints,
        say,
        again=_is_crash(env),
    )
    title, _, body = text.partition("\n")
    event = f"{vantage}/{self_alerts.STOPPED}"
    return Message(title, body, what=NotificationType.OPENED, event=event)


async def _tell_all(
    usable: Config, redact: Redactor, message: Message, say: Callable[[str], None]
) -> int:
    failed = 0
    for channel in usable.receivers:
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
    for wait in RETRY_DELAYS_S:
        await asyncio.sleep(wait)
        try:
            await notifier.tell(channel, message)
        except NotDeliveredError as error:
            say(f"{channel}: failed: {error}")
        else:
            say(f"{channel}: told")
            return True
    return False
