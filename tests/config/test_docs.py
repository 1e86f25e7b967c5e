"""Every key of the schema stands in docs/configuration.md, in both languages, in the table where it belongs."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config import parse
from monitor.config.json_schema import schema
from monitor.config.tables import (
    POLICY_TABLES,
    TABLES,
    TABLES_BY_ID,
    EndpointTable,
    OtlpTable,
    PublishTable,
    keys_of,
    table_of,
)
from monitor.config.values import Kept, Size
from monitor.model import AlertSettings, Endpoint, HistorySettings, PageSettings
from monitor.probes import PROBES, ProbeSettings
from monitor.probes.kinds.api_call import ApiProbe, PaidCall
from monitor.probes.kinds.conversation import Conversation

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IN_CHINESE = {
    "## An endpoint": "## 端点",
    "## A probe": "## 检测",
    "### Every kind that calls an API": "### 所有调用 API 的种类",
    "### Every paid kind": "### 所有付费的种类",
    "### `publish` as a table": "### `publish` 写成表",
}


@pytest.fixture(params=["configuration.md", "configuration.zh.md"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def documented(heading: str, page: str) -> set[str]:
    """Return the keys that the table below a heading of the page has."""
    text = (DOCS / page).read_text()
    heading = IN_CHINESE.get(heading, heading) if page.endswith(".zh.md") else heading
    assert f"\n{heading}" in text, f"docs/{page} wants a section `{heading}`"
    section = re.split(r"\n#{2,3} ", text.split(f"\n{heading}", 1)[1])[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize("name", [*TABLES, *TABLES_BY_ID])
def test_every_key_of_a_table_is_documented_and_no_other(name: str, page: str) -> None:
    heading = (
        f'## `[{name}."MODEL"]`'
        if name == "price"
        else f"## `[{name}" + (".ID]`" if name in TABLES_BY_ID else "]`")
    )
    assert documented(heading, page) == keys_of({**TABLES, **TABLES_BY_ID}[name])


def test_every_key_of_the_publish_table_is_documented(page: str) -> None:
    assert documented("### `publish` as a table", page) == keys_of(PublishTable)


def test_every_key_of_the_otlp_table_is_documented(page: str) -> None:
    (row,) = re.findall(r"^\| `otlp` \|.*", (DOCS / page).read_text(), re.MULTILINE)
    assert all(f"{key} = " in row for key in keys_of(OtlpTable))


def test_every_key_of_an_endpoint_is_documented_and_no_other(page: str) -> None:
    assert documented("## An endpoint", page) == keys_of(EndpointTable)


def test_every_key_of_every_probe_kind_is_documented_and_no_other(page: str) -> None:
    common = keys_of(ProbeSettings)
    of_apis = keys_of(ApiProbe) - common
    assert documented("## A probe", page) == common | {"kind"}
    paid = keys_of(PaidCall) - keys_of(ApiProbe)
    assert documented("### Every kind that calls an API", page) == of_apis
    assert documented("### Every paid kind", page) == paid | {"system"}
    for kind, settings in PROBES.items():
        elsewhere = set(common)
        elsewhere |= of_apis if issubclass(settings, ApiProbe) else frozenset()
        elsewhere |= paid if issubclass(settings, PaidCall) else frozenset()
        elsewhere |= {"system"} if issubclass(settings, Conversation) else frozenset()
        assert documented(f"### `{kind}`", page) == keys_of(settings) - elsewhere, kind


def test_the_schema_shows_durations_as_the_file_does() -> None:
    properties = schema()["$defs"]["AlertsTable"]["properties"]
    assert properties["remind"]["default"] == "4h"


@pytest.mark.parametrize("name", POLICY_TABLES)
def test_every_key_of_a_policy_is_documented_and_no_other(name: str, page: str) -> None:
    assert documented(f"### `[alerts.{name}]`", page) == keys_of(POLICY_TABLES[name])


def test_what_the_file_leaves_out_is_as_the_settings_say() -> None:
    """Defaults stand in the settings alone, so a file that says nothing gives just those."""
    text = '[service.a]\nendpoints = { x = "https://a.example" }\n'
    parsed = parse(text, path=Path("/etc/monitor/monitor.toml"), env={})
    assert parsed.alerts == AlertSettings()
    assert parsed.history == HistorySettings()
    assert parsed.page == PageSettings(dir=Path("/etc/monitor/page"))
    assert parsed.services[0].endpoints[0] == Endpoint(
        id="x", service="a", name="x", url="https://a.example"
    )


def test_a_key_is_added_in_one_place() -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(HistorySettings):
        weeks: timedelta = field(default=timedelta(weeks=8), metadata={"help": "by week"})

    kept = dict.fromkeys(("raw", "hours", "days", "evidence"), Kept)
    table = table_of(More, "MoreTable", **kept, max_size=Size | None)
    assert keys_of(table) == keys_of(TABLES["history"]) | {"weeks"}
    assert dict(table())["weeks"] == timedelta(weeks=8)
    assert table.model_json_schema()["properties"]["weeks"]["description"] == "by week"


ANOTHER_FILE = {"demo", "import_draft", "init"}
"""Files of commands that read what they have written themselves, no configuration of an operator."""
LOAD = re.compile(r"(?:(?<![\w.])|config\.)load\((?!self\))([^()]*)\)")


def wants(source: str) -> str:
    """Return the most that a file of `monitor/cli` asks `load` for."""
    asked = {
        match[1] if (match := re.search(r"Secrets\.(\w+)", arguments)) else "ALL"
        for arguments in LOAD.findall(source)
    }
    return next((most for most in ("ALL", "ENDPOINTS") if most in asked), "NONE")


def test_the_commands_that_want_secrets_are_those_that_the_page_names(page: str) -> None:
    files = {path.stem: wants(path.read_text()) for path in (ROOT / "monitor/cli").glob("*.py")}
    wanting: dict[str, set[str]] = {"ALL": set(), "ENDPOINTS": set()}
    for name, most in files.items():
        if most != "NONE" and name not in {*ANOTHER_FILE, "options"}:
            wanting[most].add(name.removesuffix("_tools").replace("_", "-"))
    (line,) = re.findall(
        r"^- \*\*`\$\{NAME\}`\*\*.*\n(?:  .*\n)*", (DOCS / page).read_text(), re.MULTILINE
    )
    named = {name.removesuffix(" URL") for name in re.findall(r"`([a-z][a-z -]+(?: URL)?)`", line)}
    assert named - {"key", "store"} == wanting["ALL"] | wanting["ENDPOINTS"]
    assert wanting["ENDPOINTS"] == {"once", "diagnose", "mcp"}
