"""A hundred checks fail at once: the real alerts, store and courier, and one message to read."""

from functools import partial
from pathlib import Path
from random import Random

import pytest
from cast import HandClock
from timelines import PHONE, result

from monitor.alerts import AlertEngine, Context
from monitor.courier import Courier
from monitor.model import AlertSettings, Incident, Message, RunRecord
from monitor.store import Store


class Drill:
    """Services of ten checks each; what a phone gets is kept with the second it came."""

    def __init__(self, store: Store, clock: HandClock, services: int) -> None:
        self.store, self.clock = store, clock
        self.alerts = AlertEngine(AlertSettings(), (PHONE,), store.recall())
        self.courier = Courier(store, self, self.context, clock=clock, rng=Random(1))
        self.checks = [f"s{s}/e{e}/chat" for s in range(services) for e in range(10)]
        self.began = clock.monotonic()
        self.got: list[tuple[float, Message]] = []

    def holds_events(self, channel_id: str) -> bool:
        return False

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        return (message,)

    async def send(self, channel_id: str, message: Message) -> None:
        self.got.append((self.clock.monotonic() - self.began, message))

    def context(self, incident: Incident | None) -> Context:
        return Context(now=self.clock.now())

    async def live(self, seconds: int, letter: str, every: int = 10) -> None:
        """Each check on its own beat, each second a look, as the daemon does."""
        for second in range(seconds):
            for place, check in enumerate(self.checks):
                if (second + place) % every == 0:
                    seen = result(check, letter, self.clock.now())
                    changes = self.alerts.judge(seen)
                    self.store.record(
                        RunRecord(
                            result=seen,
                            kind="chat",
                            states=changes.states,
                            incidents=changes.incidents,
                            outgoing=changes.outgoing,
                        )
                    )
            changes = self.alerts.remind(self.clock.now())
            if changes.incidents:
                await self.store.save(changes.incidents, changes.outgoing)
            await self.store.flush()
            await self.courier.deliver_due()
            self.clock.tick(1)


@pytest.fixture
def drill(tmp_path: Path, clock: HandClock) -> object:
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    store.open()
    return partial(Drill, store, clock)


@pytest.mark.parametrize("services", [1, 5])
async def test_a_storm_is_at_most_one_message_a_service_and_one_summary(
    drill: partial[Drill], services: int
) -> None:
    night = drill(services)
    await night.live(12, "U")
    began = night.clock.monotonic() - night.began
    await night.live(240, "D")
    told = len(night.got)
    assert 1 <= told <= services + 1
    assert told == 1 or services < 4
    first, _ = night.got[0]
    assert first - began <= 30 + (60 if services >= 3 else 30) + 2

    await night.live(100, "U")
    assert len(night.got) - told <= services
    assert "over" in night.got[-1][1].title
    await night.store.close()


async def test_one_outage_is_told_within_half_a_minute_of_belief(drill: partial[Drill]) -> None:
    night = drill(1)
    night.checks = night.checks[:1]
    await night.live(21, "D")
    assert night.got == []
    await night.live(40, "D")
    ((at, message),) = night.got
    assert 50 <= at <= 52
    assert message.title == "🔴 s0, e0: down"
    await night.store.close()
