"""The channels of the simulation, and the outbox as the courier sees it."""

import re
from datetime import datetime, timedelta

from records import Send, Told
from works import COMMITTED_AFTER, DELIVER, FLUSH, Works

from monitor.model import (
    Incident,
    Message,
    NotDeliveredError,
    OutboxMessage,
)

NUMBER = re.compile(r"\[#(\d+)\]")


class Telling(Works):
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

    async def incident(self, incident_id: int) -> Incident | None:
        found: Incident | None = await self.store.incident(incident_id)
        return found

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
        if number is not None and number not in send.numbers and not digest:
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
        return False

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        return (message,)

    async def send(self, channel_id: str, message: Message) -> None:
        channel = channel_id
        self.point("before the send")
        numbers = frozenset(map(int, NUMBER.findall(message.body)))
        send = self._fate(channel, numbers, message.title)
        self._note(send)
        self._say(
            f"{channel} {'took' if send.accepted else 'refused'} {message.title!r}"
            f" {sorted(numbers)}{'' if send.reported == send.accepted else ', and we do not know'}"
        )
        if send.accepted:
            self._unsafe.append(send)
            self.point("after the send")
        if not send.reported:
            wait = None if send.wait is None else timedelta(seconds=send.wait)
            raise NotDeliveredError("the channel is out of order", wait)

    def _note(self, send: Send) -> None:
        history = self.history
        history.sends.append(send)
        history.raged = len(history.sends) > 500 + 20 * len(history.told)
        if history.raged:
            self.complain(f"{len(history.sends)} sends for {len(history.told)} messages")

    def _fate(self, channel: str, numbers: frozenset[int], title: str) -> Send:
        at, accepted, reported, wait = self.clock.true, True, True, None
        chance = self.rng.random()
        calm = at > self.sizes.end - self.sizes.calm
        if not calm and any(at in spell for spell in self.truth.mute[channel]):
            accepted = reported = False
        elif calm or chance > 0.12:
            pass
        elif chance < 0.06:
            accepted, reported, wait = False, False, self.rng.choice((3.0, 17.0, 61.0))
        elif chance < 0.09:
            reported = False
        else:
            accepted = reported = False
        return Send(at, channel, numbers, accepted, reported, wait, title)
