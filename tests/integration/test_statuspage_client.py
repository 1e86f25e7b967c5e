"""A client that others wrote for Statuspage reads our page from the daemon's own web server."""

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from worlds import SITES, WORLDS

from monitor.page import Renderer, publish, view
from monitor.web import WebServer

PYTHON = os.environ.get("FOREIGN_PYTHON")
CLIENT = "statuspage_prometheus_exporter.status_monitoring"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="FOREIGN_PYTHON does not name a Python with it"),
]
Samples = dict[str, float]


async def ask(folder: Path, world: str) -> Samples:
    """What the client says of that world, as the metrics that it writes."""
    page = view(SITES[world], WORLDS[world](), {})[0]
    publish(folder / "page", Renderer().files(page))
    web = WebServer(folder / "page", "127.0.0.1", 0, lambda: None)
    await web.start()
    try:
        return await asyncio.to_thread(run, folder, web.port)
    finally:
        await web.close()


def run(folder: Path, port: int) -> Samples:
    url = f"http://127.0.0.1:{port}/api/v2/summary.json"
    services = folder / "services.json"
    services.write_text(json.dumps({"ours": {"name": "ours", "url": url}}))
    done = subprocess.run(
        [str(PYTHON), "-m", CLIENT],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "RUN_MODE": "once",
            "SERVICES_JSON_PATH": str(services),
            "METRICS_TEXTFILE_PATH": str(folder / "found.prom"),
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (folder / "found.prom").read_text().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("statuspage_"))
    return {name: float(value) for name, value in pairs}


def components(found: Samples) -> dict[str, float]:
    pattern = re.compile(
        r'statuspage_component_status\{component_name="(.*)",service_name="ours"\}'
    )
    return {seen[1]: value for name, value in found.items() if (seen := pattern.fullmatch(name))}


async def test_on_a_good_day_it_sees_a_service_that_is_up(tmp_path: Path) -> None:
    found = await ask(tmp_path, "all-good")
    assert found['statuspage_service_status{service_name="ours"}'] == 1
    assert len(components(found)) == 6 * (1 + 3)
    assert set(components(found).values()) == {1}


async def test_on_a_bad_day_it_sees_what_is_wrong(tmp_path: Path) -> None:
    found = await ask(tmp_path, "mixed")
    assert found['statuspage_service_status{service_name="ours"}'] == 0
    assert {name for name, value in components(found).items() if not value} == {
        "Direct to the US origin",
        "Direct to the US origin · Models",
        "Direct to the US origin · Chat",
        "Direct to the US origin · Embeddings",
        "Cloudflare Worker",
        "Cloudflare Worker · Chat",
    }
    incidents = [name for name in found if "statuspage_incident_info" in name]
    assert len(incidents) == 2
    for part in (
        'incident_id="9"',
        'impact="critical"',
        'incident_name="Direct to the US origin: DNS pollution suspected"',
        'shortlink="https://status.example/incidents/9/"',
        'started_at="2026-11-23T11:24:05Z"',
    ):
        assert part in incidents[0]


async def test_it_sees_maintenance_that_goes_on(tmp_path: Path) -> None:
    found = await ask(tmp_path, "mock")
    works = [name for name in found if "statuspage_maintenance_info" in name]
    assert works != []
    assert all('maintenance_id="none"' not in name for name in works)
