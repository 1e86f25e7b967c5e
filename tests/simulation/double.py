"""A store in memory with the verbs of the real one, for speed; `test_simulation.py` holds it to it.

What is handed over waits in a queue, as in the real store, until `flush`; `crashed` gives what a
process that starts again would find.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from stage import Clock as VirtualClock

from monitor.clock import Clock
from monitor.model import (
    AlertState,
    CheckHistory,
    Incident,
    OperatorRequest,
    OutboxMessage,
    RequestKind,
    RestartState,
    RunRecord,
    Silence,
    Snapshot,
    Spend,
    StateKey,
    Subscriber,
)
from monitor.model.rollup import NOTHING
from monitor.store.outbox import MessageQueue
from monitor.store.transaction import Change, Done, Item, change_of


class Tables:
    """What is committed."""

    def __init__(self) -> None:
        self.states: dict[StateKey, AlertState] = {}
        self.incidents: dict[int, Incident] = {}
        self.outbox: dict[int, OutboxMessage] = {}
        self.done: dict[int, Done] = {}
        self.asked: dict[str, datetime] = {}
        self.requests: list[OperatorRequest] = []
        self.carried_out: set[int] = set()
        self.subscribers: dict[tuple[int, str], Subscriber] = {}
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """Outcomes by check."""

    def write(self, item: Item) -> None:
        if isinstance(item, RunRecord):
            result = item.result
            self.asked[result.check] = max(self.asked.get(result.check, result.at), result.at)
            self.counts[result.check][result.outcome.value] += 1
        change = change_of(item)
        self.states.update((state.key, state) for state in change.states)
        self.incidents.update((incident.id, incident) for incident in change.incidents)
        self.outbox.update((row.id, row) for row in change.outgoing)
        self.done.update((done.id, done) for done in change.done)

    def pending(self) -> list[OutboxMessage]:
        return [row for number, row in sorted(self.outbox.items()) if number not in self.done]


class MemoryStore:
    def __init__(self, tables: Tables | None = None, clock: Clock | None = None) -> None:
        """Without a clock time stands still."""
        self.tables, self.clock = tables or Tables(), clock or VirtualClock()
        self.trouble: str | None = None
        self._queue: list[Item] = []
        self._good: list[tuple[str, datetime]] = []
        newest = max(self.tables.outbox, default=0)
        self._outbox = MessageQueue(self.tables.pending(), newest + 1, self.clock)

    def recall(self) -> RestartState:
        tables = self.tables
        return RestartState(
            states=dict(tables.states),
            incidents=tuple(
                incident for _, incident in sorted(tables.incidents.items()) if not incident.closed
            ),
            next_incident=max(tables.incidents, default=0) + 1,
            habits={},
            spent_today={},
            last_seen=max(tables.asked.values(), default=None),
            stopped_cleanly=False,
            last_asked=dict(tables.asked),
            recent=tuple(
                incident for _, incident in sorted(tables.incidents.items()) if incident.closed
            ),
            silences=self._silences(),
        )

    def _silences(self) -> tuple[Silence, ...]:
        asked = (request for request in self.tables.requests if request.what is RequestKind.SILENCE)
        newest = {request.target: request.silence for request in asked}
        return tuple(each for each in newest.values() if each.until > self.clock.now())

    # --- what people ask ----------------------------------------------------------------------------

    async def requests(self) -> tuple[OperatorRequest, ...]:
        tables = self.tables
        return tuple(request for request in tables.requests if request.id not in tables.carried_out)

    async def add_request(self, request: OperatorRequest) -> None:
        number = len(self.tables.requests) + 1
        self.tables.requests.append(replace(request, id=number))

    async def finish_requests(self, done: Iterable[int]) -> None:
        self.tables.carried_out.update(done)

    async def subscribers(self) -> tuple[Subscriber, ...]:
        return tuple(self.tables.subscribers.values())

    async def subscribe(self, subscriber: Subscriber) -> None:
        self.tables.subscribers[subscriber.chat, subscriber.service] = subscriber

    async def unsubscribe(self, channel: str, chat: int, service: str | None = None) -> None:
        known = self.tables.subscribers
        for key in [key for key in known if key[0] == chat and service in {None, key[1]}]:
            del known[key]

    async def note(self, name: str, text: str) -> None:
        """Nobody looks at notes here."""

    async def snapshot(self, now: datetime) -> Snapshot:
        """Only what the page says of incidents."""
        checks = {
            check: CheckHistory(check=check, latest=None, states=(), days={}, last_24h=NOTHING)
            for check in self.tables.asked
        }
        newest = sorted(
            self.tables.incidents.values(), key=lambda incident: incident.opened, reverse=True
        )
        return Snapshot(at=now, checks=checks, incidents=tuple(newest))

    def record(self, entry: RunRecord) -> None:
        if entry.outgoing:
            entry = replace(entry, outgoing=self._outbox.put(entry.outgoing))
        self._queue.append(entry)

    def saw(self, check: str, at: datetime) -> None:
        """A good run that changed nothing: a short cut that the real one has not."""
        self._good.append((check, at))

    def reserve(self, service: str, day: date, spend: Spend) -> None:
        self._queue.append(Change(spent=((service, day, spend),)))

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
    ) -> None:
        numbered = self._outbox.put(outgoing)
        self._queue.append(Change(states=states, incidents=incidents, outgoing=numbered))
        await self.flush()

    async def flush(self) -> None:
        for item in self._queue:
            self.tables.write(item)
            self._outbox.committed(row.id for row in item.outgoing)
        for check, at in self._good:
            self.tables.asked[check] = at
            self.tables.counts[check]["up"] += 1
        self._queue.clear()
        self._good.clear()

    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]:
        return self._outbox.due(now, durable=True)

    async def incident(self, incident_id: int) -> Incident | None:
        for item in reversed(self._queue):
            for incident in item.incidents:
                if incident.id == incident_id:
                    return incident
        return self.tables.incidents.get(incident_id)

    def sent(self, outgoing_id: int, at: datetime) -> None:
        self._finish(Done(outgoing_id, at))

    def dead(self, outgoing_id: int, error: str) -> None:
        self._finish(
            Done(outgoing_id, self.tables.outbox[outgoing_id].created, error or "given up")
        )

    def _finish(self, done: Done) -> None:
        self._outbox.remove(done.id)
        self._queue.append(Change(done=(done,)))

    def postpone(self, outgoing: OutboxMessage) -> None:
        self._outbox.change(outgoing)
        self._queue.append(Change(outgoing=(outgoing,)))

    def crashed(self) -> "MemoryStore":
        """What was not flushed is lost."""
        return MemoryStore(self.tables, self.clock)

    def finals(self) -> "Finals":
        """What the laws look at in the end: incidents, the outbox with its states, outcomes by check."""
        tables = self.tables
        return (
            tuple(incident for _, incident in sorted(tables.incidents.items())),
            {
                number: (row, _state(tables.done.get(number)))
                for number, row in tables.outbox.items()
            },
            tables.counts,
        )


Finals = tuple[
    tuple[Incident, ...], Mapping[int, tuple[OutboxMessage, str]], Mapping[str, Mapping[str, int]]
]


def _state(done: Done | None) -> str:
    return "pending" if done is None else "dead" if done.error else "sent"
