"""People at Telegram: who may command, who may not, and readers. The Bot API is a double behind the client's HTTP call."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

from records import START, Deed, Heard
from stage import CHAT, GROUP
from truth import DAY
from works import DELIVER, LISTEN, PERSON, Works

from monitor.alerts import AlertEngine
from monitor.alerts.moved_chats import MovedChats
from monitor.daemon.bot_operations import BotOperations
from monitor.daemon.operator_requests import OperatorRequests
from monitor.daemon.telegram_bots import TelegramBots
from monitor.model import AlertState, Incident, OperatorRequest, OutboxMessage
from monitor.publisher import Publisher
from monitor.telegram.bot_api import BotApiError

OPERATOR, STRANGER, LATE, READER = "Ada", "Mallory", "Late", "Reader"
READERS = (71, 72, 73)
ELSEWHERE = -555
"""A group that is not allowed."""
OLD = 300.0
"""Seconds after which nothing is done any more that a person asked for."""
LISTENS_EVERY = 50.0
_WHAT = {"press": 6, "ack": 3, "silence": 3, "stranger": 3, "late": 2, "reader": 6}


class InstantLoop(asyncio.SelectorEventLoop):
    """What waits in it is due at once, and nothing leaves its thread: time is the simulation's."""

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        done = self.create_future()
        done.set_result(func(*args))
        return done


