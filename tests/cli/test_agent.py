"""`monitor agent add` at the hub: what it cannot use it refuses before it changes anything."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from rich.console import Console
from typer import BadParameter

from monitor.agent.invitation import read_invitation
from monitor.agent.signature import TAG_LENGTH, digest
from monitor.agent.wire import with_deal
from monitor.cli import status
from monitor.cli.agent import add, agent_table, remove
from monitor.config import Config, load
from monitor.config.agent_document import agent_document
from monitor.model import AgentState, MonitorError
from monitor.model.dealing import agent_id, deal_text
from monitor.store import Store
from monitor.store.agents import ReceivedBatch, receive

TEXT = """
[monitor]
vantage = "fra"
[channel.phone]
url = "json://127.0.0.1:9/"
[service.relay]
endpoints = { a = "https://a.example" }
probes = { http = "1m" }
"""


@pytest.fixture(name="file")
def monitor_toml(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.toml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("vantage", ["", "c n", 'cn".x', "cn]", "CN", "../x", "c" * 41])
def test_an_id_that_is_none_is_told_as_the_argument_that_it_is(file: Path, vantage: str) -> None:
    """And not as a line of a file that nobody has."""
    with pytest.raises(BadParameter, match="want the id of the new vantage, such as cn: a-z, 0-9"):
        add(file, vantage, "", "https://hub.example")
    assert file.read_text() == TEXT


@pytest.mark.parametrize(
    "url",
    ["hub.example", "https://hub.example/a b", "https://hub.example/?q", "https://hub.example/#f"],
)
def test_an_address_that_no_agent_could_ask_is_refused(file: Path, url: str) -> None:
    with pytest.raises(MonitorError, match=r"want one such as https://status\.example\.org"):
        add(file, "cn", "", url)
    assert file.read_text() == TEXT


def test_the_line_that_it_prints_is_one_that_the_agent_reads(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(file, "cn", "Shanghai", "https://hub.example/below/")
    invitation = read_invitation(capsys.readouterr().out.splitlines()[-1])
    assert (invitation.vantage, invitation.hub) == ("cn", "https://hub.example/below")
    assert f'key = "{invitation.key.public}"' in file.read_text()


def test_one_more_agent_of_a_place_gets_a_line_of_its_own_and_leaves_again(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(file, "cn", "Shanghai", "https://hub.example")
    alone = file.read_text()
    add(file, "cn", "", "https://hub.example", another=True)
    invitation = read_invitation(capsys.readouterr().out.splitlines()[-1])
    first, second = config_of(file).vantages[0].public_keys
    assert (invitation.vantage, invitation.key.public) == ("cn", second)
    with pytest.raises(MonitorError, match=f"no agent cn/0000, only .*cn/{agent_id(second)}"):
        remove(file, "cn/0000")
    remove(file, f"cn/{agent_id(second)}")
    assert file.read_text() == alone
    with pytest.raises(MonitorError, match="nor any other that shares checks"):
        remove(file, f"cn/{agent_id(first)}")


def test_one_more_agent_needs_a_place_that_is_there_and_no_other_name(file: Path) -> None:
    with pytest.raises(MonitorError, match=r"there is no \[vantage.cn\], nor any other"):
        add(file, "cn", "", "https://hub.example", another=True)
    with pytest.raises(BadParameter, match="has its name already"):
        add(file, "cn", "Shanghai", "https://hub.example", another=True)
    assert file.read_text() == TEXT


def config_of(file: Path) -> Config:
    return load(file, {})


async def test_each_agent_of_a_place_has_a_line_and_the_place_is_one(
    file: Path, clock: HandClock
) -> None:
    """In JSON the place is there as it is without several, and its agents below it."""
    add(file, "hk", "Hong Kong", "https://hub.example")
    add(file, "cn", "Shanghai", "https://hub.example")
    add(file, "cn", "", "https://hub.example", another=True)
    config = config_of(file)
    store = Store(config.store, clock=clock, vantage="fra")
    store.open()
    first, second = (agent_id(key) for key in config.vantages[1].public_keys)
    deal = deal_text((frozenset({first, second}),))
    document = agent_document(config, config.vantages[1])
    for key, buffered in zip(config.vantages[1].public_keys, (3, 4), strict=True):
        state = AgentState(
            vantage="cn",
            key=key,
            stream="s",
            upto=0,
            heard=clock.now(),
            buffered=buffered,
            blind=key == config.vantages[1].public_keys[0],
            deal=deal,
            config=digest(with_deal(document, agent_id(key), deal))[:TAG_LENGTH],
        )
        batch = ReceivedBatch(
            state=state, first=1, sent_ms=1, taken_over_after=timedelta(minutes=3)
        )
        await receive(store, batch, [])
    await store.close()
    table = io.StringIO()
    Console(file=table, width=120).print(agent_table(config))
    lines = [line.split() for line in table.getvalue().splitlines()[1:]]
    assert [line[0] for line in lines] == ["hk", f"cn/{first}", f"cn/{second}"]
    assert [line[-1] for line in lines] == ["-", "current", "current"]
    hk, cn = status._vantage_documents(config)
    assert (hk["id"], hk["heard_at"], "agents" in hk) == ("hk", None, False)
    assert (cn["id"], cn["buffered"], cn["blind"], cn["config_is_current"]) == (
        "cn",
        7,
        False,
        True,
    )
    assert [(agent["id"], agent["buffered"], agent["blind"]) for agent in cn["agents"]] == [
        (f"cn/{first}", 3, True),
        (f"cn/{second}", 4, False),
    ]
