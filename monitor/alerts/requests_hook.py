"""Hooks in `requests` and `smtplib`, through which Apprise's plugins send: which proxy, and what came back.

The plugins call `requests` themselves, give it no proxy and tell success by the status alone; what a
mail server answers they log at DEBUG. So both are patched, once, to ask the channel call at hand;
Apprise carries the context into its threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from monitor.alerts.acceptance import ChannelAnswer

_INSTALLED = "_monitor_hook"


@dataclass(slots=True)
class ChannelCall:
    """One message to one channel. `proxy` is None for the one that the environment names, if any."""

    proxy: str | None = None
    answers: list[Any] = field(default_factory=list)
    """Every response of `requests`, oldest first."""
    replies: list[ChannelAnswer] = field(default_factory=list)
    """Every reply of a mail server, oldest first."""

    def heard(self) -> tuple[ChannelAnswer, ...]:
        """Return what was answered, oldest first; a body that the plugin streamed is left out."""
        return (*map(_answer, self.answers), *self.replies)


def _answer(response: Any) -> ChannelAnswer:
    try:
        body = response.content or b""
    except (RuntimeError, OSError):  # it was read as a stream, or was cut
        body = b""
    headers = {name.lower(): value for name, value in response.headers.items()}
    sent = response.request.body or b""
    sent = sent.encode() if isinstance(sent, str) else sent if isinstance(sent, bytes) else b""
    return ChannelAnswer(response.url or "", response.status_code, headers, body, sent=sent)


_current: ContextVar[ChannelCall | None] = ContextVar("channel_call", default=None)


@contextmanager
def used_for(call: ChannelCall) -> Iterator[ChannelCall]:
    """Let all that this context sends through `requests` belong to `call`."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def install_hooks(session: Any, smtp: Any) -> None:
    """Patch the classes `requests.Session` and `smtplib.SMTP`; a second time changes nothing."""
    if getattr(session, _INSTALLED, False):
        return
    _hear_replies(smtp)
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


def _hear_replies(smtp: Any) -> None:
    original = smtp.getreply

    def getreply(self: Any) -> tuple[int, bytes]:
        code, text = original(self)
        if call := _current.get():
            call.replies.append(ChannelAnswer("", code, body=text, protocol="SMTP"))
        return code, text

    smtp.getreply = getreply
