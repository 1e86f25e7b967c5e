"""`monitor once` before nginx before the litellm proxy: the verdicts on software that nobody here wrote."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from foreign import KEY, LITELLM, MODEL, NGINX, Relay, relaying

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.daemon.components import Components
from monitor.daemon.dependencies import Listeners
from monitor.demo.api_common import CHAT_MODEL
from monitor.demo.launcher import Simulation
from monitor.model import Failure, FailureKind, Incident, Result
from monitor.model.result import WORDS_OF_WINDOW
from monitor.schedule import Due

MONITOR = Path(sys.executable).parent / "monitor"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(LITELLM is None, reason="LITELLM does not name a litellm command"),
]


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    folder = tmp_path_factory.mktemp("simulation")
    with Simulation(folder, clock=SystemClock(), port=0, is_calm=True) as simulation:
        yield simulation


@pytest.fixture(scope="module")
def relay(simulation: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with relaying(tmp_path_factory.mktemp("foreign"), simulation) as found:
        yield found


def once(folder: Path, relay: Relay, base: str, *, key: str = KEY, **probes: str) -> dict[str, Any]:
    """What the command prints, by probe."""
    lines = "\n".join(f"{name} = {text}" for name, text in probes.items())
    (folder / "monitor.toml").write_text(
        f'[service.relay]\nkey = "${{KEY}}"\nmodel = "{MODEL}"\nca_file = "{relay.ca_file}"\n'
        f'endpoints = {{ it = "{base}" }}\n[service.relay.probes]\n{lines}\n'
    )
    done = subprocess.run(
        [MONITOR, "once", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "KEY": key},
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    document = json.loads(done.stdout)
    down = any(check["outcome"] == "down" for check in document["checks"])
    assert done.returncode == int(down)
    return {check["probe"]: check for check in document["checks"]}


def kinds(found: dict[str, Any]) -> dict[str, str | None]:
    return {name: each["failure"] and each["failure"]["kind"] for name, each in found.items()}


def undisturbed(folder: Path, relay: Relay) -> dict[str, Any]:
    """On a busy machine the proxy itself may send a stream in one piece: that has no speed."""
    for _ in range(4):
        found = once(
            folder,
            relay,
            relay.streaming,
            models='"1m"',
            chat='"5m"',
            plain='{ kind = "chat", stream = false }',
        )
        if found["chat"]["stream"] and found["chat"]["stream"]["tokens_per_s"] is not None:
            break
    return found


def test_all_is_well_and_its_timings_are_sane(relay: Relay, tmp_path: Path) -> None:
    found = undisturbed(tmp_path, relay)
    assert kinds(found) == {"models": None, "chat": None, "plain": None}
    times, stream = found["chat"]["timings_ms"], found["chat"]["stream"]
    assert 0 < times["connect"] < 100
    assert 0 < times["tls"] < 500
    assert times["connect"] + times["tls"] < times["ttfb"] <= times["ttft"] < times["total"]
    assert 500 < times["total"] < 20_000  # the simulation speaks about 80 tokens a second
    assert stream["complete"] is True
    assert stream["content_chunks"] >= 64
    assert 20 < stream["tokens_per_s"] < 400
    assert found["chat"]["usage"]["tokens_out"] >= 64


def test_a_proxy_that_lost_its_upstream_is_a_bad_gateway(relay: Relay, tmp_path: Path) -> None:
    found = once(tmp_path, relay, relay.orphaned, models='"1m"', chat='"5m"')
    assert kinds(found) == {"models": "bad_gateway", "chat": "bad_gateway"}


def test_a_wrong_key_is_the_accounts_fault(relay: Relay, tmp_path: Path) -> None:
    found = once(tmp_path, relay, relay.streaming, key="another-key", models='"1m"', chat='"5m"')
    assert kinds(found) == {"models": "auth_invalid", "chat": "auth_invalid"}
    assert {each["failure"]["fault"] for each in found.values()} == {"account"}


def test_an_unknown_model_is_the_accounts_fault(relay: Relay, tmp_path: Path) -> None:
    found = once(
        tmp_path,
        relay,
        relay.streaming,
        models='{ model = "no-such-model" }',
        chat='{ model = "no-such-model" }',
    )
    assert kinds(found) == {"models": None, "chat": "model_not_found"}  # told once, by the call


def test_a_proxy_that_buffers_is_seen_to(relay: Relay, tmp_path: Path) -> None:
    found = once(tmp_path, relay, relay.buffering, chat='"5m"')
    assert kinds(found) == {"chat": "fake_streaming"}
    assert kinds(once(tmp_path, relay, relay.streaming, chat='"5m"')) == {"chat": None}


def test_tool_calls_cached_tokens_and_token_counts_come_through_in_each_api_that_the_proxy_speaks(
    relay: Relay, tmp_path: Path
) -> None:
    bearer = f'headers = {{ Authorization = "Bearer {KEY}" }}'  # what nginx wants
    found = once(
        tmp_path,
        relay,
        relay.streaming,
        tools="{}",
        plain='{ kind = "tools", stream = false }',
        responses='{ kind = "tools", api = "responses" }',
        messages=f'{{ kind = "tools", api = "messages", {bearer} }}',
        cache='{ pause = "1ms" }',
        tokenizer="{}",
    )
    assert kinds(found) == dict.fromkeys(found), found
    assert len(found) == 6
    assert found["tokenizer"]["usage"]["tokens_in"] > 8 * 25


async def test_of_two_base_urls_the_one_that_asks_another_model_is_told(
    relay: Relay, simulation: Simulation, tmp_path: Path
) -> None:
    """Two days of one-word answers in seconds. Which of two is right is known from the model's own API."""
    record(simulation, tmp_path / "official.json")
    (tmp_path / "monitor.toml").write_text(
        f'[alerts]\nafter = 1\n[service.relay]\nkey = "{KEY}"\nmodel = "{MODEL}"\nca_file = "{relay.ca_file}"\n'
        f'endpoints = {{ honest = "{relay.streaming}", cheap = "{relay.substituting}" }}\n'
        'probes = { identity = { reference = "official.json" }, tokenizer = {}, cache = { pause = "1ms" } }\n'
    )
    runs = {"identity": 2 * WORDS_OF_WINDOW + 5, "tokenizer": 3, "cache": 3}
    last, incidents = await after_runs(tmp_path / "monitor.toml", runs)

    assert {key: failure and failure.kind for key, failure in last.items()} == {
        "relay/honest/identity": None,
        "relay/cheap/identity": FailureKind.MODEL_SUSPECT,
        "relay/honest/tokenizer": FailureKind.TOKENIZER_CHANGED,  # each counts unlike the other
        "relay/cheap/tokenizer": FailureKind.TOKENIZER_CHANGED,
        "relay/honest/cache": None,
        "relay/cheap/cache": None,
    }
    suspect, counted = (last[f"relay/cheap/{probe}"] for probe in ("identity", "tokenizer"))
    assert suspect is not None
    assert suspect.message.startswith("got one-word answers ")
    assert " unlike those of " in suspect.message
    assert counted is not None
    assert counted.message.endswith(" of honest")
    (incident,) = incidents
    assert {*incident.checks} == {
        "relay/cheap/identity",
        "relay/cheap/tokenizer",
        "relay/honest/tokenizer",
    }


