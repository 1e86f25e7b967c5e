"""The Dockerfile, built and lived with: not root, nothing writable but its volume, a health check that tells, a port.

Its demo and docker-compose.yml are reached through that port too, and a hub on PostgreSQL hears two agents.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from released import release

HERE = Path(__file__).parent
TOOLS = ("buildah", "podman", "debootstrap", "crun", "unshare", "ip", "podman-compose")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

HUB = """
[monitor]
store = "postgresql://monitor:${STORE_PASSWORD}@db/monitor"
[service.a]
endpoints = { x = "http://127.0.0.1:9" }
probes = { http = "1s" }
"""


@pytest.mark.proof
def test_the_image_is_built_runs_reports_its_health_and_stops_politely(tmp_path: Path) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing or TOOLS)}")
    release(tmp_path)
    source = tmp_path / "release"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "SOME_KEY").write_text("not-a-key-of-anybody")
    (tmp_path / "monitor.toml").write_text(
        '[service.a]\nkey = "${SOME_KEY}"\n'
        'endpoints = { x = "http://127.0.0.1:9" }\nprobes = { http = "1s" }\n'
    )
    (tmp_path / "hub.toml").write_text(HUB)
    done = subprocess.run(
        ["unshare", "--mount", "--cgroup", "bash", HERE / "container.sh", source, tmp_path],
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = done.stdout[done.stdout.index("extras: ") :]
    for line in (
        "extras: yes",
        "page: 200",
        "user: 10001",
        "key: ['SOME_KEY']",
        "healthy: yes",
        "healthy while it hangs: no",
        "exit status: 0",
        "last page: yes",
        "demo: 200",
        "compose: 200",
        "agents: 2 heard",
    ):
        assert f"{line}\n" in said, said
    assert "root file system: OSError: [Errno 30] Read-only file system" in said
    assert "event=drained cut_off=0" in said
    assert "The daemon has been running for " in said.split("compose: ")[1]
