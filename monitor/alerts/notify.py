"""Deliver one message to one channel. The only file that knows Apprise.

Apprise is imported when a notifier for some channel is made: it costs 7 MB and a tenth of a second, which
commands that tell nobody need not pay.
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from monitor.alerts.apprise_plugins import load_plugins, mend
from monitor.alerts.channel_format import (
    ChannelFormat,
    address,
    holds_events,
    overflow_of,
    with_options,
)
from monitor.alerts.requests_hook import ChannelCall, install_hook, used_for
from monitor.model import (
    Channel,
    Complaint,
    ConfigError,
    Message,
    NotDeliveredError,
    Redactor,
    Secret,
    clean_text,
)

_LIBRARIES = ("apprise", "urllib3", "requests")
_RETRY_AFTER = re.compile(r"retry[ _]after[\"':\s]*(\d{1,9})", re.IGNORECASE)
_STATUS = re.compile(r"error=40[0134]\b")
"""Wrong token, wrong chat, thrown out: a person must mend that."""
_LONGEST_WAIT_S = 86_400
_URL_OPTIONS = {"cto": "5", "rto": "15"}
"""Apprise's time limits, in seconds."""
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

    def holds_events(self, channel_id: str) -> bool:
        """Say whether it keeps one event for each incident, as on-call services do."""
        channel = self._channels.get(channel_id)
        return channel is not None and holds_events(channel.channel)

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        """Return what is to be sent in turn, each within what the channel takes."""
        channel = self._channels.get(channel_id)
        return channel.format.parts(message) if channel else (message,)

    async def tell(self, channel_id: str, message: Message) -> None:
        """Send all of it. Raise NotDeliveredError when a part was not taken, or may not have been."""
        for part in self.parts(channel_id, message):
            await self.send(channel_id, part)

    async def send(self, channel_id: str, message: Message) -> None:
        """Raise NotDeliveredError when the channel did not take it, or may not have."""
        channel = self._channels.get(channel_id)
        if channel is None:
            raise NotDeliveredError(f"there is no channel {channel_id} any more", permanent=True)
        call = ChannelCall(channel.proxy)
        try:
            result = await _in_thread(partial(channel.notify, message, call))
        except Exception as error:  # noqa: BLE001  # plugins raise what they like
            raise NotDeliveredError(self._clean(f"{type(error).__name__}: {error}")) from None
        if not result:
            raise self._refused(result, call)
        if channel.is_telegram and (refusal := _telegram_refusal(call)):
            raise NotDeliveredError(self._clean(refusal), _retry_after(call))

    def _refused(self, result: Any, call: ChannelCall) -> NotDeliveredError:
        """Apprise keeps what went wrong in its log only; what was answered, we keep ourselves."""
        lines = [entry.message for entry in result.logs()] if hasattr(result, "logs") else []
        log_text = " ".join(lines)
        asked, status = _RETRY_AFTER.search(log_text), _STATUS.search(log_text)
        text = self._clean(log_text) or "the channel did not take it and gave no reason"
        wait = _retry_after(call) or _seconds(asked and asked[1])
        return NotDeliveredError(text, wait, permanent=status is not None)

    def _clean(self, text: str) -> str:
        return clean_text(self._redact(text))


def _retry_after(call: ChannelCall) -> timedelta | None:
    """Return how long the channel wants to be left alone, from its last answer."""
    answer = call.answers[-1] if call.answers else None
    if answer is None or answer.status_code not in {200, 429, 503}:
        return None
    parameters = _json(answer).get("parameters")
    telegram_wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    header = answer.headers.get("Retry-After")
    date = answer.headers.get("Date")
    return _seconds(telegram_wait) or _seconds(header) or _until(header, date)


def _until(moment: str | None, sent: str | None) -> timedelta | None:
    """The time to an HTTP date, from the answer's own date: whose clock is right does not matter."""
    try:
        wait = parsedate_to_datetime(moment or "") - parsedate_to_datetime(sent or "")
    except (ValueError, TypeError, OverflowError):
        return None
    longest = timedelta(seconds=_LONGEST_WAIT_S)
    return min(wait, longest) if wait > timedelta(0) else None


def _seconds(value: Any) -> timedelta | None:
    """A wait in seconds; None for what is no positive whole number."""
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()):
        return None
    return timedelta(seconds=min(int(text[:9]), _LONGEST_WAIT_S))


