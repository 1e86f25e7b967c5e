"""A bot of one channel: it polls for what people write and press, does it, and sends the alerts.

It asks Telegram (`getUpdates`, long polling), so nothing listens here. Every message is answered in the
order in which it came, one at a time; what comes too fast or too late is left out.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from html import escape
from random import Random
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.language import Language
from monitor.logs import RepeatFilter, quoted
from monitor.model import (
    ALL,
    Channel,
    Check,
    Incident,
    Message,
    NotDeliveredError,
    OperatorRequest,
    RequestKind,
    Result,
    StoreError,
    clean_text,
)
from monitor.model.telegram_address import TelegramAddress, TelegramChat
from monitor.page import PageView
from monitor.telegram import replies
from monitor.telegram.bot_api import BotApi, BotApiError
from monitor.telegram.commands import HELP, BotCommand, Verb, read_command
from monitor.telegram.rate_limit import RateLimit
from monitor.telegram.updates import (
    BotBlocked,
    ButtonPress,
    ChatThread,
    GroupMigrated,
    Person,
    TextMessage,
    Update,
    UpdateContent,
    read_updates,
)

log = logging.getLogger(__name__)

POLL_S = 50
"""How long one `getUpdates` waits for news."""
BATCH = 50
TOO_OLD = timedelta(minutes=5)
"""What was written longer ago is not done any more: the person has looked elsewhere since."""
PER_CHAT, IN_ALL = 20, 120
"""Commands and buttons a minute."""
REFUSALS_A_DAY = 50
CONFLICT_WAITS_S = (120, 300, 900)
"""Seconds without polling after another program was found to poll, by how often that was in a row."""
PERMANENT_WAIT_S = 300
LONGEST_WAIT_S = 120
CONFLICT_OVER_S = 1200
"""Seconds without another conflict after which it is over: longer than the longest wait."""
_MOST_CHECKS = 3
"""Checks that people wait for at one time."""
_WHY = 200


class Operations(Protocol):
    """Says what a bot may know, and do for a person. Reads and writes raise StoreError."""

    @property
    def language(self) -> Language:
        """The operator's language."""
        ...

    @property
    def checks(self) -> tuple[Check, ...]: ...

    @property
    def waiting(self) -> int:
        """The number of messages that are not delivered."""
        ...

    async def page(self) -> PageView:
        """Look at everything as the page shows it, for an operator, in their language."""
        ...

    async def incident(self, number: int) -> Incident | None: ...

    async def carry_out(self, request: OperatorRequest) -> None:
        """Do what a command such as `monitor ack` asks for, and return when it is done."""
        ...

    async def run_check(self, check: Check) -> Result | None:
        """Run a check out of turn; None where it was not run."""
        ...

    async def notice(self, text: str) -> None:
        """Tell every channel something about the monitor itself."""
        ...

    async def report(self, trouble: str | None) -> None:
        """Keep for `monitor status` why the bot does not listen; None where it does."""
        ...


