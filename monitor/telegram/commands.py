"""A command as people write it to a bot -> what they want. Pure."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from monitor.language import marked
from monitor.model.duration import parse_duration

_COMMAND = re.compile(r"/(?P<word>\w{1,32})(?:@(?P<bot>\w{1,64}))?(?:\s+(?P<rest>.*))?", re.DOTALL)
_LONGEST_SILENCE = timedelta(days=30)


class Verb(StrEnum):
    STATUS = "status"
    BEST = "best"
    INCIDENTS = "incidents"
    ACK = "ack"
    SILENCE = "silence"
    CHECK = "check"
    HELP = "help"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    START = "start"

    @property
    def usage(self) -> str:
        """Return how it is written."""
        return f"/{self.value} {_ARGUMENTS.get(self, '')}".strip()


_ARGUMENTS = {
    Verb.BEST: "[SERVICE]",
    Verb.ACK: "N [WHY]",
    Verb.SILENCE: "TARGET 2h [WHY]",
    Verb.CHECK: "CHECK",
    Verb.SUBSCRIBE: "[SERVICE]",
    Verb.UNSUBSCRIBE: "[SERVICE]",
}
HELP = {
    Verb.STATUS: marked("what works now, and what does not"),
    Verb.BEST: marked("which base URL to use now"),
    Verb.INCIDENTS: marked("the open incidents"),
    Verb.ACK: marked("no more reminders of incident N"),
    Verb.SILENCE: marked("no messages of TARGET for a while; `end` instead of `2h` ends that"),
    Verb.CHECK: marked("run a check now"),
    Verb.HELP: marked("this list"),
}
"""What each command does, in the order of the list."""
HELP_OF_READERS = {
    Verb.SUBSCRIBE: marked("tells you when a service fails, and when that is over"),
    Verb.UNSUBSCRIBE: marked("ends that, and forgets you"),
}
"""What the commands do that anybody may give, where there are subscribers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotCommand:
    """Says what a person wants. `is_wrong`: the words behind the command are not as it needs them."""

    verb: Verb
    target: str = ""
    """A service, a check, or what a silence covers."""
    number: int = 0
    lasts: timedelta = timedelta(0)
    why: str = ""
    is_wrong: bool = False


def read_command(text: str, bot: str) -> BotCommand | None:
    """Read a message; None for what is no command of ours, or for another bot than `bot`."""
    match = _COMMAND.fullmatch(text.strip())
    if match is None or (match["bot"] or bot).lower() != bot.lower():
        return None
    try:
        verb = Verb(match["word"].lower())
    except ValueError:
        return None
    words = (match["rest"] or "").split()
    return _READERS.get(verb, _alone)(verb, words)


def _alone(verb: Verb, words: list[str]) -> BotCommand:
    """Read one that may name something: a service, or the payload that Telegram puts behind /start."""
    return BotCommand(verb=verb, target=words[0] if words else "")


def _ack(verb: Verb, words: list[str]) -> BotCommand:
    number = words[0].removeprefix("#") if words else ""
    if not re.fullmatch(r"\d{1,15}", number, re.ASCII):
        return BotCommand(verb=verb, is_wrong=True)
    return BotCommand(verb=verb, number=int(number), why=" ".join(words[1:]))


def _silence(verb: Verb, words: list[str]) -> BotCommand:
    try:
        target, length, *why = words
        lasts = timedelta(0) if length.lower() == "end" else parse_duration(length)
    except ValueError:  # too few words, or no duration
        return BotCommand(verb=verb, is_wrong=True)
    too_long = lasts > _LONGEST_SILENCE
    target = target.strip("/")
    return BotCommand(verb=verb, target=target, lasts=lasts, why=" ".join(why), is_wrong=too_long)


def _check(verb: Verb, words: list[str]) -> BotCommand:
    return BotCommand(verb=verb, target=words[0] if words else "", is_wrong=len(words) != 1)


_READERS = {Verb.ACK: _ack, Verb.SILENCE: _silence, Verb.CHECK: _check}
