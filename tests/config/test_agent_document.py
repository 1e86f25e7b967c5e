"""What of the hub's file travels to an agent, and what the agent makes of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Config, parse
from monitor.config.agent_document import agent_document, read_agent_document
from monitor.model import ConfigError, Vantage

SECRETS = ("key-" + "canary" * 3, "proxy-canary-word", "header-canary-word", "chat-canary-word")
TOML = """
[monitor]
vantage = "fra"
resolvers = ["https://1.1.1.1/dns-query", "https://dns.example/customer-4711"]
controls = ["https://www.example.com"]
[channel.phone]
url = "json://x/chat-canary-word"
[alerts]
after = 2
[service.relay]
key = "${RELAY_KEY}"
model = "m"
budget_per_day = "1 USD"
probes = { models = "1m", chat = "5m" }
[service.relay.endpoints]
direct = "https://a.example"
ours = { url = "https://b.example", proxy = "http://user:proxy-canary-word@127.0.0.1:3128" }
signed = { url = "https://c.example", headers = { X-Token = "header-canary-word" } }
group = { url = "https://d.example", headers = { X-Group = "${GROUP}" } }
filed = { url = "https://e.example", key = "file:key.txt" }
gone = { url = "https://f.example", retired = true }
[service.private]
endpoints = { x = "https://g.example" }
[price."m"]
in = 1.0
out = 2.0
[maintenance.work]
from = 2026-12-01T22:00:00+08:00
until = 2026-12-02T01:00:00+08:00
endpoints = ["relay/ours", "relay/direct"]
[maintenance.of-others]
every = "day 03:00"
for = "1h"
services = ["private"]
"""
CN = Vantage(id="cn", public_keys=("ed25519:",), services=frozenset({"relay"}))


def ed25519(letter: str) -> str:
    return f"ed25519:{letter * 43}="


PLACES = f"""
[vantage.hk]
key = "{ed25519("A")}"
[vantage.cn]
key = "{ed25519("B")}"
services = ["relay"]
[vantage.jp]
key = "{ed25519("C")}"
paid = "each"
"""


def hub_document(folder: Path) -> bytes:
    return agent_document(hub_config(folder), CN)


def hub_config(folder: Path, more: str = "") -> Config:
    key = folder / "key.txt"
    key.write_text(SECRETS[0])
    key.chmod(0o600)
    env = {"RELAY_KEY": SECRETS[0], "GROUP": "g7g7g7"}
    return parse(TOML + more, path=folder / "monitor.toml", env=env)


def test_no_secret_and_nothing_of_the_hubs_own_place_travels(tmp_path: Path) -> None:
    body = hub_document(tmp_path)
    for secret in (*SECRETS, "g7g7g7", "4711", "key.txt", "g.example", "f.example"):
        assert secret not in body.decode()
    document: dict[str, Any] = json.loads(body)
    assert sorted(document["service"]["relay"]["endpoints"]) == ["direct", "filed", "group"]
    assert document["left_out"] == {"relay/ours": "proxy", "relay/signed": "headers"}
    assert document["monitor"]["resolvers"] == ["https://1.1.1.1/dns-query"]
    assert document["maintenance"]["work"]["endpoints"] == ["relay/direct"]
    assert set(document["maintenance"]) == {"work"}


def test_an_agent_without_the_keys_probes_what_needs_none(tmp_path: Path) -> None:
    env = {"MONITOR_LISTEN": "0.0.0.0:8080"}  # of an image; an agent has no page
    found = read_agent_document(hub_document(tmp_path), path=tmp_path / "agent.json", env=env)
    config = found.config
    assert config.vantage == "cn"
    assert config.listen is None
    assert (config.channels, config.vantages) == ((), ())
    assert config.store == f"sqlite:///{tmp_path}/agent.db"
    assert [check.key for check in config.checks] == [
        "relay/direct/models",
        "relay/direct/chat",
        "relay/filed/models",
        "relay/filed/chat",
    ]
    assert all(check.endpoint.key is None for check in config.checks)
    assert found.left_out["relay/group"] == "${GROUP}"
    assert config.alerts.after == 2
    assert config.maintenance[0].covers("relay/direct/chat")


def test_an_agent_uses_the_keys_of_its_own_environment(tmp_path: Path) -> None:
    env = {"RELAY_KEY": "its-own-key", "GROUP": "its-own-group"}
    config = read_agent_document(hub_document(tmp_path), path=tmp_path / "a.json", env=env).config
    endpoints = {check.endpoint.id: check.endpoint for check in config.checks}
    assert sorted(endpoints) == ["direct", "filed", "group"]
    assert {endpoint.key.reveal() for endpoint in endpoints.values() if endpoint.key} == {
        "its-own-key"
    }
    assert endpoints["group"].headers[0][1].reveal() == "its-own-group"
    assert {"its-own-key", "its-own-group"} <= {secret.reveal() for secret in config.secrets}


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    assert hub_document(tmp_path) == hub_document(tmp_path)


def test_hub_and_agents_agree_who_takes_turns_on_what_costs_money(tmp_path: Path) -> None:
    """Every vantage runs what is free; `paid = "each"` runs the rest too, beside the turns of the others."""
    hub = hub_config(tmp_path, PLACES)
    turns = {"fra": {check.key: check.turns for check in hub.checks}}
    for vantage in hub.vantages:
        body = agent_document(hub, vantage)
        agent = read_agent_document(body, path=tmp_path / "agent.json", env={}).config
        turns[vantage.id] = {check.key: check.turns for check in agent.checks}
    chat, models = "relay/direct/chat", "relay/direct/models"
    all_three = ("fra", "cn", "hk")
    assert {place: of[chat] for place, of in turns.items()} == {
        "fra": all_three,
        "cn": all_three,
        "hk": all_three,
        "jp": (),
    }
    assert {of[models] for of in turns.values()} == {()}
    assert turns["hk"]["private/x/http"] == ()


def test_the_hub_alone_asks_for_balances_and_prices(tmp_path: Path) -> None:
    more = """
