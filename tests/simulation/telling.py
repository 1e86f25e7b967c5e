"""The channels of the simulation, and the outbox as the courier sees it."""

import re
from dataclasses import dataclass
from datetime import datetime

from people import People
from records import Page, Send, Told
from stage import BOSS, CHAT, ON_CALL, SUBSCRIBERS
from works import COMMITTED_AFTER, DELIVER, FLUSH

from monitor.alerts import acceptance
from monitor.alerts.acceptance import ChannelAnswer
from monitor.model import (
    Message,
    NotDeliveredError,
    NotificationType,
    OutboxMessage,
)

NUMBER = re.compile(r"\[#(\d+)\]")
SCHEMAS = {"phone": "dingtalk", "pager": "wecombot", ON_CALL: "pagerduty", BOSS: "dingtalk"}
TAKEN = {
    "phone": ChannelAnswer("", 200, body=b'{"errcode": 0, "errmsg": "ok"}'),
    "pager": ChannelAnswer("", 200, body=b'{"errcode": 0, "errmsg": "ok"}'),
    BOSS: ChannelAnswer("", 200, body=b'{"errcode": 0, "errmsg": "ok"}'),
    ON_CALL: ChannelAnswer("", 202, body=b'{"status": "success", "message": "Event processed"}'),
}
DENIALS: tuple[tuple[ChannelAnswer, ...], ...] = (
    (ChannelAnswer("", 200, body=b'{"errcode": -1}'),),
    (ChannelAnswer("", 200, body=b"<!DOCTYPE html><html>Log in to this network</html>"),),
    (ChannelAnswer("", 200),),
    (),
    (ChannelAnswer("", 502, body=b"<html>502</html>"),),
)
"""What comes back where a message was not taken: most of it looks like a success, and nothing asks for time."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a message at its channel: whether it is taken, and what comes back, if anything."""

    accepted: bool
    answers: tuple[ChannelAnswer, ...] | None
    wait: float | None = None
    """Seconds that the channel asks for."""


