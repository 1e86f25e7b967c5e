"""The unit that `monitor agent --install` writes, and an agent's life under systemd."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from machine import SHARED, Machine, booted

from monitor.cli.agent import unit_text

MONITOR = Path(sys.executable).parent / "monitor"
HUB = "http://127.0.0.1:8080"
TOML = f"""
[monitor]
vantage_name = "Frankfurt"
[service.page]
endpoints = {{ hub = "{HUB}" }}
probes = {{ http = "5s" }}
"""


@pytest.mark.parametrize("is_root", [True, False])
def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path, *, is_root: bool) -> None:
    """Also where the name of a folder holds what means something to systemd."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    state = tmp_path / "50% of $HOME"
    unit = tmp_path / "monitor-agent.service"
    unit.write_text(unit_text([str(MONITOR), "agent"], state, is_root=is_root))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *([] if is_root else ["--user"]), unit],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_an_agent_is_installed_by_its_command_pushes_and_is_removed(tmp_path: Path) -> None:
    shared, root = tmp_path / "shared", tmp_path / "root"
    root.mkdir()
    shared.mkdir()
    (shared / "monitor.toml").write_text(TOML)
    with booted(root, shared) as machine:
        try:
            it_is_installed_and_pushes(machine)
            it_comes_back_when_it_is_killed(machine)
            it_is_removed_and_added_anew(machine)
        except BaseException:
            print(machine.run("journalctl --no-pager -u hub -u monitor-agent | tail -60").stdout)
            raise


def at_hub(command: str) -> str:
    return f"cd {SHARED} && {MONITOR} {command}"


def add(machine: Machine) -> str:
    said = machine.say(at_hub(f"agent add cn --name Shanghai --url {HUB}"))
    return said.splitlines()[-1]


def it_is_installed_and_pushes(machine: Machine) -> None:
    machine.say(f"systemd-run --unit=hub --working-directory={SHARED} {MONITOR} run")
    machine.until(at_hub("status"), "has been running")
    line = add(machine)
    said = machine.say(f"echo {shlex.quote(line)} | {MONITOR} agent {HUB} --install")
    assert "/etc/systemd/system/monitor-agent.service is written." in said
    machine.say("systemctl daemon-reload && systemctl enable --now monitor-agent")
    machine.until(at_hub("history page/hub/http --from cn"), "up 100%")
    assert "current" in machine.say(at_hub("agent list"))
    assert machine.say("stat -c '%a %U' /var/lib/monitor-agent/agent.key") == "600 root"
    assert line.split()[-1] not in machine.say("ps -eo args") + machine.journal("monitor-agent")


def it_comes_back_when_it_is_killed(machine: Machine) -> None:
    before = machine.show("MainPID", "monitor-agent")
    machine.say("systemctl kill --signal=KILL monitor-agent")
    machine.until("systemctl show --value --property=NRestarts monitor-agent", "1")
    machine.until("systemctl is-active monitor-agent", "active")
    assert machine.show("MainPID", "monitor-agent") != before


def it_is_removed_and_added_anew(machine: Machine) -> None:
    removed = machine.say(at_hub("agent remove cn"))
    assert "cn may not push any more; its history stays." in removed
    assert "No other place probes for this hub" in machine.say(at_hub("agent list"))
    machine.until("journalctl --no-pager -u monitor-agent", "event=push_refused")
    assert "up 100%" in machine.say(at_hub("history page/hub/http --from cn"))

    line = add(machine)
    assert "never heard" in machine.say(at_hub("agent list"))
    machine.say("systemctl stop monitor-agent && rm /var/lib/monitor-agent/agent.key")
    machine.say(f"echo {shlex.quote(line)} | {MONITOR} agent {HUB} --install")
    machine.say("systemctl start monitor-agent")
    machine.until(at_hub("agent list"), "current")