def _telegram_refusal(call: ChannelCall) -> str | None:
    """The Bot API says `ok` in every answer; one that does not comes from somebody else."""
    for answer in call.answers:
        body = _json(answer)
        if body.get("ok") is not True:
            why = body.get("description") or "an answer that is not the Bot API's"
            return f"HTTP {answer.status_code}, but not delivered: {why}"
    return None


def _json(answer: Any) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Run it outside the loop's own pool: a plugin that hangs must not keep the process from ending."""
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
    """Holds one channel. `apprise` is the module, `asset` what its objects share."""

    apprise: Any
    asset: Any
    channel: Channel
    plugin: Any
    format: ChannelFormat

    @property
    def proxy(self) -> str | None:
        proxy = self.channel.proxy
        return proxy.reveal().replace("socks5://", "socks5h://") if proxy else None

    @property
    def is_telegram(self) -> bool:
        return type(self.plugin).__name__ == "NotifyTelegram"

    def notify(self, message: Message, call: ChannelCall) -> Any:
        rendered = self.format.render(message)
        single = self.apprise.Apprise(asset=self.asset)
        single.add(self._plugin_for(message))
        with used_for(call):
            return single.notify(
                title=rendered.title,
                body=rendered.body,
                body_format=rendered.markup.value,
                notify_type=rendered.kind,
            )

    def _plugin_for(self, message: Message) -> Any:
        """Return the plugin that is there already, with what it remembers, where the address is the same."""
        url = address(self.channel, message)
        if url == self.channel.url.reveal():
            return self.plugin
        plugin = _plugin(self.apprise, self.asset, self.channel, url)
        if not plugin:
            raise ValueError(
                "Apprise takes the channel's address, and not with what belongs to a message"
            )
        return plugin


def _unknown(apprise: Any, channel: Channel) -> str:
    """Say why Apprise takes no address. Nothing of it is quoted but its scheme."""
    scheme = channel.url.reveal().partition("://")[0].lower()
    schemes = apprise.NotificationManager().schemas()
    if scheme in schemes:
        return f"Apprise does not take this address; see its wiki for the form of {scheme}://"
    near = get_close_matches(scheme, schemes, n=1)
    hint = f'; did you mean "{near[0]}://"?' if near else "; its wiki lists those that it knows"
    return f'Apprise knows no scheme "{scheme[:20]}://"{hint}'


def _connect_all(channels: tuple[Channel, ...]) -> dict[str, _Connected]:
    import apprise  # noqa: PLC0415  # see above
    import requests  # noqa: PLC0415  # what Apprise sends through

    install_hook(requests.Session)
    load_plugins(apprise, (channel.url.reveal() for channel in channels))
    asset = apprise.AppriseAsset(
        app_id="monitor",
        app_desc="monitor",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=SERVICE_TIMEOUT,
    )
    connected: dict[str, _Connected] = {}
    complaints = []
    for channel in channels:
        if one := _connect(apprise, asset, channel):
            connected[channel.id] = one
        else:
            complaints.append(Complaint(f"channel.{channel.id}.url", _unknown(apprise, channel)))
    if complaints:
        raise ConfigError(tuple(complaints))
    return connected


def _connect(apprise: Any, asset: Any, channel: Channel) -> _Connected | None:
    plugin = _plugin(apprise, asset, channel, channel.url.reveal())
    if not plugin or not len(plugin):
        return None
    if channel.url.reveal().startswith("https://"):  # a service's own address, which Apprise knows
        channel = replace(channel, url=Secret(plugin.url()))
    formats = plugin.notify_format
    formats = [*formats] if isinstance(formats, tuple | list) else [formats]
    told = ChannelFormat.of(channel, plugin.title_maxlen, plugin.body_maxlen, formats)
    return _Connected(apprise, asset, channel, plugin, told)


def _plugin(apprise: Any, asset: Any, channel: Channel, url: str) -> Any:
    plugin = apprise.Apprise.instantiate(with_options(url, _URL_OPTIONS), asset=asset)
    if plugin:
        # it counts by the wall clock; the courier has a rate of its own
        plugin.request_rate_per_sec = 0
        plugin.overflow_mode = apprise.OverflowMode(overflow_of(channel))
        if channel.telegram_api:
            plugin.notify_url = f"{channel.telegram_api}/bot"
        mend(plugin)
    return plugin


def _quiet(redact: Redactor) -> None:
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))
        logger.filters[:] = [own for own in logger.filters if not isinstance(own, _Redacting)]
        logger.addFilter(_Redacting(redact))
    logging.getLogger("apprise").propagate = False  # the courier says it, once, with the rest
