"""A bot of one channel: it does what people write and press, and sends the alerts.

Every message is answered in the order in which it came, one at a time; what comes too fast or too late
is left out.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime
from random import Random
from typing import Any

from monitor.clock import Clock
from monitor.language import Language
from monitor.logs import quoted
from monitor.model import (
    ALL,
    Channel,
    Check,
    Incident,
    Message,
    MonitorError,
    Mute,
    NotDeliveredError,
    OperatorRequest,
    RequestKind,
    StoreError,
    clean_text,
)
from monitor.model.telegram_address import TelegramAddress
from monitor.telegram import replies
from monitor.telegram.alert_sender import Alert, AlertSender
from monitor.telegram.bot_api import BotApi, BotApiError
from monitor.telegram.buttons import SILENCE, Action, Button, read_button, silence_targets
from monitor.telegram.chats import Chats
from monitor.telegram.commands import HELP, HELP_OF_READERS, BotCommand, Verb, read_command
from monitor.telegram.operations import Operations
from monitor.telegram.poller import TOO_OLD, Poller
from monitor.telegram.rate_limit import RateLimit
from monitor.telegram.subscriptions import Subscriptions, language_of
from monitor.telegram.updates import (
    BotBlocked,
    ButtonPress,
    ChatThread,
    GroupMigrated,
    Person,
    TextMessage,
    Update,
)

log = logging.getLogger(__name__)

PER_CHAT, IN_ALL = 20, 120
"""Commands and buttons a minute."""
PER_READER, OF_READERS = 5, 60
"""Commands a minute of those who are no operators; what is more gets no answer."""
REFUSALS_A_DAY = 50
"""Those who may not command hear so once a day each."""
_MOST_CHECKS = 3
"""Checks that people wait for at one time."""
_WHY = 200
_TOAST, _SHORT_TOAST = 200, 60
"""Characters of what a person is told who presses; what is longer than the second waits to be closed."""


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
    ) -> None:
        self._channel, self._operations, self._clock = channel.id, operations, clock
        self._api = BotApi(address.token, channel.telegram_api, channel.proxy)
        self._chats = Chats(channel, address, operations.current_chat)
        self._alerts = AlertSender(channel.id, self._api, address, self._chats, operations)
        self._poller = Poller(
            channel.id,
            self._api,
            operations,
            self._see_to,
            self._introduce,
            clock=clock,
            rng=rng,
        )
        self._subscriptions = (
            Subscriptions(channel.id, self._api, operations, clock) if channel.subscribers else None
        )
        self._name = ""
        """Its user name; empty until Telegram has told it."""
        self._commands = RateLimit(PER_CHAT, IN_ALL, 60)
        self._of_readers = RateLimit(PER_READER, OF_READERS, 60)
        self._warnings = RateLimit(1, IN_ALL, 60)
        self._refusals = RateLimit(1, REFUSALS_A_DAY, 86_400)
        self._waiting_checks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen until this is cancelled; nothing that happens ends it."""
        await self._poller.run()

    async def send(self, html: str, incidents: tuple[int, ...], place: int = 1) -> None:
        """Send an alert to one chat of the channel, by its place from 1 on. Raises NotDeliveredError."""
        await self._alerts.send(Alert(html, incidents), place)

    async def renew_buttons(self, incident: int) -> None:
        """Bring the buttons of an incident up to date, after somebody did something elsewhere."""
        await self._alerts.renew_buttons(incident)

    async def broadcast(self, message: Message) -> None:
        """Tell the subscribers. Raises NotDeliveredError where some of them were not reached."""
        if self._subscriptions is None:
            return
        try:
            await self._subscriptions.send(message)
        except StoreError as error:
            raise NotDeliveredError(str(error)) from None

    async def stop(self) -> None:
        """Tell Telegram what was seen to. Call it after `run` was cancelled; messages can still be sent."""
        for task in self._waiting_checks:
            task.cancel()
        await self._poller.stop()

    async def close(self) -> None:
        """Close the connections once a message under way is out."""
        await self._alerts.close()
        if self._subscriptions:
            await self._subscriptions.close()
        await self._api.close()

    async def _introduce(self) -> None:
        """Learn the bot's own name, and put its commands into the menus of those who may use them."""
        me = (await self._api.call("getMe")).result
        name = me.get("username") if isinstance(me, dict) else None
        if not isinstance(name, str) or not name:
            raise BotApiError("getMe: the answer names no bot")
        self._name = name
        for chat in self._chats.with_menu:
            await self._put_menu(
                HELP, self._operations.language, scope={"type": "chat", "chat_id": chat}
            )
        if self._subscriptions:
            for tag in ("", "zh"):
                await self._put_menu(HELP_OF_READERS, language_of(tag), language_code=tag)

    async def _put_menu(self, menu: Mapping[Verb, str], language: Language, **whose: Any) -> None:
        commands = [
            {"command": verb.value, "description": language.gettext(what)}
            for verb, what in menu.items()
        ]
        try:
            await self._api.call("setMyCommands", commands=commands, **whose)
        except BotApiError as error:  # a menu is a convenience
            log.info("event=no_menu channel=%s why=%s", self._channel, quoted(error))

    async def _see_to(self, update: Update, now: datetime, is_live: bool) -> None:  # noqa: FBT001  # see Handle
        match update.what:
            case TextMessage() as message:
                await self._read(message, now)
            case ButtonPress() as press:
                await self._press(press, is_live=is_live)
            case GroupMigrated() as moved:
                await self._alerts.follow(moved.before, moved.after)
            case BotBlocked() as blocked if self._subscriptions:
                await self._subscriptions.forget(blocked.chat)
            case _:
                pass

    # --- how often, and for whom ------------------------------------------------------------------

    async def _is_slow_enough(self, thread: ChatThread) -> bool:
        """Say whether one more may be answered now, and tell a chat once that it is too fast."""
        now = self._clock.monotonic()
        if self._commands.take(thread.chat, now):
            return True
        if self._warnings.take(thread.chat, now):
            await self._reply(thread, replies.too_many(self._operations.language))
        return False

    async def _refuse(self, message: TextMessage) -> None:
        """Refuse somebody politely, once a day, in private alone: a group is not to be filled with it."""
        thread = message.thread
        if thread.kind == "private" and self._refusals.take(thread.chat, self._clock.monotonic()):
            await self._reply(thread, replies.not_for_you(self._operations.language))

    # --- what people write ------------------------------------------------------------------------

    async def _read(self, message: TextMessage, now: datetime) -> None:
        command = read_command(message.text, self._name)
        if command is None:
            return
        if not self._chats.may(message.sender, message.thread):
            await self._serve_reader(command, message, now)
            return
        if not await self._is_slow_enough(message.thread):
            return
        language = self._operations.language
        if _is_old(message, now):
            minutes = round(TOO_OLD.total_seconds() / 60)
            text = replies.too_old(clean_text(message.text), minutes, language)
        elif command.is_wrong:
            text = replies.usage(command, language)
        else:
            try:
                text = await self._do(command, message)
            except MonitorError as error:
                log.warning("event=not_done why=%s", quoted(error))
                text = replies.not_done(language)
        await self._reply(message.thread, text, message.message)

    async def _serve_reader(self, command: BotCommand, message: TextMessage, now: datetime) -> None:
        """Let anybody subscribe where that is asked for, in private; what is old or too much gets no answer."""
        if self._subscriptions is None:
            await self._refuse(message)
            return
        clock, chat = self._clock.monotonic(), message.thread.chat
        if message.thread.kind != "private" or _is_old(message, now):
            return
        if not self._of_readers.take(chat, clock):
            return
        language = language_of(message.sender.language)
        try:
            if command.verb in {Verb.SUBSCRIBE, Verb.UNSUBSCRIBE}:
                text = await self._subscribe(command, chat, language)
            else:
                text = replies.help_of_readers(await self._operations.public_page(language))
        except MonitorError as error:
            log.warning("event=not_done why=%s", quoted(error))
            text = replies.not_done(language)
        await self._reply(message.thread, text)

    async def _subscribe(self, command: BotCommand, chat: int, language: Language) -> str:
        if self._subscriptions is None:
            return replies.not_subscribed(language)
        if command.verb is Verb.SUBSCRIBE:
            return await self._subscriptions.add(chat, command.target, language)
        return await self._subscriptions.remove(chat, language, command.target)

    async def _do(self, command: BotCommand, message: TextMessage) -> str:
        """Do what is asked for, and return what to say of it. Raises MonitorError."""
        zone = self._operations.timezone
        match command.verb:
            case Verb.STATUS:
                return replies.status(await self._operations.page(), self._operations.waiting, zone)
            case Verb.BEST:
                return replies.best(await self._operations.page(), command.target)
            case Verb.INCIDENTS:
                return replies.incidents(await self._operations.page(), zone)
            case Verb.ACK:
                return await self._ack(command, message.sender)
            case Verb.SILENCE:
                return await self._silence(command, message.sender)
            case Verb.CHECK:
                return self._check(command, message)
            case Verb.SUBSCRIBE | Verb.UNSUBSCRIBE:
                language = language_of(message.sender.language)
                return await self._subscribe(command, message.thread.chat, language)
            case Verb.HELP | Verb.START:
                subscribers = self._subscriptions is not None
                return replies.help_text(self._operations.language, subscribers=subscribers)

    async def _ack(self, command: BotCommand, person: Person) -> str:
        language = self._operations.language
        incident = await self._operations.store.incident(command.number)
        if incident is None:
            return replies.no_incident(command.number, language)
        if incident.closed:
            return replies.is_over(incident, language, self._operations.timezone)
        text, _ = await self._acknowledge(incident, person, command.why)
        await self._alerts.renew_buttons(incident.id)
        return text

    async def _acknowledge(self, incident: Incident, person: Person, why: str) -> tuple[str, bool]:
        """Return what to say of it, and whether it is news."""
        language = self._operations.language
        if incident.acked:
            return replies.is_known(incident, language), False
        await self._request(RequestKind.ACK, str(incident.id), person, why)
        return replies.acknowledged(incident.id, person.name, language), True

    async def _silence(self, command: BotCommand, person: Person) -> str:
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
        await self._request(RequestKind.SILENCE, target, person, command.why, until)
        return self._silenced(target, until if command.lasts else None, person)

    def _check(self, command: BotCommand, message: TextMessage) -> str:
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
        except MonitorError:
            text = replies.not_done(language)
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
            self._channel,
            what.value,
            target,
            person.id,
        )
        await self._operations.carry_out(request)

    # --- what people press ------------------------------------------------------------------------

    async def _press(self, press: ButtonPress, *, is_live: bool) -> None:
        """Do what a button says. It acts where it was pressed and may be, and while it is fresh.

        Telegram does not say when it was pressed: after a time without listening nobody knows.
        """
        language, button = self._operations.language, read_button(press.data)
        if not self._chats.may(press.sender, press.thread):
            text = replies.not_for_you(language)
        elif not self._commands.take(press.thread.chat, self._clock.monotonic()):
            text = replies.too_many(language)
        elif not is_live:
            text = replies.stale_button(language)
        elif button is None:
            text = ""
        else:
            text = await self._use(button, press)
        await self._api.call(
            "answerCallbackQuery",
            callback_query_id=press.id,
            text=text[:_TOAST],
            show_alert=len(text) > _SHORT_TOAST,
        )

    async def _use(self, button: Button, press: ButtonPress) -> str:
        """Return what only the person who pressed is told; what was done, the whole chat hears."""
        language = self._operations.language
        try:
            incident = await self._operations.store.incident(button.incident)
            if incident is None or not button.belongs_to(incident):
                return replies.no_incident(button.incident, language)
            text, is_done = await self._act(button, incident, press.sender)
        except MonitorError as error:
            log.warning("event=not_done why=%s", quoted(error))
            return replies.not_done(language)
        await self._alerts.renew_buttons(incident.id, (press.thread.chat, press.message))
        if not is_done:
            return text
        await self._reply(press.thread, text, press.message)
        return ""

    async def _act(self, button: Button, incident: Incident, person: Person) -> tuple[str, bool]:
        """Return what to say, and whether it concerns everybody in the chat."""
        language, zone = self._operations.language, self._operations.timezone
        if button.action is Action.DETAILS:
            return replies.details(incident, await self._operations.page(), zone), True
        if incident.closed:
            return replies.is_over(incident, language, zone), False
        if button.action is Action.ACK:
            return await self._acknowledge(incident, person, "")
        if incident.muted is Mute.SILENCE or incident.service is None:
            return replies.is_silenced(incident, language), False
        until, targets = self._clock.now() + SILENCE, silence_targets(incident)
        for target in targets:
            await self._request(RequestKind.SILENCE, target, person, "", until)
        return self._silenced(language.listed(targets), until, person), True

    def _silenced(self, target: str, until: datetime | None, person: Person) -> str:
        language, zone = self._operations.language, self._operations.timezone
        return replies.silenced(target, until, person.name, language, zone)

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


def _is_old(message: TextMessage, now: datetime) -> bool:
    return now.timestamp() - message.at > TOO_OLD.total_seconds()
