"""`monitor history --from` and `monitor export --from`: what each place has measured."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import HandClock
from typer import BadParameter

from monitor.cli.agent import cut
from monitor.cli.export import ExportQuery, Format, export
from monitor.cli.history import HistoryReport, read_history, tables
from monitor.cli.options import time_argument
from monitor.cli.time_range import Granularity
from monitor.config import Config, parse
from monitor.model import AgentState, MonitorError, Outcome, Result, RunRecord, StoreError
from monitor.store import Store
from monitor.store.agents import ReceivedBatch, receive

CHECK = "relay/a/http"
TEXT = f"""
[monitor]
vantage = "fra"
[service.relay]
endpoints = {{ a = "https://a.example", b = "https://b.example" }}
probes = {{ http = "1m" }}
[vantage.cn]
name = "Shanghai"
key = "ed25519:{"A" * 43}="
"""


@pytest.fixture
async def config(tmp_path: Path, clock: HandClock) -> Config:
    """A hub that saw one check well, what its agent saw down, and an agent that has left."""
    config = parse(TEXT, path=tmp_path / "monitor.toml", env={})
    store = Store(config.store, clock=clock, vantage="fra", others=["cn"])
    store.open()
    store.recall()
    now = clock.now()
    store.record(run("fra", now, Outcome.UP))
    for vantage in ("cn", "gone"):
        state = AgentState(vantage=vantage, stream=vantage, upto=1, heard=now)
        batch = ReceivedBatch(
            state=state,
            first=1,
            sent_ms=0,
            runs=(run(vantage, now, Outcome.DOWN),),
            taken_over_after=timedelta(),
        )
        await receive(store, batch, [1])
    await store.close()
    return config


def run(vantage: str, at: datetime, outcome: Outcome) -> RunRecord:
    result = Result(check=CHECK, vantage=vantage, at=at, outcome=outcome)
    return RunRecord(result=result, kind="http")


def history(config: Config, clock: HandClock, vantage: str, check: str = CHECK) -> HistoryReport:
    begin, end = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=1)
    return read_history(config, check, begin, end, Granularity.RUNS, vantage=vantage)


@pytest.mark.parametrize(
    ("vantage", "outcome"),
    [("fra", Outcome.UP), ("cn", Outcome.DOWN), ("gone", Outcome.DOWN)],
)
def test_each_place_has_a_history_of_its_own_also_one_that_has_left(
    config: Config, clock: HandClock, vantage: str, outcome: Outcome
) -> None:
    report = history(config, clock, vantage)
    assert [(result.vantage, result.outcome) for result in report.runs] == [(vantage, outcome)]
    assert report.vantage == vantage


def test_the_title_says_from_where(config: Config, clock: HandClock) -> None:
    def title(place: str) -> str:
        return str(next(iter(tables(history(config, clock, "cn"), evidence=False, place=place))))

    assert title("Shanghai").startswith(f"{CHECK} from Shanghai, ")
    assert title("").startswith(f"{CHECK}, ")


@pytest.mark.parametrize(
    ("vantage", "check", "complaint"),
    [
        (
            "shangai",
            CHECK,
            'nothing was ever measured from "shangai"; want the id of a vantage: fra, cn',
        ),
        (
            "cn",
            "relay/b/http",
            "there is no history yet of relay/b/http from cn: it was never asked",
        ),
        ("fra", "relay/b/http", "there is no history yet of relay/b/http: it was never asked"),
    ],
)
def test_a_place_or_check_without_a_history_is_told(
    config: Config, clock: HandClock, vantage: str, check: str, complaint: str
) -> None:
    with pytest.raises(MonitorError, match=f"^{complaint}$"):
        history(config, clock, vantage, check)


def exported(config: Config, vantage: str | None) -> list[str]:
    query = ExportQuery(
        granularity=Granularity.RUNS, check=CHECK, since=None, until=None, vantage=vantage
    )
    file = config.state / "rows"
    export(config, query, Format.JSONL, file)
    return [json.loads(line)["vantage"] for line in file.read_text().splitlines()]


def test_an_export_is_of_all_places_or_of_one(config: Config) -> None:
    assert sorted(exported(config, None)) == ["cn", "fra", "gone"]
    assert exported(config, "cn") == ["cn"]
    with pytest.raises(MonitorError, match="nothing was ever measured from"):
        exported(config, "nowhere")


def test_what_a_stolen_key_pushed_is_cut_out_of_the_history_of_its_place_alone(
    config: Config, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.state / "monitor.toml").write_text(TEXT)
    since = time_argument((clock.now() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M"))
    until = time_argument((clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M"))
    path = config.state / "monitor.toml"
    cut(path, "cn", since, until)
    hour = f"{clock.now() - timedelta(minutes=1):%Y-%m-%d %H}"
    assert f"Cut out of the history of cn, in the whole hours from {hour}:00 UTC on; runs: 1." in (
        capsys.readouterr().out
    )
    assert [len(history(config, clock, place).runs) for place in ("fra", "gone")] == [1, 1]
    assert exported(config, "cn") == []
    with pytest.raises(MonitorError, match=r'^"fra" is this daemon\'s own vantage'):
        cut(path, "fra", since, until)
    with pytest.raises(MonitorError, match="nothing was ever measured from"):
        cut(path, "nowhere", since, until)
    with pytest.raises(BadParameter, match="want a moment"):
        cut(path, "cn", None, None)


async def test_nothing_is_cut_while_a_daemon_holds_the_store(
    config: Config, clock: HandClock
) -> None:
    (config.state / "monitor.toml").write_text(TEXT)
    store = Store(config.store, clock=clock, vantage="fra", others=["cn"])
    store.open()
    try:
        with pytest.raises(StoreError, match="in use by another monitor; stop that one first"):
            await asyncio.to_thread(
                cut, config.state / "monitor.toml", "cn", time_argument("1d"), None
            )
    finally:
        await store.close()
