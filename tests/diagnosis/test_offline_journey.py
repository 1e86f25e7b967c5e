"""Our own network goes and comes back: a gap and one word about the monitor, and no outage of anybody."""

from pathlib import Path

from cast import HandClock
from run_check import run_check
from street import Street, polite

from monitor.alerts import AlertEngine, Context
from monitor.alerts.message import phrase
from monitor.budget import BudgetLedger
from monitor.config import Config, parse
from monitor.cycle import Cycle, Peers
from monitor.diagnosis.path_diagnosis import PathDiagnosis
from monitor.model import Check, FailureKind, Habit, NotificationType, Severity
from monitor.probes.attempt import Attempted
from monitor.probes.wire.client import Client
from monitor.schedule import Due
from monitor.store import Store

UP = {"a.test": ("127.1.0.1",), "b.test": ("127.2.0.1",), "c.test": ("127.3.0.1",)}
NOWHERE = {"a.test": ("224.0.0.1",), "b.test": ("225.0.0.1",), "c.test": ("226.0.0.1",)}
MINUTES = 12


def config(street: Street, folder: Path) -> Config:
    text = '[channel.phone]\nurl = "json://127.0.0.1:9"\n[service.s]\nprobes = { http = "1m" }\n'
    text += "[service.s.endpoints]\n" + "".join(
        f'{host[0]} = "http://{host}:{street.port}"\n' for host in UP
    )
    return parse(text, path=folder / "monitor.toml", env={})


async def test_our_own_outage_is_a_gap_and_one_word_about_the_monitor(
    tmp_path: Path, clock: HandClock
) -> None:
    street = Street(tmp_path)
    async with (
        street.house("127.1.0.1", polite),
        street.house("127.2.0.1", polite),
        street.house("127.3.0.1", polite),
        Client(street.resolve) as client,
    ):
        found = config(street, tmp_path)
        store = Store(found.store, clock=clock, vantage="here")
        store.open()
        endpoints = [endpoint for service in found.services for endpoint in service.endpoints]
        doctor = PathDiagnosis(
            found.diagnosis, endpoints, clock=clock, redact=str, resolve=street.resolve
        )

        async def ask(check: Check, *, habit: Habit, peers: Peers, late_ms: float) -> Attempted:
            return await run_check(check, client, clock=clock, habit=habit, late_ms=late_ms)

        cycle = Cycle(
            ask=ask,
            store=store,
            alerts=AlertEngine(found.alerts, found.channels, store.recall()),
            ledger=BudgetLedger(found.services, {}, {}, {}),
            clock=clock,
            vantage="here",
            explain=doctor,
        )
        for minute in range(MINUTES + 8):
            street.where = dict(NOWHERE if 4 <= minute < 4 + MINUTES else UP)
            for check in found.checks:
                clock.tick(20)
                await cycle.tick(check, Due(clock.now(), 0.0, 0))
        await store.flush()
        seen = await store.snapshot(clock.now())
        for check in found.checks:
            day = seen.checks[check.key].last_24h
            assert day.outcomes == {"up": 8, "unknown": MINUTES}
            assert day.kinds == {FailureKind.OFFLINE.value: MINUTES}
            assert day.availability == 1.0
        assert {each.severity for each in seen.incidents} <= {Severity.MONITOR}
        told = []
        for row in await store.due(clock.now()):
            incident = await store.incident(row.incident) if row.incident else None
            context = Context(now=clock.now(), services={"s": "S"}, endpoints={}, page_url=None)
            words = phrase(row, incident, context)
            told.append((row.what, f"{words.title}\n{words.body}"))
        assert {row.what for row in await store.due(clock.now())} <= {
            NotificationType.OPENED,
            NotificationType.RESOLVED,
            NotificationType.NOTICE,
        }
        assert [what for what, _ in told] == [NotificationType.OPENED, NotificationType.RESOLVED]
        for (
            _,
            text,
        ) in told:  # with the net down nothing was delivered: both are told when it is over
            assert text.startswith(
                "✅ monitor: recovered, was blind for 12m40s\nFrom 24 Nov 12:04 UTC to 24 Nov 12:17 UTC."
            )
        await doctor.close()
        await store.close()
