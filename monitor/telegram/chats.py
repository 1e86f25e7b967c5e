"""The chats of a channel: where they are now, and who may command in them. Pure."""

from collections.abc import Callable, Iterable

from monitor.model import Channel
from monitor.model.telegram_address import TelegramAddress
from monitor.telegram.updates import ChatThread, Person

ChatId = int | str
"""The number of a chat or user, or the `@name` of a chat in lower case."""


class Chats:
    def __init__(
        self, channel: Channel, address: TelegramAddress, current: Callable[[int], int]
    ) -> None:
        """`current` returns the number that a group has now."""
        self._current = current
        self._ours = frozenset(_lower(chat.id) for chat in address.chats)
        self._listed: frozenset[ChatId] = (
            self._ours if channel.allow is None else frozenset(channel.allow)
        )

    @property
    def with_menu(self) -> list[ChatId]:
        """Return the chats in whose menus the commands belong."""
        return sorted(self._now(self._ours | self._listed), key=str)

    def may(self, person: Person, thread: ChatThread) -> bool:
        """Say whether somebody may command here: this chat may, or they may and it is one of ours.

        Everybody reads a channel, so that it is one of ours gives nobody a right.
        """
        listed, names = self._now(self._listed), {thread.chat, thread.name} - {""}
        if thread.kind != "channel" and names & listed:
            return True
        return person.id in listed and bool(names & self._now(self._ours))

    def where(self, chat: ChatId) -> ChatId:
        """Return where a chat is now: a group that became a supergroup has another number."""
        return self._current(chat) if isinstance(chat, int) else chat

    def is_ours(self, chat: int) -> bool:
        """Say whether alerts go to a chat, by the number that it has now or had in the configuration."""
        return chat in self._ours | self._now(self._ours)

    def _now(self, chats: Iterable[ChatId]) -> frozenset[ChatId]:
        return frozenset(map(self.where, chats))


def _lower(name: ChatId) -> ChatId:
    return name.lower() if isinstance(name, str) else name
