"""Every hostile behaviour: named as documented, in time and in bounds, harming nobody, and kept and shown safely."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from behaviour import KEY
from cast import HandClock, english_words
from rows import BY_NAME, ROWS
from table import FORMS, Met, lines, meet_all

from monitor.alerts import AlertEngine, Context
from monitor.alerts.message import phrase
from monitor.budget import BudgetLedger
from monitor.cycle import Cycle, Peers
from monitor.language import language
from monitor.model import (
    AlertSettings,
    Channel,
    Check,
    Endpoint,
    Habit,
    PageSettings,
    Price,
    Secret,
    Service,
)
from monitor.probes import PROBES
from monitor.probes.attempt import Attempted
from monitor.publisher import Publisher
from monitor.schedule import Due
from monitor.store import Store

CHANNEL = Channel(id="phone", url=Secret("json://127.0.0.1/"))


@pytest.mark.slow
async def test_every_hostile_behaviour_is_met_as_documented_and_can_be_kept_told_and_shown(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "hostile.log"
    monkeypatch.setenv("HOSTILE_LOG", str(log))
    seen = await meet_all(tuple(BY_NAME))
    for line in lines(seen):
        print(line.encode("utf-8", "replace").decode())
    assert len(ROWS) >= 100
    assert {row.group for row in ROWS} == {"HTTP", "TLS", "DNS", "JSON", "SSE", "text"}
    assert [f"{met.name}: {fault}" for met in seen for fault in met.faults()] == []
    failures = [met.felt.attempted.result.failure for met in seen if met.felt]
    chinese = [language("zh-CN").observed(failure.message) for failure in failures if failure]
    assert [text for text in chinese if english_words(text)] == []
    told = await live_through(seen, tmp_path, clock)
    assert len(told) > 100
    assert [text for text in told if is_unsafe(text)] == []
    pages = [path for path in (tmp_path / "page").rglob("*") if path.is_file()]
    assert len(pages) > len(seen)
    assert [path for path in pages if path.suffix != ".png" and is_unsafe(path.read_text())] == []
    markup = [path for path in pages if path.suffix in {".html", ".svg", ".atom"}]
    assert [path for path in markup if "<script>alert" in path.read_text()] == []
    lines_logged = log.read_bytes().count(b"event=hostile name=")
    assert lines_logged >= len(seen), "each row was logged, with the key to be replaced"
    assert not leaks(log.read_bytes())
    assert [path for path in tmp_path.glob("*.db*") if leaks(path.read_bytes())] == []


async def live_through(seen: Sequence[Met], folder: Path, clock: HandClock) -> list[str]:
    """Each verdict three times over the whole way; the words of every alert that came of it."""
    found = {f"s{number}/e": met.felt.attempted for number, met in enumerate(seen) if met.felt}
    checks = tuple(check_of(number, met) for number, met in enumerate(seen))
    services = tuple(
        Service(id=check.service, name=check.endpoint.name, endpoints=(check.endpoint,))
        for check in checks
    )

    async def ask(check: Check, *, habit: Habit, peers: Peers, late_ms: float) -> Attempted:
        given = found[check.endpoint.path]
        result = given.result
        changed = {"check": check.key, "at": clock.now(), "late_ms": late_ms}
        return Attempted(
            type(result)(**{name: getattr(result, name) for name in result.__slots__} | changed),
            given.habit,
            given.evidence,
        )

    store = Store(f"sqlite:///{folder / 'monitor.db'}", clock=clock)
    store.open()
    alerts = AlertEngine(AlertSettings(), (CHANNEL,), store.recall())
    ledger = BudgetLedger(services, {}, {"model-x": Price(1.0, 1.0)}, {})
    cycle = Cycle(ask=ask, store=store, alerts=alerts, ledger=ledger, clock=clock, vantage="here")
    for check in [check for check in checks for _ in range(5)]:
        clock.tick(1)
        await cycle.tick(check, Due(clock.now(), 0.0, 0))
    await store.flush()
    assert store.trouble is None
    settings = PageSettings(dir=folder / "page", url="https://status.example")
    publisher = Publisher(
        store, services, checks, settings, clock=clock, vantage="here", version="0"
    )
    await publisher.publish()
    context = Context(
        now=clock.now(),
        services={service.id: service.name for service in services},
        endpoints={each.endpoint.path: (each.endpoint.name, "http://x.test") for each in checks},
        page_url=None,
    )
    told = []
    for row in await store.due(clock.now()):
        incident = await store.incident(row.incident) if row.incident else None
        words = phrase(row, incident, context)
        told.append(f"{words.title}\n{words.body}")
    await store.close()
    return told


def check_of(number: int, met: Met) -> Check:
    endpoint = Endpoint(
        id="e", service=f"s{number}", url="http://x.test", name=met.name, key=Secret(KEY)
    )
    probe = PROBES[met.row.probe](**met.row.settings)
    return Check(service=endpoint.service, endpoint=endpoint, probe=probe, model="model-x")


def leaks(data: bytes) -> bool:
    low = data.lower()
    return any(form.lower().encode() in low for form in FORMS)


def is_unsafe(text: str) -> bool:
    controls = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    return bool(controls) or leaks(text.encode())
