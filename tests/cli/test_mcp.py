"""`monitor mcp`: an assistant asks through the SDK's own client, over real stdio, what a real daemon has stored."""

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lived import MONITOR, environment, live

from monitor.cli.mcp_tools import QUOTED

pytestmark = pytest.mark.slow
needs_sdk = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None, reason="the extra monitor[mcp] is not installed"
)
CHECK = "relay/cdn/chat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    live(folder)
    return folder


@asynccontextmanager
async def assistant(folder: Path) -> AsyncIterator[Any]:
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(
        command=str(MONITOR), args=["mcp"], cwd=folder, env=environment(folder)
    )
    async with Client(server) as client:
        yield client


async def told(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    document: dict[str, Any] = answer.structured_content
    return document


@needs_sdk
async def test_it_offers_five_tools_that_only_read_and_say_when_to_use_which(folder: Path) -> None:
    async with assistant(folder) as client:
        listed = await client.list_tools()
        instructions = client.instructions
    tools = {tool.name: tool for tool in listed.tools}
    assert list(tools) == ["best", "status", "incidents", "history", "diagnose"]
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert [name for name, tool in tools.items() if tool.annotations.open_world_hint] == [
        "diagnose"
    ]
    assert '"which base URL should I use?"' in tools["best"].description
    assert '`best` for "which base URL should I use?"' in instructions


@needs_sdk
async def test_its_documents_are_those_of_the_commands(folder: Path) -> None:
    async with assistant(folder) as client:
        best = await told(client, "best")
        status = await told(client, "status", service="relay")
        still = await told(client, "incidents", only_open=True)
        one = await told(client, "incidents", number=1)
        history = await told(client, "history", check=CHECK, since="1h", by="hour")
    assert all(each["note"] == QUOTED for each in (best, status, still, one, history))
    assert (best["daemon"], best["vantage"]) == (None, "local")
    assert best["use"] == {
        "relay": {"answer": "relay: no base URL is known to work well now.", "base_url": None}
    }
    [check] = status["checks"]
    assert (check["check"], check["latest"]["failure"]["kind"]) == (CHECK, "tcp_refused")
    [incident] = still["incidents"]
    assert (incident["id"], incident["severity"], incident["closed"]) == (1, "down", None)
    assert one["timeline"][0]["what"] == "opened"
    assert (history["by"], history["summary"]["availability"]) == ("hour", 0)


@needs_sdk
async def test_it_diagnoses_a_base_url_of_the_configuration_and_asks_no_other_host(
    folder: Path,
) -> None:
    async with assistant(folder) as client:
        for name in ("relay/cdn", "http://127.0.0.1:9"):
            diagnosis = await told(client, "diagnose", base_url=name)
            assert (diagnosis["fine"], diagnosis["failure"]["kind"]) == (False, "tcp_refused")
        other = await client.call_tool("diagnose", {"base_url": "http://169.254.169.254/latest"})
    assert other.is_error
    assert (
        'nothing is called "http://169.254.169.254/latest"; want a base URL of the configuration'
        in other.content[0].text
    )


@needs_sdk
async def test_a_question_that_cannot_be_answered_gets_a_sentence_and_the_server_goes_on(
    folder: Path,
) -> None:
    questions: list[tuple[str, dict[str, Any], str]] = [
        ("best", {"service": "rely"}, 'nothing is called "rely"'),
        ("incidents", {"number": 7}, "there is no incident #7"),
        ("incidents", {"since": "soon"}, 'got "soon", want how long ago'),
        ("history", {"check": "relay/cdn/chta"}, 'did you mean "relay/cdn/chat"?'),
        ("history", {"check": CHECK, "by": "week"}, 'got "week" for `by`, want runs or hour'),
        ("history", {"check": CHECK, "since": "1h", "until": "2h"}, "want a moment before `until`"),
        ("history", {}, "check"),
    ]
    async with assistant(folder) as client:
        for tool, arguments, why in questions:
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            assert why in answer.content[0].text
        assert not (await client.call_tool("status", {})).is_error


def test_without_the_extra_it_says_what_to_install(folder: Path) -> None:
    program = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['monitor', 'mcp'];"
        " from monitor.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "`monitor mcp` needs the SDK of the Model Context Protocol;"
        f' run: {sys.executable} -m pip install "monitor[mcp]"\n'
    )


def test_a_bad_configuration_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text("[monitor]\nnosuch = 1\n")
    done = subprocess.run(
        [MONITOR, "mcp"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert "nosuch" in done.stderr