class Telling(People):
    def _deliver(self) -> None:
        if self._moment:
            self._flush()
        self._now(self.life.courier.deliver_due())
        waits = self._next_delivery()
        if waits is not None:
            self._push(max(self.clock.true + 1.0, waits), DELIVER)

    def _next_delivery(self) -> float | None:
        """The next beat of the courier at which something is due."""
        heads: dict[str, OutboxMessage] = {}
        for _, row in sorted(self.store._outbox._pending.items()):
            heads.setdefault(row.channel, row)
        held = self.store._outbox._held
        times = [held.get(row.id, self.clock.true_of(row.not_before)) for row in heads.values()]
        return min(times) // 1.0 + 1.0 if times else None

    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]:
        rows: tuple[OutboxMessage, ...] = await self.store.due(now)
        return rows

    def sent(self, outgoing_id: int, at: datetime) -> None:
        told = self.history.told[outgoing_id]
        send = next(
            (send for send in reversed(self._unsafe) if send.channel == told.row.channel), None
        )
        if send is None or not send.reported or send.at != self.clock.true:
            self.complain(f"row {outgoing_id} was ticked off though nothing was sent")
        else:
            self._check_tick(send, told)
            send.ticked.append(outgoing_id)
        told.accepted = self.clock.true
        self.store.sent(outgoing_id, at)
        self._push(self.clock.true + COMMITTED_AFTER, FLUSH)
        self.point("after the tick")

    def _check_tick(self, send: Send, told: Told) -> None:
        number = told.row.incident
        digest = "messages waited" in send.title or send.title.endswith(")")
        is_event = send.channel == ON_CALL  # which may have been told under several incidents
        if number is not None and number not in send.numbers and not digest and not is_event:
            self.complain(
                f"row {told.row.id} of #{number} was ticked off by a message about others"
            )

    def postpone(self, outgoing: OutboxMessage) -> None:
        self.point("postpone")
        self.store.postpone(outgoing)
        self._push(self.clock.true + COMMITTED_AFTER, FLUSH)

    def dead(self, outgoing_id: int, error: str) -> None:
        self.history.dead += 1
        self._say(f"row {outgoing_id} was given up")
        self.store.dead(outgoing_id, error)

    def holds_events(self, channel_id: str) -> bool:
        return channel_id == ON_CALL

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        return (message,)

    async def send(self, channel_id: str, message: Message) -> None:
        """As the notifier does: what comes back decides whether the message counts as delivered."""
        channel = channel_id
        self.point("before the send")
        if channel in {CHAT, SUBSCRIBERS}:
            await self._send_by_bot(channel, message)
            return
        fate = self._fate(channel)
        believed = fate.answers is not None and all(answer.is_success for answer in fate.answers)
        refused = acceptance.refusal(SCHEMAS[channel], fate.answers or (), reported=believed)
        numbers = frozenset(map(int, NUMBER.findall(message.body)))
        counts = refused is None
        at = self.clock.true
        send = Send(at, channel, numbers, fate.accepted, counts, fate.wait, message.title)
        self._note(send)
        self._say(
            f"{channel} {'took' if send.accepted else 'refused'} {message.title!r}"
            f" {sorted(numbers)}{'' if counts == send.accepted else ', and we do not know'}"
        )
        if send.accepted:
            if channel == ON_CALL:
                self._page(message)
            self._unsafe.append(send)
            self.point("after the send")
        elif counts:
            self._unsafe.append(send)
            self.complain(f"{message.title!r} counts as delivered, and {channel} did not take it")
        if refused:
            raise NotDeliveredError(refused.why, refused.wait, permanent=refused.needs_person)

    async def _send_by_bot(self, channel: str, message: Message) -> None:
        """Telegram says itself what becomes of each call."""
        failure: NotDeliveredError | None = None
        try:
            await self.bots.send(channel, message)
        except NotDeliveredError as error:
            failure = error
        asked = failure.retry_after if failure else None
        pause = asked.total_seconds() if asked else None
        numbers, taken = frozenset(message.incidents), failure is None
        send = Send(self.clock.true, channel, numbers, taken, taken, pause, message.title)
        self._note(send)
        self._say(f"{channel} {'took' if taken else 'refused'} {message.title!r} {sorted(numbers)}")
        if failure:
            raise failure
        self._unsafe.append(send)
        self.point("after the send")

    def _page(self, message: Message) -> None:
        """The on-call channel acts on the one event that a message names."""
        pages, key = self.history.pages, message.event
        if not key:
            self.complain(f"{message.title!r} went on call and names no event")
        page = pages.get(key)
        if message.what.is_end:
            if page:
                page.ended = page.ended or self.clock.true
        elif page is None:
            if message.what is not NotificationType.ACKNOWLEDGED:
                pages[key] = Page(self.clock.true)
        elif page.ended is not None:
            self.complain(f"{message.title!r} opens {key} again, which had ended")

    def _note(self, send: Send) -> None:
        history = self.history
        history.sends.append(send)
        history.raged = len(history.sends) > 500 + 20 * len(history.told)
        if history.raged:
            self.complain(f"{len(history.sends)} sends for {len(history.told)} messages")

    def _fate(self, channel: str) -> Fate:
        at, chance = self.clock.true, self.rng.random()
        calm = at > self.sizes.end - self.sizes.calm
        if not calm and any(at in spell for spell in self.truth.mute[channel]):
            return Fate(accepted=False, answers=None)
        if calm or chance > 0.12:
            return Fate(accepted=True, answers=(TAKEN[channel],))
        if chance < 0.06:
            wait = self.rng.choice((3.0, 17.0, 61.0))
            busy = ChannelAnswer("", 429, {"retry-after": f"{wait:.0f}"}, b"slow down")
            return Fate(accepted=False, answers=(busy,), wait=wait)
        if chance < 0.09:
            return Fate(accepted=True, answers=None)
        denial = DENIALS[len(self.history.sends) % len(DENIALS)]
        return Fate(accepted=False, answers=denial)