[service.bank]
key = "${RELAY_KEY}"
endpoints = { x = "https://h.example" }
probes = { balance = "1h" }
[service.shop]
key = "${RELAY_KEY}"
endpoints = { x = "https://i.example" }
probes = { models = "1m", balance = {}, costs = { kind = "prices", every = "2h" } }
"""
    body = agent_document(hub_config(tmp_path, more), replace(CN, services=frozenset()))
    found = read_agent_document(body, path=tmp_path / "agent.json", env={})
    checks = {check.key for check in found.config.checks}
    assert {key for key in checks if key.startswith(("bank", "shop"))} == {"shop/x/models"}


def test_a_vantage_with_nothing_to_probe_is_told_so(tmp_path: Path) -> None:
    nothing = replace(hub_config(tmp_path), document={})
    body = agent_document(nothing, CN)
    with pytest.raises(ConfigError):
        read_agent_document(body, path=tmp_path / "agent.json", env={})


def test_what_the_headers_of_a_probe_hold_stays_as_well_unless_it_is_a_reference(
    tmp_path: Path,
) -> None:
    def left_out(value: str, env: dict[str, str]) -> dict[str, str]:
        toml = TOML.replace('chat = "5m"', f'chat = {{ headers = {{ X-A = "{value}" }} }}')
        (tmp_path / "key.txt").write_text(SECRETS[0])
        (tmp_path / "key.txt").chmod(0o600)
        both = {"RELAY_KEY": SECRETS[0], "GROUP": "g7g7g7", "A": "a-canary-word"}
        config = parse(toml, path=tmp_path / "monitor.toml", env=both)
        body = agent_document(config, replace(CN, services=frozenset()))
        assert b"canary-word" not in body
        found = read_agent_document(body, path=tmp_path / "agent.json", env=env)
        return dict(found.left_out)

    usual = {"relay/ours": "proxy", "relay/signed": "headers"}
    assert left_out("${A}", {"A": "own", "GROUP": "g"}) == usual
    there = ("relay/direct", "relay/filed", "relay/group")
    assert left_out("${A}", {"GROUP": "g"}) == usual | dict.fromkeys(there, "${A}")
    everything = usual | dict.fromkeys(there, "headers")
    assert left_out("a-canary-word", {"GROUP": "g"}) == everything
