"""Deliver one message to one channel. The only file that knows Apprise.

Apprise is imported when a notifier for some channel is made: it costs 7 MB and a tenth of a second, which
commands that tell nobody need not pay.
"""

import asyncio
import contextlib
import logging
import re
import smtplib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Any

from monitor.alerts.acceptance import refusal
from monitor.alerts.apprise_plugins import load_plugins, mend
from monitor.alerts.channel_format import (
    ChannelFormat,
    address,
    holds_events,
    overflow_of,
    scheme_of,
    with_options,
)
from monitor.alerts.moved_chats import MovedChats
from monitor.alerts.requests_hook import ChannelCall, install_hooks, used_for
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
_FORMS = 2
"""How many forms of an address a complaint names; some services have nine."""
_URL_OPTIONS = {"cto": "5", "rto": "15"}
"""Apprise's time limits, in seconds."""
SERVICE_TIMEOUT = 30.0


class _Redacting(logging.Filter):
    """Redacts what Apprise logs: it shows a malformed Telegram token in clear, at WARNING."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redact(record.getMessage()), ()
        return True


class Notifier:
    """One Apprise object a channel, so that one failure has one name."""

    def __init__(
        self, channels: tuple[Channel, ...], redact: Redactor, moved: MovedChats | None = None
    ) -> None:
        """Raise ConfigError for an address that Apprise does not know."""
        _quiet(redact)
        self._redact = redact
        self._moved = moved or MovedChats()
        self._channels = _connect_all(channels, self._moved) if channels else {}

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
        logged = (
            " ".join(entry.message for entry in result.logs()) if hasattr(result, "logs") else ""
        )
        refused = refusal(
            channel.schema, call.heard(), reported=bool(result), log=logged, is_http=channel.is_http
        )
        if refused and refused.moved and await self._moved.learn(channel_id, *refused.moved):
            await self.send(channel_id, message)
        elif refused:
            why = self._clean(refused.why)
            raise NotDeliveredError(why, refused.wait, permanent=refused.needs_person)

    def _clean(self, text: str) -> str:
        return clean_text(self._redact(text))


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
    moved: MovedChats

    @property
    def proxy(self) -> str | None:
        proxy = self.channel.proxy
        return proxy.reveal().replace("socks5://", "socks5h://") if proxy else None

    @property
    def schema(self) -> str:
        """Return the scheme of the address; the plugin's where that is the service's own https://."""
        scheme = scheme_of(self.channel)
        is_known = scheme in self.apprise.NotificationManager()
        return scheme if is_known else str(self.plugin.schema)

    @property
    def is_http(self) -> bool:
        """Say whether the plugin sends through `requests`, itself or in a class that it derives from."""
        modules = [sys.modules[kind.__module__] for kind in type(self.plugin).__mro__]
        return any(
            ".plugins." in module.__name__ and hasattr(module, "requests") for module in modules
        )

    def notify(self, message: Message, call: ChannelCall) -> Any:
        rendered = self.format.render(message)
        single = self.apprise.Apprise(asset=self.asset)
        single.add(_readdressed(self._plugin_for(message), self.moved))
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
    manager = apprise.NotificationManager()
    schemes = manager.schemas()
    if scheme in schemes:
        forms = [_form(scheme, template) for template in manager[scheme].templates[:_FORMS]]
        return f"Apprise does not take this address, want {' or '.join(forms)}"
    if scheme in {"https", "http"}:
        return (
            f"Apprise does not know whose {scheme}:// address this is; want the service's own form, such as"
            " dingtalk://SECRET@TOKEN (docs/channels.md)"
        )
    near = get_close_matches(scheme, schemes, n=1)
    hint = f'; did you mean "{near[0]}://"?' if near else "; its wiki lists those that it knows"
    return f'Apprise knows no scheme "{scheme[:20]}://"{hint}'


def _form(scheme: str, template: str) -> str:
    """Write one of Apprise's templates as an address, `{token}` as TOKEN."""
    named = template.replace("{schema}", scheme)
    return re.sub(r"\{(\w+)\}", lambda part: part[1].upper(), named).rstrip("/")


def _readdressed(plugin: Any, moved: MovedChats) -> Any:
    """Let a plugin for Telegram write to groups under the numbers that they have now."""
    if type(plugin).__name__ == "NotifyTelegram":
        plugin.targets = [
            (int(moved.current(str(chat))) if isinstance(chat, int) else chat, topic)
            for chat, topic in plugin.targets
        ]
    return plugin


def _connect_all(channels: tuple[Channel, ...], moved: MovedChats) -> dict[str, _Connected]:
    import apprise  # noqa: PLC0415  # see above
    import requests  # noqa: PLC0415  # what Apprise sends through

    install_hooks(requests.Session, smtplib.SMTP)
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
        if one := _connect(apprise, asset, channel, moved):
            connected[channel.id] = one
        else:
            complaints.append(Complaint(f"channel.{channel.id}.url", _unknown(apprise, channel)))
    if complaints:
        raise ConfigError(tuple(complaints))
    return connected


def _connect(apprise: Any, asset: Any, channel: Channel, moved: MovedChats) -> _Connected | None:
    plugin = _plugin(apprise, asset, channel, channel.url.reveal())
    if not plugin or not len(plugin):
        return None
    if channel.url.reveal().startswith("https://"):  # a service's own address, which Apprise knows
        channel = replace(channel, url=Secret(plugin.url()))
    formats = plugin.notify_format
    formats = [*formats] if isinstance(formats, tuple | list) else [formats]
    told = ChannelFormat.of(channel, plugin.title_maxlen, plugin.body_maxlen, formats)
    return _Connected(apprise, asset, channel, plugin, told, moved)


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
