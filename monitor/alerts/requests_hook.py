"""How the plugins of Apprise reach the world, by channel: through which proxy, and what came back.

They call `requests` themselves, give it no proxy and tell success by the status alone. So its
`Session` is taught, once, to ask the channel at hand; Apprise carries the context into its threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

_MARK = "_monitor_way"


@dataclass(slots=True)
class ChannelCall:
    """Of one message. `proxy` is None for the one that the environment names, if any."""

    proxy: str | None = None
    answers: list[Any] = field(default_factory=list)
    """Every response, oldest first."""


_way: ContextVar[ChannelCall | None] = ContextVar("way", default=None)


@contextmanager
def going(way: ChannelCall) -> Iterator[ChannelCall]:
    """All that this context asks of `requests` goes that way."""
    token = _way.set(way)
    try:
        yield way
    finally:
        _way.reset(token)


def teach(session: Any) -> None:
    """`session` is the class `requests.Session`; twice is once."""
    if getattr(session, _MARK, False):
        return
    settings, send = session.merge_environment_settings, session.send

    def merge_environment_settings(self: Any, *args: Any, **kwargs: Any) -> Any:
        found, way = settings(self, *args, **kwargs), _way.get()
        if way and way.proxy:
            found["proxies"] = {"http": way.proxy, "https": way.proxy}
        return found

    def send_and_keep(self: Any, request: Any, **kwargs: Any) -> Any:
        response, way = send(self, request, **kwargs), _way.get()
        if way:
            way.answers.append(response)
        return response

    session.merge_environment_settings, session.send = merge_environment_settings, send_and_keep
    setattr(session, _MARK, True)