class BotApiDouble:
    """Telegram's side: updates until they are confirmed, chats, and messages with their buttons."""

    def __init__(self, sim: "People") -> None:
        self.sim, self.rng = sim, Random(f"{sim.seed} telegram")
        self.waiting: list[tuple[Deed, dict[str, Any]]] = []
        self.buttons: list[tuple[int, list[str]]] = []
        """By message: what its buttons send back."""
        self.blocked: set[int] = set()
        self.listened: float | None = None
        """When this process asked for updates last."""
        self._messages = 0

    async def post(
        self, address: str, parameters: dict[str, Any], wait_s: float
    ) -> tuple[int, Any, bytes]:
        """Stand for `BotApi._post`."""
        at, calm = self.sim.clock.true, self.sim.sizes.end - self.sim.sizes.calm
        if at < calm and any(at in spell for spell in self.sim.truth.mute[CHAT]):
            raise OSError("no route to host")
        method = address.rpartition("/")[2]
        if method == "getUpdates":
            result: Any = self._updates(parameters)
        elif method == "sendMessage":
            chance = self.rng.random() if at < calm else 1.0
            if chance < 0.05:
                return _refusal(429, "Too Many Requests", retry_after=7)
            if parameters["chat_id"] in self.blocked:
                self._heard(parameters, taken=False)
                return _refusal(403, "Forbidden: bot was blocked by the user")
            result = self._heard(parameters, taken=True)
            if chance < 0.08:
                raise TimeoutError
        else:
            result = {"username": "monitor_bot"}
        date = format_datetime(START + timedelta(seconds=int(at)), usegmt=True)
        return 200, {"Date": date}, json.dumps({"ok": True, "result": result}).encode()

    def _updates(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        at, first = self.sim.clock.true, asked.get("offset", 0)
        for deed, _ in self.waiting:
            if deed.number < first:
                deed.done = at
        self.waiting = [each for each in self.waiting if each[0].number >= first]
        found = self.waiting[: asked["limit"]]
        for deed, _ in found:
            deed.fetched = deed.fetched or at
            fresh = deed.at if deed.is_text else self.listened
            deed.sure = fresh is not None and at - fresh < OLD - 2.0
        self.listened = at
        return [update for _, update in found]

    def _heard(self, asked: dict[str, Any], *, taken: bool) -> dict[str, Any]:
        self._messages += 1
        rows = asked.get("reply_markup", {}).get("inline_keyboard", ())
        if rows:
            datas = [button["callback_data"] for row in rows for button in row]
            self.buttons.append((self._messages, datas))
        heard = Heard(self.sim.clock.true, asked["chat_id"], asked["text"], taken=taken)
        self.sim.history.heard.append(heard)
        return {"message_id": self._messages}


class People(Works):
    bots: TelegramBots

    def __init__(self, *more: Any, **named: Any) -> None:
        super().__init__(*more, **named)
        self._folk = Random(f"{self.seed} people")
        self._acts: list[float] = []
        if self.sizes.people:
            self.loop.close()
            self.loop = InstantLoop()
            last, at = self.sizes.end - self.sizes.calm, 0.0
            while (at := at + self._folk.expovariate(self.sizes.people / DAY)) < last:
                self._acts.append(at)
        self.api = BotApiDouble(self)

    def _gather_people(self, alerts: AlertEngine) -> None:
        """Make the bot and what stands behind it, as the composition root does."""
        self._requests = OperatorRequests(self, alerts, self.clock)
        parts = self.config
        publisher = Publisher(
            self.store,
            parts.services,
            parts.checks,
            parts.page,
            clock=self.clock,
            vantage="local",
            version="1",
        )
        moved, states = MovedChats(), dict[str, dict[str, str | None]]()
        self.bots = TelegramBots(
            lambda channel, config: BotOperations(
                channel.id,
                config,
                store=self.store,
                clock=self.clock,
                alerts=alerts,
                requests=self._requests,
                publisher=publisher,
                moved=moved,
                states=states,
            ),
            self.clock,
            self.rng,
        )

        async def change() -> None:
            self.bots.change(self.config, self)  # type: ignore[arg-type]

        self._now(change())
        self.bots._bots[CHAT]._api._post = self.api.post  # type: ignore[method-assign]
        self._requests.on_change = self.bots.renew_buttons
        self.api.listened = None
        self._push(self.clock.true, LISTEN)
        while self._acts and self._acts[0] <= self.clock.true:
            self._act(self._acts.pop(0))
        if self._acts:
            self._push(self._acts[0], PERSON)

    def _meet(self) -> None:
        """Somebody does something, and a bot that waits for it hears of it."""
        self._act(self._acts.pop(0))
        if self._acts:
            self._push(self._acts[0], PERSON)
        self._hear()

    def _listen(self) -> None:
        self._push(self.clock.true + LISTENS_EVERY, LISTEN)
        self._hear()

    def _hear(self) -> None:
        """As a bot and the requests do it all the time: until there is nothing new."""
        self._flush()
        self._now(self._requests.handle_waiting())
        self._now(self._poll())
        self._commit()

    async def _poll(self) -> None:
        poller = self.bots._bots[CHAT]._poller
        with contextlib.suppress(BotApiError):
            await poller._poll()
            while self.api.waiting:
                await poller._poll()

    # --- what the requests need of a store ----------------------------------------------------------

    async def incident(self, incident_id: int) -> Incident | None:
        found: Incident | None = await self.store.incident(incident_id)
        return found

    async def requests(self) -> tuple[OperatorRequest, ...]:
        waiting: tuple[OperatorRequest, ...] = await self.store.requests()
        for request in waiting:
            self.history.carried.append((self.clock.true, request))
            moment = (len(self.history.runs), self.clock.now(), self.clock.shift, request)
            self.history.reminds.append(moment)
        return waiting

    async def add_request(self, request: OperatorRequest) -> None:
        await self.store.add_request(request)

    async def finish_requests(self, done: Iterable[int]) -> None:
        self.point("after the record")
        await self.store.finish_requests(done)

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
    ) -> None:
        await self.store.save(incidents, outgoing, states)
        self._remember(incidents)
        self._commit()
        self._push(self.clock.true, DELIVER)

    # --- what people do -----------------------------------------------------------------------------

    def _act(self, at: float) -> None:
        rng, what = self._folk, self._folk.choices([*_WHAT], [*_WHAT.values()])[0]
        if what == "press" and self.api.buttons:
            message, datas = rng.choice(self.api.buttons[-3:])
            who, chat = rng.choice([(OPERATOR, GROUP)] * 3 + [(STRANGER, ELSEWHERE)])
            data = rng.choice(datas)
            for _ in range(rng.choice((1, 2))):
                self._do(at, who, chat, data, message)
        elif what == "reader":
            self._read(at, rng.choice(READERS))
        else:
            who = {"stranger": STRANGER, "late": LATE}.get(what, OPERATOR)
            chat = rng.choice((99, ELSEWHERE)) if who == STRANGER else GROUP
            numbers = [*self._open][-3:] or [1, 10_000]
            target = rng.choice(("s0", "s1", "s2", "s0/e0", "s1/e1", "all"))
            lasts = rng.choice(("20m", "45m", "2h", "end"))
            silence = what == "silence" or (who != OPERATOR and rng.random() < 0.5)
            words = f"/silence {target} {lasts}" if silence else f"/ack {rng.choice(numbers)}"
            self._do(at, who, chat, words)

    def _read(self, at: float, reader: int) -> None:
        words = self._folk.choice(("/subscribe", "/subscribe s0", "/subscribe", "/unsubscribe", ""))
        if words:
            self.api.blocked.discard(reader)
            self._do(at, READER, reader, words)
        else:  # half of the time the bot is not told
            self.api.blocked.add(reader)
            told = self._folk.random() < 0.5
            deed = self._do(at, READER, reader, "blocks" if told else "blocks silently")
            if not told:
                self.api.waiting.remove(next(w for w in self.api.waiting if w[0] is deed))
                deed.fetched = deed.done = at

    def _do(self, at: float, who: str, chat: int, words: str, message: int = 0) -> Deed:
        deed = Deed(
            at - 2 * OLD if who == LATE else at, who, chat, words, len(self.history.deeds) + 1
        )
        self.history.deeds.append(deed)
        kind = "private" if chat > 0 else "group"
        place = {
            "chat": {"id": chat, "type": kind},
            "message_id": message or 1_000_000 + deed.number,
        }
        person = {"id": abs(chat) if chat > 0 else 1 + len(who), "first_name": who}
        update: dict[str, Any] = {"update_id": deed.number}
        if message:
            update["callback_query"] = {
                "id": str(deed.number),
                "from": person,
                "message": place,
                "data": words,
            }
        elif words.startswith("/"):
            date = int(START.timestamp() + deed.at)
            update["message"] = {**place, "from": person, "date": date, "text": words}
        else:
            update["my_chat_member"] = {**place, "new_chat_member": {"status": "kicked"}}
        self.api.waiting.append((deed, update))
        self._say(f"{who} in {chat}: {words}")
        return deed


def _refusal(status: int, why: str, **more: int) -> tuple[int, Any, bytes]:
    answer = {"ok": False, "error_code": status, "description": why, "parameters": more}
    return status, {}, json.dumps(answer).encode()