def record(simulation: Simulation, path: Path) -> None:
    """Keep what the model answers at its own API, by the command for it."""
    url = next(iter(simulation.addresses.endpoints.values()))
    command = [MONITOR, "identity", "record", url, "--model", CHAT_MODEL, "--key-env", "KEY"]
    subprocess.run(
        [*command, "-o", path, "--yes"],
        env={
            "PATH": os.environ["PATH"],
            "KEY": simulation.addresses.key,
            "SSL_CERT_FILE": str(simulation.ca_file),
        },
        check=True,
        timeout=60,
    )


async def after_runs(
    path: Path, runs: Mapping[str, int]
) -> tuple[dict[str, Failure | None], list[Incident]]:
    """How the last run of each check of a daemon failed, and its incidents, after so many rounds of each probe."""
    last: dict[str, Failure | None] = {}

    def keep(result: Result) -> None:
        last[result.check] = result.failure

    daemon = Daemon(load(path, {}), listeners=Listeners(on_result=keep))
    daemon.store.open()
    components = Components.build(daemon.deps, daemon.store.recall())

    async def run(probe: str) -> None:
        checks = [check for check in daemon.deps.config.checks if check.probe.id == probe]
        for _ in range(runs[probe]):
            due = Due(daemon.clock.now(), 0.0, 0)
            await asyncio.gather(*(components.cycle.tick(check, due) for check in checks))

    try:
        await asyncio.gather(*map(run, runs))
        await daemon.store.flush()
        return last, [*(await daemon.store.snapshot(daemon.clock.now())).incidents]
    finally:
        await components.close()
        await daemon.store.close()
