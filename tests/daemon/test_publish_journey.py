"""The publish command beside a real daemon: what fails is in `monitor status`, the last page arrives."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import until

from monitor.config import load
from monitor.daemon.app import Daemon

MONITOR = Path(sys.executable).parent / "monitor"
COMMAND = "cp index.html ../carried.html; test -e ../open && exit 0; echo the door is shut; exit 5"


def status(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [MONITOR, "status", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
async def test_trouble_is_in_the_status_until_it_is_over_and_the_last_page_is_carried(
    tmp_path: Path,
) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'[monitor]\nlisten = ""\n[page]\npublish = {{ command = "{COMMAND}", every = "1s" }}\n'
        '[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\nprobes = { http = "1s" }\n'
    )
    daemon = Daemon(load(config, {}), publish_every=timedelta(seconds=0.3))
    running = asyncio.create_task(daemon.run())
    try:
        await until((tmp_path / "carried.html").is_file)
        await until(lambda: "exit status 5" in status(tmp_path))
        said = await asyncio.to_thread(status, tmp_path)
        assert "The page was not carried at " in said
        assert "exit status 5: the door is shut" in said

        (tmp_path / "open").touch()
        async with asyncio.timeout(30):
            while (await _note(tmp_path))["trouble"]:
                await asyncio.sleep(0.2)
        assert "not carried" not in await asyncio.to_thread(status, tmp_path)
    finally:
        daemon.stop.set()
        await asyncio.wait_for(running, 60)
    assert "Monitoring stopped" in (tmp_path / "carried.html").read_text()


async def _note(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.to_thread(status, folder, "--json"))["publish"]
    return found
