"""`monitor validate --cost`: what a configuration will spend, before it spends it."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from command_cast import monitor

from monitor.cli.cost_table import cost_document, cost_parts
from monitor.config import Config, parse
from monitor.model import Habit
from monitor.model.duration import format_duration
from monitor.probes import PROBES

CONFIGURATION = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
SERVICE = """
[service.relay]
key = "${KEY}"
model = "m"
multiplier = 0.5
probes = { models = "1m", chat = "5m", identity = "30m" }
endpoints = { a = "https://a.example", b = "https://b.example" }
"""
OTHER = """
[service.other]
key = "${KEY}"
model = "n"
probes = { chat = { stream = false, every = "1h", system = "four tokens more" } }
endpoints = { c = "https://c.example", d = { url = "https://d.example", retired = true } }
"""
PRICE = '[price."m"]\nin = 2.0\nout = 8.0\n'
PLACES = """
[vantage.hk]
key = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""
EACH = """
[vantage.jp]
key = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
paid = "each"
services = ["other"]
"""


def read(toml: str, key: str = "a-key") -> Config:
    return parse(toml, path=Path("/etc/monitor/monitor.toml"), env={"KEY": key} if key else {})


def said(toml: str) -> str:
    return "\n".join(str(part) for part in cost_parts(read(toml)) if not hasattr(part, "columns"))


def rows() -> dict[str, tuple[str, ...]]:
    """Return the rows of the table in the docs by kind."""
    section = CONFIGURATION.split("## What the probes cost", 1)[1].split("\n## ", 1)[0]
    found: dict[str, tuple[str, ...]] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in {"kind", "---"}:
            names = re.findall(r"`(\w+)`", cells[0]) if "same" not in cells[0] else ["same"]
            found.update(dict.fromkeys(names, tuple(cells[1:])))
    return found


def reckoned(kind: str, **settings: object) -> tuple[str, ...]:
    probe = PROBES[kind](**settings)
    cost, runs = probe.usual_cost(), timedelta(days=1) // probe.every
    every = format_duration(probe.every)
    return (every, str(cost.questions), str(cost.tokens), f"{cost.tokens * runs:,}")


def test_the_table_of_the_docs_is_what_the_program_reckons() -> None:
    want = {name: reckoned(name) for name, kind in PROBES.items() if kind.paid}
    assert rows() == want | {"same": reckoned("chat", stream=False)}


@pytest.mark.parametrize("kind", PROBES)
def test_a_usual_run_costs_no_more_than_the_worst_and_nothing_where_it_is_free(kind: str) -> None:
    probe = PROBES[kind]()
    if probe.paid:
        assert 0 < probe.usual_cost().tokens <= probe.reserve(Habit()).tokens
    else:
        assert (probe.usual_cost().tokens, probe.usual_cost().questions) == (0, 0)


def test_money_is_tokens_times_price_times_multiplier_and_months_have_thirty_days() -> None:
    document = cost_document(read(SERVICE + PRICE))
    assert document["services"] == {
        "relay": {
            "requests_a_day": 2 * (288 + 48),
            "tokens_a_day": 2 * (288 * 158 + 48 * 35),
            "money_a_day": {
                "USD": round(
                    (2 * 288 * (30 * 2 + 128 * 8) + 2 * 48 * (33 * 2 + 2 * 8)) / 1e6 / 2, 6
                )
            },
            "models_without_price": [],
        }
    }
    assert document["total"] == document["services"]["relay"]
    assert [line["probe"] for line in document["probes"]] == ["chat", "identity"]


def test_what_is_retired_or_lacks_its_key_spends_nothing_and_what_is_added_is_counted() -> None:
    assert cost_document(read(OTHER))["total"]["tokens_a_day"] == 24 * (28 + 4)
    assert cost_document(read(OTHER, key=""))["total"]["requests_a_day"] == 0
    assert said(SERVICE.replace(', chat = "5m", identity = "30m"', "")).startswith("No paid probe")


def test_places_take_turns_and_one_that_does_not_spends_as_much_again() -> None:
    both = SERVICE + OTHER
    alone, turns, each = (cost_document(read(both + more)) for more in ("", PLACES, PLACES + EACH))
    assert turns == alone
    assert each["services"]["relay"] == alone["services"]["relay"]
    assert each["services"]["other"]["requests_a_day"] == 48
    assert "jp asks at each point beside them" in said(both + PLACES + EACH)


def test_an_unknown_price_and_a_budget_that_is_too_small_are_said() -> None:
    told = said(SERVICE.replace("multiplier", 'budget_per_day = "50k tokens"\nmultiplier'))
    assert '? stands for models without a price: add [price."m"].' in told
    assert "budget_per_day of relay: 50,000 tokens is less: paid probes pause" in told
    told = said(SERVICE.replace("multiplier", 'budget_per_day = "1 USD"\nmultiplier') + PRICE)
    assert "budget_per_day of relay: 1.00 USD is enough." in told
    assert "?" not in told


def test_the_command_prints_a_table_or_one_document(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text(SERVICE + PRICE)
    env = {"KEY": "a-key"}
    done = monitor("validate", "--cost", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "relay    chat      2" in done.stdout
    assert "9.48 USD" in done.stdout
    document = monitor("validate", "--cost", "--json", cwd=tmp_path, env=env)
    assert json.loads(document.stdout) == cost_document(read(SERVICE + PRICE))
    assert monitor("validate", "--json", cwd=tmp_path, env=env).returncode == 2
