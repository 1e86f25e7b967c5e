"""A hook in `requests`, through which Apprise's plugins send: which proxy, and what came back.

The plugins call `requests` themselves, give it no proxy and tell success by the status alone. So its
`Session` class is patched, once, to ask the channel call at hand; Apprise carries the context into its
threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

_INSTALLED = "_monitor_hook"


@dataclass(slots=True)
class ChannelCall:
    """One message to one channel. `proxy` is None for the one that the environment names, if any."""

    proxy: str | None = None
    answers: list[Any] = field(default_factory=list)
    """Every response, oldest first."""


_current: ContextVar[ChannelCall | None] = ContextVar("channel_call", default=None)


@contextmanager
def used_for(call: ChannelCall) -> Iterator[ChannelCall]:
    """All that this context sends through `requests` belongs to `call`."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def install_hook(session: Any) -> None:
    """Patch the class `requests.Session`; a second time changes nothing."""
    if getattr(session, _INSTALLED, False):
        return
    original_settings, original_send = session.merge_environment_settings, session.send

    def merge_environment_settings(self: Any, *args: Any, **kwargs: Any) -> Any:
        settings, call = original_settings(self, *args, **kwargs), _current.get()
        if call and call.proxy:
            settings["proxies"] = {"http": call.proxy, "https": call.proxy}
        return settings

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        response, call = original_send(self, request, **kwargs), _current.get()
        if call:
            call.answers.append(response)
        return response

    session.merge_environment_settings, session.send = merge_environment_settings, send
    setattr(session, _INSTALLED, True)
