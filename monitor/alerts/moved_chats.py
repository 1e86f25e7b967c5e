"""Knows Telegram groups that became supergroups: the number under which each is written to now.

The Bot API refuses a message to the old number and names the new one in the refusal.
"""

from collections.abc import Awaitable, Callable, Mapping


async def _nobody(*_: str) -> None:
    return


class MovedChats:
    """Remembers the new numbers of Telegram groups that have moved.

    It outlasts a reload; `known` is what a store keeps of it, by old number.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = dict(known or {})
        self.on_move: Callable[[str, str, str], Awaitable[None]] = _nobody
        """Called once for each move, with the channel's id and both numbers."""

    def current(self, chat: str) -> str:
        """Return the number of a chat today; it may have moved more than once."""
        for _ in self.known:
            chat = self.known.get(chat, chat)
        return chat

    async def learn(self, channel: str, before: str, after: str) -> bool:
        """Say whether that is news; then whoever listens has been told."""
        if self.current(before) == self.current(after):
            return False
        self.known[before] = after
        await self.on_move(channel, before, after)
        return True