class Bot:
    """Listens with `run` until that is cancelled, and sends with `send` until it is closed."""

    def __init__(
        self,
        channel: Channel,
        address: TelegramAddress,
        operations: Operations,
        *,
        clock: Clock,
        rng: Random,
        poll_s: float = POLL_S,
    ) -> None:
        self._channel, self._address, self._operations = channel, address, operations
        self._clock, self._rng, self._poll_s = clock, rng, poll_s
        self._api = BotApi(address.token, channel.telegram_api, channel.proxy)
        self._name = ""
        """Its user name; empty until Telegram has told it."""
        self._next: int | None = None
        """The first update that was not seen to; asking for it forgets those before."""
        self._listened_at: float | None = None
        """When all that had come was seen to, by the monotonic clock."""
        self._failures = self._conflicts = 0
        self._conflict_at: float | None = None
        self._trouble: str | None = "it has not reached Telegram yet"
        self._repeats = RepeatFilter()
        self._moved: dict[int, int] = {}
        self._sending = asyncio.Lock()
        self._halfway: tuple[Message, set[TelegramChat]] | None = None
        """A message that not every chat has taken yet, and those that have."""
        self._per_chat, self._in_all = RateLimit(PER_CHAT, 60), RateLimit(IN_ALL, 60)
        self._warnings, self._refusals = RateLimit(1, 60), RateLimit(1, 86_400)
        self._all_refusals = RateLimit(REFUSALS_A_DAY, 86_400)
        self._waiting_checks: set[asyncio.Task[None]] = set()

    # --- listening ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until this is cancelled; nothing that happens ends it."""
        while True:
            try:
                if not self._name:
                    await self._introduce()
                await self._poll()
                await self._listens()
            except BotApiError as error:
                await asyncio.sleep(await self._wait_after(error))
            except Exception:  # what a person wrote must not end the daemon
                log.exception("event=internal loop=telegram channel=%s", self._channel.id)
                await asyncio.sleep(60)

    async def stop(self) -> None:
        """Tell Telegram what was seen to, so that whoever listens next does not do it again.

        Call it after `run` was cancelled. Messages can still be sent.
        """
        for task in self._waiting_checks:
            task.cancel()
        if self._next is not None:
            with contextlib.suppress(BotApiError):
                await self._api.call("getUpdates", 3, offset=self._next, timeout=0, limit=1)

    async def close(self) -> None:
        """Close the connections once a message under way is out."""
        async with self._sending:
            await self._api.close()

    async def _introduce(self) -> None:
        """Learn the bot's own name, and put its commands into the menus of those who may use them."""
        me = (await self._api.call("getMe")).result
        name = me.get("username") if isinstance(me, dict) else None
        if not isinstance(name, str) or not name:
            raise BotApiError("getMe: the answer names no bot")
        self._name = name
        say = self._operations.language.gettext
        commands = [
            {"command": verb.value, "description": say(what)} for verb, what in HELP.items()
        ]
        for chat in sorted(self._allowed() | {chat.id for chat in self._address.chats}, key=str):
            scope = {"type": "chat", "chat_id": chat}
            try:
                await self._api.call("setMyCommands", commands=commands, scope=scope)
            except BotApiError as error:  # a menu is a convenience
                log.info("event=no_menu channel=%s why=%s", self._channel.id, quoted(error))

    async def _poll(self) -> None:
        """Ask for news once and see to it; what has waited for long is fetched without waiting for more."""
        now = self._clock.monotonic()
        is_live = (
            self._listened_at is not None and now - self._listened_at <= TOO_OLD.total_seconds()
        )
        offset = {} if self._next is None else {"offset": self._next}
        answer = await self._api.call(
            "getUpdates",
            self._poll_s + 15,
            timeout=int(self._poll_s) if is_live else 0,
            limit=BATCH,
            allowed_updates=["message", "callback_query", "my_chat_member"],
            **offset,
        )
        arrived, by_its_clock = self._clock.monotonic(), answer.date or self._clock.now()
        updates = read_updates(answer.result)
        if answer.result and not updates:
            raise BotApiError("getUpdates: its answer holds no updates")
        for update in updates:
            await self._see_to(update, by_its_clock, is_live=is_live)
            self._next = update.id + 1
        if is_live or len(updates) < BATCH:
            self._listened_at = arrived

    async def _see_to(self, update: Update, now: datetime, *, is_live: bool) -> None:
        try:
            await self._answer(update.what, now, is_live=is_live)
        except BotApiError as error:
            log.warning("event=no_answer channel=%s why=%s", self._channel.id, quoted(error))
        except Exception:  # one message must not hold up the next
            log.exception("event=internal loop=telegram channel=%s", self._channel.id)

    async def _listens(self) -> None:
        """Note that a poll went well."""
        self._failures = 0
        if self._conflict_at is not None:
            if self._clock.monotonic() - self._conflict_at < CONFLICT_OVER_S:
                return
            self._conflict_at, self._conflicts = None, 0
        await self._report(None)

    async def _wait_after(self, error: BotApiError) -> float:
        """Return for how many seconds not to poll, and tell whoever should know."""
        level = self._repeats.level("poll", str(error), logging.DEBUG)
        log.log(level, "event=not_listening channel=%s why=%s", self._channel.id, quoted(error))
        self._failures += 1
        spread = self._rng.uniform(0.8, 1.2)
        if error.status == 409:
            return await self._conflict(error) * spread
        if error.permanent or self._failures > 2:
            await self._report(str(error))
        if error.retry_after:
            return error.retry_after.total_seconds()
        if error.permanent:
            return PERMANENT_WAIT_S * spread
        return min(2.0 ** min(self._failures, 10), LONGEST_WAIT_S) * spread

    async def _conflict(self, error: BotApiError) -> float:
        """Somebody else reads the bot's messages: tell it once, and leave them alone for minutes."""
        is_new = self._conflict_at is None
        self._conflict_at = self._clock.monotonic()
        self._conflicts += 1
        await self._report(str(error))
        if is_new:
            text = replies.conflict(self._channel.id, self._operations.language)
            with contextlib.suppress(StoreError):
                await self._operations.notice(text)
        return CONFLICT_WAITS_S[min(self._conflicts, len(CONFLICT_WAITS_S)) - 1]

    async def _report(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            self._repeats.is_news("poll", None)
            log.info("event=listening channel=%s bot=%s", self._channel.id, self._name)
        with contextlib.suppress(StoreError):
            await self._operations.report(trouble)

    # --- who may ask, and how often ---------------------------------------------------------------

    def _allowed(self) -> frozenset[int | str]:
        """Return the numbers and `@names` of the chats and users that may command."""
        listed: Iterable[int | str] = (
            self._channel.allow
            if self._channel.allow is not None
            else (chat.id for chat in self._address.chats)
        )
        return frozenset(self._where(each) for each in listed)

    def _may(self, person: Person, thread: ChatThread) -> bool:
        """Say whether somebody may command here: this chat may, or they may and it is one of ours.

        Everybody reads a channel, so that it is one of ours gives nobody a right.
        """
        allowed = self._allowed()
        names = {thread.chat, thread.name} - {""}
        if thread.kind != "channel" and names & {_lower(each) for each in allowed}:
            return True
        ours = {_lower(self._where(chat.id)) for chat in self._address.chats}
        return person.id in allowed and bool(names & ours)

    def _where(self, chat: int | str) -> int | str:
        """Return where a chat is now: a group that became a supergroup has another number."""
        return self._moved.get(chat, chat) if isinstance(chat, int) else chat

    async def _is_slow_enough(self, thread: ChatThread) -> bool:
        """Say whether one more may be answered now, and tell a chat once that it is too fast."""
        now = self._clock.monotonic()
        if self._per_chat.take(str(thread.chat), now) and self._in_all.take("", now):
            return True
        if self._warnings.take(str(thread.chat), now):
            await self._reply(thread, replies.too_many(self._operations.language))
        return False

    async def _refuse(self, message: TextMessage) -> None:
        """Refuse somebody politely, once a day, in private alone: a group is not to be filled with it."""
        now = self._clock.monotonic()
        if message.thread.kind != "private":
            return
        if self._refusals.take(str(message.thread.chat), now) and self._all_refusals.take("", now):
            await self._reply(message.thread, replies.not_for_you(self._operations.language))

    # --- what people write ------------------------------------------------------------------------

    async def _answer(self, what: UpdateContent | None, now: datetime, *, is_live: bool) -> None:
        match what:
            case TextMessage():
                await self._read(what, now)
            case ButtonPress():
                await self._press(what, is_live=is_live)
            case GroupMigrated():
                await self._follow(what.before, what.after)
            case BotBlocked() | None:
                pass

    async def _read(self, message: TextMessage, now: datetime) -> None:
        command = read_command(message.text, self._name)
        if command is None:
            return
        if not self._may(message.sender, message.thread):
            await self._refuse(message)
            return
        if not await self._is_slow_enough(message.thread):
            return
        language = self._operations.language
        if now - _unix(message.at) > TOO_OLD:
            minutes = round(TOO_OLD.total_seconds() / 60)
            text = replies.too_old(clean_text(message.text), minutes, language)
        elif command.is_wrong:
            text = replies.usage(command, language)
        else:
            text = await self._do(command, message)
        await self._reply(message.thread, text, message.message)

    async def _do(self, command: BotCommand, message: TextMessage) -> str:
        """Do what is asked for, and return what to say of it."""
        do: Callable[[BotCommand, TextMessage], Awaitable[str]] = {
            Verb.STATUS: self._status,
            Verb.BEST: self._best,
            Verb.INCIDENTS: self._incidents,
            Verb.ACK: self._ack,
            Verb.SILENCE: self._silence,
            Verb.CHECK: self._check,
            Verb.HELP: self._help,
            Verb.START: self._help,
        }[command.verb]
        try:
            return await do(command, message)
        except StoreError as error:
            log.warning("event=store_trouble why=%s", quoted(error))
            return replies.not_stored(self._operations.language)

    async def _help(self, _command: BotCommand, _message: TextMessage) -> str:
        return replies.help_text(self._operations.language)

    async def _status(self, _command: BotCommand, _message: TextMessage) -> str:
        return replies.status(await self._operations.page(), self._operations.waiting)

    async def _best(self, command: BotCommand, _message: TextMessage) -> str:
        return replies.best(await self._operations.page(), command.target)

    async def _incidents(self, _command: BotCommand, _message: TextMessage) -> str:
        return replies.incidents(await self._operations.page())

    async def _ack(self, command: BotCommand, message: TextMessage) -> str:
        return await self._acknowledge(command.number, message.sender, command.why)

    async def _acknowledge(self, number: int, person: Person, why: str) -> str:
        language, incident = self._operations.language, await self._operations.incident(number)
        if incident is None:
            return replies.no_incident(number, language)
        if incident.closed:
            return replies.is_over(incident, language)
        if incident.acked:
            return replies.is_known(incident, language)
        await self._request(RequestKind.ACK, str(number), person, why)
        return replies.acknowledged(number, person.name, language)

    async def _silence(self, command: BotCommand, message: TextMessage) -> str:
        language = self._operations.language
        target = ALL if command.target in {ALL, "all"} else command.target
        known = [
            name
            for check in self._operations.checks
            for name in (check.service, check.endpoint.path, check.key)
        ]
        if target not in {ALL, *known}:
            return replies.unknown(target, ["all", *known], language)
        until = self._clock.now() + command.lasts
        await self._request(RequestKind.SILENCE, target, message.sender, command.why, until)
        return replies.silenced(
            target, until if command.lasts else None, message.sender.name, language
        )

    async def _check(self, command: BotCommand, message: TextMessage) -> str:
        """Have a check run; its result is another message, and nobody waits for it meanwhile."""
        language = self._operations.language
        checks = {check.key: check for check in self._operations.checks}
        check = checks.get(command.target.strip("/"))
        if check is None:
            return replies.unknown(command.target, checks, language)
        if len(self._waiting_checks) >= _MOST_CHECKS:
            return replies.too_many(language)
        task = asyncio.create_task(self._run_check(check, message), name="telegram check")
        self._waiting_checks.add(task)
        task.add_done_callback(self._waiting_checks.discard)
        return replies.asked_for(check, language)

    async def _run_check(self, check: Check, message: TextMessage) -> None:
        language = self._operations.language
        try:
            result = await self._operations.run_check(check)
            text = replies.checked(check, result, language)
        except StoreError:
            text = replies.not_stored(language)
        with contextlib.suppress(BotApiError):
            await self._reply(message.thread, text, message.message)

    async def _request(
        self,
        what: RequestKind,
        target: str,
        person: Person,
        why: str,
        until: datetime | None = None,
    ) -> None:
        text = clean_text(f"{person.name}: {why}" if why else person.name, _WHY)
        request = OperatorRequest(
            at=self._clock.now(), what=what, target=target, until=until, text=text
        )
        log.info(
            "event=telegram_request channel=%s what=%s target=%s by=%d",
            self._channel.id,
            what.value,
            target,
            person.id,
        )
        await self._operations.carry_out(request)

    async def _press(self, press: ButtonPress, *, is_live: bool) -> None:
        """Buttons come with the next step."""
        del is_live
        await self._api.call("answerCallbackQuery", callback_query_id=press.id)

    # --- writing ----------------------------------------------------------------------------------

    async def _reply(self, thread: ChatThread, text: str, to: int | None = None) -> None:
        more: dict[str, Any] = {}
        if thread.topic is not None:
            more["message_thread_id"] = thread.topic
        if to is not None:
            more["reply_parameters"] = {"message_id": to, "allow_sending_without_reply": True}
        await self._api.call(
            "sendMessage",
            chat_id=thread.chat,
            text=replies.fitted(text),
            link_preview_options={"is_disabled": True},
            **more,
        )

    async def send(self, message: Message) -> None:
        """Send an alert to each chat of the channel. Raises NotDeliveredError where one did not take it.

        A chat that has taken it does not get it again when the same message is sent once more.
        """
        async with self._sending:
            await self._send_to_all(message)

    async def _send_to_all(self, message: Message) -> None:
        before = self._halfway
        taken = before[1] if before and before[0] == message else set()
        self._halfway = message, taken
        failure: NotDeliveredError | None = None
        for chat in self._address.chats:
            if chat in taken:
                continue
            try:
                await self._send_to(chat, message)
                taken.add(chat)
            except NotDeliveredError as error:
                failure = failure or error
        if failure:
            raise failure
        self._halfway = None

    async def _send_to(self, chat: TelegramChat, message: Message) -> None:
        try:
            await self._send_html(self._where(chat.id), chat, message)
        except BotApiError as error:
            if error.migrated_to is None or not isinstance(chat.id, int):
                raise
            await self._follow(chat.id, error.migrated_to)
            await self._send_html(error.migrated_to, chat, message)

    async def _send_html(self, to: int | str, chat: TelegramChat, message: Message) -> None:
        parameters: dict[str, Any] = {
            "chat_id": to,
            "text": f"<b>{_html(message.title)}</b>\n{_html(message.body)}",
            "parse_mode": "HTML",
            "disable_notification": self._address.silent,
            "link_preview_options": {"is_disabled": not self._address.preview},
        }
        if chat.topic is not None:
            parameters["message_thread_id"] = chat.topic
        await self._api.call("sendMessage", 30, **parameters)

    async def _follow(self, before: int, after: int) -> None:
        """Write to a group by its new number from now on, and tell the operator once."""
        first = next((old for old, new in self._moved.items() if new == before), before)
        is_ours = first in {chat.id for chat in self._address.chats}
        if not is_ours or self._moved.get(first) == after:
            return
        self._moved[first] = after
        log.warning(
            "event=group_moved channel=%s before=%d after=%d", self._channel.id, first, after
        )
        text = replies.moved(self._channel.id, first, after, self._operations.language)
        with contextlib.suppress(StoreError):
            await self._operations.notice(text)


def _html(text: str) -> str:
    return escape(text, quote=False)


def _lower(name: int | str) -> int | str:
    return name.lower() if isinstance(name, str) else name


def _unix(seconds: int) -> datetime:
    """The moment of a time stamp; the epoch for one that is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
