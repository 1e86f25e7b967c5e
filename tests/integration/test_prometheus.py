"""A real Prometheus reads a real hub with a real agent: what the dashboard and the alert rules ask is answered."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cast import until
from listening import free_port

from monitor.clock import SystemClock
from monitor.demo.launcher import Simulation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="prometheus is not installed (Debian: prometheus)",
    ),
]
GRAFANA = Path(__file__).parents[2] / "docs" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "monitor.json").read_text())
CHOICES = {"service": ".*", "endpoint": ".*", "vantage": ".*", "window": "1h"}
"""What the variables are where a reader has chosen nothing."""
EMPTY = {"Balance lasts for days"}
"""A rate is known after a day."""
MONITOR = Path(sys.executable).parent / "monitor"
PATIENCE_S = 240
HUB = """
[monitor]
vantage = "fra"
listen = "127.0.0.1:{listen}"
metrics = "127.0.0.1:{metrics}"
[alerts]
after = 1
wait = "1s"
[service.demo]
key = "${{DEMO_KEY}}"
model = "demo-mini"
budget_per_day = "10M tokens"
[service.demo.endpoints]
direct = {{ url = "${{DEMO_US_DIRECT}}", ca_file = "${{DEMO_CA}}" }}
gone = "http://127.0.0.1:9"
[service.demo.probes]
models = "1s"
chat = "1s"
balance = "1s"
[channel.terminal]
url = "{channel}"
"""


@contextmanager
def process(
    folder: Path, *words: str | Path, env: dict[str, str], line: str = ""
) -> Iterator[Path]:
    """A program that ends with us; the file of its output."""
    path = folder / f"{Path(words[0]).name}-{Path(words[1]).name}.log"
    with path.open("wb") as log:
        running = subprocess.Popen(
            [*words], cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env
        )
    assert running.stdin
    running.stdin.write(line.encode())
    running.stdin.close()
    try:
        yield path
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


class Prometheus:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/api/v1/{path}", params=parameters) as response:
            document: dict[str, Any] = await response.json()
        assert document["status"] == "success", document
        return document

    async def query(self, expression: str) -> list[dict[str, Any]]:
        data = (await self.ask("query", query=expression))["data"]
        found: list[dict[str, Any]] = data["result"]
        return found

    async def has(self, expression: str) -> None:
        """Wait until a query finds something."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.query(expression):
                await asyncio.sleep(0.3)


@asynccontextmanager
async def scraped(folder: Path) -> AsyncIterator[Prometheus]:
    """Prometheus, which reads a hub once a second that has an agent at "cn"."""
    listen, metrics, port = free_port(), free_port(), free_port()
    (folder / "agent").mkdir()
    (folder / "simulated").mkdir()
    (folder / "prometheus.yml").write_text(
        "global: { scrape_interval: 1s, evaluation_interval: 1s }\n"
        f"rule_files: [{GRAFANA / 'alerts.yml'}]\n"
        "scrape_configs:\n"
        f'- {{ job_name: monitor, static_configs: [{{ targets: ["127.0.0.1:{metrics}"] }}] }}\n'
    )
    with Simulation(
        folder / "simulated", clock=SystemClock(), port=listen, is_calm=True
    ) as simulation:
        env = {**os.environ, **simulation.env, "HOME": str(folder)}
        channel = simulation.addresses.channel.replace("http://", "json://", 1)
        (folder / "monitor.toml").write_text(
            HUB.format(listen=listen, metrics=metrics, channel=channel)
        )
        with process(folder, MONITOR, "run", env=env) as log:
            await until(lambda: "event=started" in log.read_text(), PATIENCE_S)
            url = f"http://127.0.0.1:{listen}"
            invited = await asyncio.to_thread(
                subprocess.run,
                [MONITOR, "agent", "add", "cn", "--name", "Shanghai", "--url", url],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                check=True,
            )
            line = invited.stdout.strip().splitlines()[-1] + "\n"
            arguments = (
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            )
            with (
                process(folder, MONITOR, "agent", "--state", "agent", env=env, line=line),
                process(folder, "prometheus", *arguments, env=env) as own_log,
            ):
                await until(lambda: "ready to receive" in own_log.read_text(), PATIENCE_S)
                async with aiohttp.ClientSession() as session:
                    yield Prometheus(f"http://127.0.0.1:{port}", session)


def filled(query: str) -> str:
    for name, value in CHOICES.items():
        query = query.replace(f"${name}", value)
    return query


async def test_every_query_of_the_dashboard_and_every_alert_rule_is_answered(
    tmp_path: Path,
) -> None:
    async with scraped(tmp_path) as prometheus:
        await prometheus.has('rate(probe_runs_total{vantage="cn"}[1h])')
        await prometheus.has("rate(probe_run_tokens_per_second_count[1h]) > 0")
        await prometheus.has("probe_balance")
        await prometheus.has("monitor_open_incidents")
        empty = set()
        for panel in DASHBOARD["panels"]:
            for target in panel.get("targets", ()):
                found = await prometheus.query(filled(target["expr"]))
                numbers = [float(series["value"][1]) for series in found]
                if all(map(isnan, numbers)):
                    empty.add(panel["title"])
        assert empty == EMPTY
        assert await labels(prometheus) == {
            "service": ["demo"],
            "endpoint": ["direct", "gone"],
            "vantage": ["cn", "fra"],
        }
        await agrees_with_itself(prometheus)
        rules = (await prometheus.ask("rules"))["data"]["groups"][0]["rules"]
        assert len(rules) > 10
        assert {rule["name"]: rule["health"] for rule in rules} == {
            rule["name"]: "ok" for rule in rules
        }
        firing = {rule["name"] for rule in rules if rule["state"] != "inactive"}
        assert {"IncidentOpen", "EndpointDown"} <= firing
        targets = (await prometheus.ask("targets"))["data"]["activeTargets"]
        assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]


async def labels(prometheus: Prometheus) -> dict[str, list[str]]:
    """What the variables offer, as Grafana asks for it."""
    offered = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            inside = variable["definition"].removeprefix("label_values(").removesuffix(")")
            series, label = inside.rsplit(", ", 1)
            document = await prometheus.ask(f"label/{label}/values", **{"match[]": filled(series)})
            offered[variable["name"]] = document["data"]
    return offered


async def agrees_with_itself(prometheus: Prometheus) -> None:
    """Each scrape has no more answered runs in a histogram than runs that were not down or unknown."""
    more = (
        "probe_run_duration_seconds_count > on (service, endpoint, probe, vantage) "
        'sum by (service, endpoint, probe, vantage) (probe_runs_total{outcome=~"up|degraded"})'
    )
    assert await prometheus.query(more) == []
    apart = 'probe_run_duration_seconds_bucket{le="+Inf"} != ignoring (le) probe_run_duration_seconds_count'
    assert await prometheus.query(apart) == []
