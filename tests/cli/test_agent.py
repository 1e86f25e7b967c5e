"""`monitor agent add` at the hub: what it cannot use it refuses before it changes anything."""

from pathlib import Path

import pytest
from typer import BadParameter

from monitor.agent.invitation import read_invitation
from monitor.cli.agent import add
from monitor.model import MonitorError

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
