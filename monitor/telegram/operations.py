"""The part of the daemon that a bot sees."""

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from typing import Protocol

from monitor.language import Language
from monitor.model import Check, Incident, OperatorRequest, Result, Subscriber
from monitor.page import PageView


class BotStore(Protocol):
    """The part of the store that a bot reads and writes by itself. Raises StoreError."""

    async def incident(self, incident_id: int) -> Incident | None: ...

    async def subscribers(self) -> tuple[Subscriber, ...]: ...

    async def subscribe(self, subscriber: Subscriber) -> None: ...

    async def unsubscribe(self, channel: str, chat: int, service: str | None = None) -> None:
        """Forget what a chat subscribed to; None is all of it."""
        ...


class Operations(Protocol):
    """Says what a bot may know, and do for a person. Reads and writes raise StoreError."""

    @property
    def store(self) -> BotStore: ...

    @property
    def language(self) -> Language:
        """Return the operator's language."""
        ...

    @property
    def timezone(self) -> tzinfo:
        """Return the time zone of what the operator reads."""
        ...

    @property
    def checks(self) -> tuple[Check, ...]: ...

    @property
    def waiting(self) -> int:
        """Return the number of messages that are not delivered."""
        ...

    async def page(self) -> PageView:
        """Look at everything as the page shows it, for an operator, in their language."""
        ...

    async def public_page(self, language: Language) -> PageView:
        """Look at what the page shows to everybody, in a reader's language."""
        ...

    @property
    def carry_out(self) -> Callable[[OperatorRequest], Awaitable[None]]:
        """Do what a command such as `monitor ack` asks for, and return when it is done. Raises MonitorError."""
        ...

    async def run_check(self, check: Check) -> Result | None:
        """Run a check out of turn, here; None where no result has come in time."""
        ...

    def current_chat(self, chat: int) -> int:
        """Return the number of a chat now: a group that became a supergroup has another one."""
        ...

    async def follow_group(self, before: int, after: int) -> None:
        """Keep another number of a group, and tell the operator where it is news."""
        ...

    async def notice(self, text: str) -> None:
        """Tell every channel something about the monitor itself."""
        ...

    async def report(self, trouble: str | None) -> None:
        """Keep for `monitor status` why the bot does not listen; None where it does."""
        ...
