"""Deliver one message to one channel. The only file that knows Apprise.

Apprise is imported when a notifier is made: it costs 7 MB and a tenth of a second, which `monitor
validate` need not pay.
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from monitor.alerts.plugins import load_plugins
from monitor.alerts.requests_hook import ChannelCall, going, teach
from monitor.model import (
    Channel,
    Complaint,
    ConfigError,
    Message,
    NotDeliveredError,
    Redactor,
    clean_text,
)

_LIBRARIES = ("apprise", "urllib3", "requests")
_RETRY_AFTER = re.compile(r"retry[ _]after[\"':\s]*(\d{1,9})", re.IGNORECASE)
_STATUS = re.compile(r"error=40[0134]\b")
"""Wrong token, wrong chat, thrown out: a person must mend that."""
_LONGEST_WAIT_S = 86_400
_ASKS = "overflow=split&cto=5&rto=15"
"""Belt for our own length limit, and time limits: Apprise's default would lose a long message."""
SERVICE_TIMEOUT = 30.0


class _Redacting(logging.Filter):
    """Apprise logs a malformed Telegram token in clear, at WARNING."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redact(record.getMessage()), ()
        return True


class Notifier:
    """One Apprise object a channel, so that one failure has one name."""

    def __init__(self, channels: tuple[Channel, ...], redact: Redactor) -> None:
        """Raise ConfigError for an address that Apprise does not know."""
        _quiet(redact)
        self._redact = redact
        self._channels = _connect_all(channels) if channels else {}

    async def send(self, channel_id: str, message: Message) -> None:
        """Raise NotDeliveredError when the channel did not take it, or may not have."""
        channel = self._channels.get(channel_id)
        if channel is None:
            raise NotDeliveredError(f"there is no channel {channel_id} any more", permanent=True)
        way = ChannelCall(channel.proxy)
        try:
            result = await _in_thread(partial(channel.notify, message, way))
        except Exception as error:  # noqa: BLE001  # plugins raise what they like
            raise NotDeliveredError(self._clean(f"{type(error).__name__}: {error}")) from None
        if not result:
            raise self._refused(result, way)
        if channel.is_telegram and (refusal := _denied(way)):
            raise NotDeliveredError(self._clean(refusal), _asked_for(way))

    def _refused(self, result: Any, way: ChannelCall) -> NotDeliveredError:
        """Apprise keeps what went wrong in its log only; what was answered, we keep ourselves."""
        lines = [entry.message for entry in result.logs()] if hasattr(result, "logs") else []
        said = " ".join(lines)
        found, status = _RETRY_AFTER.search(said), _STATUS.search(said)
        text = self._clean(said) or "the channel did not take it and gave no reason"
        return NotDeliveredError(
            text, _asked_for(way) or _seconds(found and found[1]), permanent=status is not None
        )

    def _clean(self, text: str) -> str:
        return clean_text(self._redact(text))


def _asked_for(way: ChannelCall) -> timedelta | None:
    """How long the channel wants to be left alone, from its last answer."""
    answer = way.answers[-1] if way.answers else None
    if answer is None or answer.status_code not in {200, 429, 503}:
        return None
    asked = _json(answer).get("parameters")
    told = asked.get("retry_after") if isinstance(asked, dict) else None
    header = answer.headers.get("Retry-After")
    return _seconds(told) or _seconds(header) or _until(header, answer.headers.get("Date"))


def _until(moment: str | None, sent: str | None) -> timedelta | None:
    """A date of HTTP, counted from the answer's own: whose clock is right does not matter."""
    try:
        asked = parsedate_to_datetime(moment or "") - parsedate_to_datetime(sent or "")
    except (ValueError, TypeError, OverflowError):
        return None
    longest = timedelta(seconds=_LONGEST_WAIT_S)
    return min(asked, longest) if asked > timedelta(0) else None


def _seconds(told: Any) -> timedelta | None:
    """What is no whole number counts as nothing."""
    text = str(told).strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return timedelta(seconds=min(int(text[:9]), _LONGEST_WAIT_S))


def _denied(way: ChannelCall) -> str | None:
    """The Bot API says `ok` in every answer; one that does not comes from somebody else."""
    for answer in way.answers:
        found = _json(answer)
        if found.get("ok") is not True:
            why = found.get("description") or "an answer that is not the Bot API's"
            return f"HTTP {answer.status_code}, but not delivered: {why}"
    return None


def _json(answer: Any) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Not in the loop's own pool: a plugin that hangs must not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as exc:  # noqa: BLE001  # plugins raise what they like
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name="notify", daemon=True).start()
    return await future


@dataclass(frozen=True, slots=True)
class _Connected:
    """`apprise` is an Apprise object with one plugin."""

    apprise: Any
    proxy: str | None
    is_telegram: bool

    def notify(self, message: Message, way: ChannelCall) -> Any:
        with going(way):
            return self.apprise.notify(title=message.title, body=message.body, body_format="text")


def _connect_all(channels: tuple[Channel, ...]) -> dict[str, _Connected]:
    import apprise  # noqa: PLC0415  # see above
    import requests  # noqa: PLC0415  # Apprise's own way out

    teach(requests.Session)
    load_plugins(apprise, (channel.url.reveal() for channel in channels))
    asset = apprise.AppriseAsset(
        app_id="monitor",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=SERVICE_TIMEOUT,
    )
    made = {channel.id: _connect(apprise, asset, channel) for channel in channels}
    what = "Apprise does not know this address; see its wiki for the form of each service"
    bad = tuple(
        Complaint(f"channel.{name}.url", what) for name, each in made.items() if each is None
    )
    if bad:
        raise ConfigError(bad)
    return {name: each for name, each in made.items() if each}


def _connect(apprise: Any, asset: Any, channel: Channel) -> _Connected | None:
    url = channel.url.reveal()
    plugin = apprise.Apprise.instantiate(f"{url}{'&' if '?' in url else '?'}{_ASKS}", asset=asset)
    if not plugin:
        return None
    if channel.telegram_api:
        plugin.notify_url = f"{channel.telegram_api}/bot"
    found = apprise.Apprise(asset=asset)
    found.add(plugin)
    if not len(found):
        return None
    proxy = channel.proxy.reveal().replace("socks5://", "socks5h://") if channel.proxy else None
    return _Connected(found, proxy, type(plugin).__name__ == "NotifyTelegram")


def _quiet(redact: Redactor) -> None:
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))
        logger.filters[:] = [each for each in logger.filters if not isinstance(each, _Redacting)]
        logger.addFilter(_Redacting(redact))
    logging.getLogger("apprise").propagate = False  # the courier says it, once, with the rest
