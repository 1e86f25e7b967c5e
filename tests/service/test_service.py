"""The README's five commands on a machine of its own, and a life under systemd after them."""

import re
import sys
import time
from pathlib import Path

import pytest
from machine import SHARED, Machine, booted
from released import release
from telegram import TOKEN

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
HANG = """
import signal, time
def hang_in_the_middle_of_something(*_): time.sleep(600)
signal.signal(signal.SIGUSR2, hang_in_the_middle_of_something)
"""
CRASH = """
import os, sys
"run" in sys.orig_argv and os._exit(3)
"""


def five_commands() -> list[str]:
    section = README.split("## As a service", 1)[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1].splitlines()


@pytest.mark.slow
def test_a_life_under_systemd(tmp_path: Path) -> None:
    shared, root = tmp_path / "shared", tmp_path / "root"
    root.mkdir()
    release(shared)
    with booted(root, shared) as machine:
        street = machine.start(
            sys.executable, str(ROOT / "tests/service/neighbours.py"), str(SHARED)
        )
        try:
            it_is_installed_by_five_commands(machine, SHARED / "release")
            it_probes_and_a_web_server_can_read_the_page_but_not_the_history(machine)
            a_hang_is_ended_and_its_stack_is_in_the_journal(machine)
            a_reload_holds_and_a_bad_one_changes_nothing(machine)
            a_bad_configuration_is_told_and_not_tried_again(machine)
            a_crash_loop_is_told_and_started_again_later(machine)
            a_stop_drains_and_leaves_a_last_page(machine)
            assert TOKEN not in machine.say(
                "journalctl --no-pager --output=cat | iconv -c -t ascii"
            )
        except BaseException:
            print(machine.run("journalctl --no-pager -u 'monitor*' | tail -60").stdout)
            raise
        finally:
            street.kill()
            street.wait()


def it_is_installed_by_five_commands(machine: Machine, unpacked: Path) -> None:
    commands = five_commands()
    assert len(commands) == 5
    for command in commands[:-1]:
        network = "pip install" in command
        done = machine.run(command, cwd=unpacked, network=network, seconds=300)
        if network and done.returncode and "No matching distribution" in done.stderr:
            pytest.skip(f"no package index to install from: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr
    machine.say(f"printf {TOKEN} > /etc/monitor/credentials/TELEGRAM_TOKEN")
    machine.say(commands[-1])
    assert machine.show("ActiveState") == "active"


def it_probes_and_a_web_server_can_read_the_page_but_not_the_history(machine: Machine) -> None:
    machine.until("journalctl -u monitor", "event=run check=s/a/http outcome=up")
    page = machine.until("runuser -u nobody -- cat /var/lib/monitor/page/index.html", "</html>")
    assert "127.0.0.1:8001" in page
    machine.until("runuser -u nobody -- cat /var/lib/monitor/page/endpoints/s/a/index.html", "html")
    assert machine.run("runuser -u nobody -- cat /var/lib/monitor/monitor.db").returncode != 0
    assert machine.run("runuser -u nobody -- ls /etc/monitor/credentials").returncode != 0
    assert "1 checks, all goes on" in machine.show("StatusText")
    assert "s/a/http" in machine.say("/opt/monitor/bin/monitor status")
    assert machine.show("WatchdogUSec") == "1min"
    log = machine.say("journalctl -u monitor -o json --output-fields=PRIORITY,MESSAGE -n 20")
    assert '"PRIORITY":"6"' in log


def a_hang_is_ended_and_its_stack_is_in_the_journal(machine: Machine) -> None:
    site = machine.say("/opt/monitor/bin/python -c 'import site; print(site.getsitepackages()[0])'")
    machine.say(f"cat > {site}/hang.py <<'E'\n{HANG}E")
    machine.say(f"echo 'import hang' > {site}/hang.pth")
    machine.say("mkdir -p /etc/systemd/system/monitor.service.d")
    machine.say(
        "printf '[Service]\\nWatchdogSec=6\\nRestartSec=1\\n'"
        " > /etc/systemd/system/monitor.service.d/quick.conf"
    )
    machine.say("systemctl daemon-reload && systemctl restart monitor")
    before = machine.show("MainPID")
    machine.say("systemctl kill --kill-whom=main --signal=SIGUSR2 monitor")
    machine.until("systemctl show --value --property=NRestarts monitor", "1", 40)
    machine.until("systemctl show --value --property=ActiveState monitor", "active", 40)
    assert machine.show("MainPID") != before
    journal = machine.journal()
    assert "Fatal Python error: Aborted" in journal
    assert 'hang.py", line 3 in hang_in_the_middle_of_something' in journal


def a_reload_holds_and_a_bad_one_changes_nothing(machine: Machine) -> None:
    machine.say(
        "sed -i 's/endpoints = { a/endpoints = { b = \"http:\\/\\/127.0.0.1:8001\\/b\", a/' /etc/monitor/monitor.toml"
    )
    machine.say("systemctl reload monitor")
    machine.until("journalctl -u monitor", "event=run check=s/b/http outcome=up")
    machine.say("cp /etc/monitor/monitor.toml /root/good && echo '[' >> /etc/monitor/monitor.toml")
    done = machine.run("/opt/monitor/bin/monitor reload")
    assert (done.returncode, done.stdout) == (78, "")
    machine.say("systemctl reload monitor")
    machine.until("journalctl -u monitor", "event=reload_refused")
    assert machine.show("ActiveState") == "active"


def a_bad_configuration_is_told_and_not_tried_again(machine: Machine) -> None:
    machine.run("systemctl restart monitor")
    machine.until("systemctl is-failed monitor", "failed", 20)
    assert machine.show("ExecMainStatus") == "78"
    machine.until(f"cat {SHARED}/messages", "monitoring has stopped", 40)
    told = machine.say(f"tail -1 {SHARED}/messages")
    assert (
        "monitor.service has ended and will not be started again (result exit-code, status 78)"
        in told
    )
    assert "this is not valid TOML" in told
    time.sleep(3)
    assert machine.show("ActiveState") == "failed"
    assert machine.show("Result", "monitor-failed@monitor.service.service") == "success"


def a_crash_loop_is_told_and_started_again_later(machine: Machine) -> None:
    site = machine.say("/opt/monitor/bin/python -c 'import site; print(site.getsitepackages()[0])'")
    machine.say(f"cat > {site}/hang.py <<'E'\n{CRASH}E")
    machine.say("cp /root/good /etc/monitor/monitor.toml")
    machine.say(
        "printf '[Service]\\nRestartSec=100ms\\n' > /etc/systemd/system/monitor.service.d/quick.conf"
    )
    machine.say("systemctl daemon-reload && systemctl reset-failed monitor")
    machine.run("systemctl start monitor")
    machine.until(f"tail -1 {SHARED}/messages", "crashes again and again", 120)
    assert machine.show("ActiveState") == "failed"
    machine.until("systemctl show --value --property=ActiveState monitor-again.timer", "active")
    machine.say(f"rm {site}/hang.pth && systemctl reset-failed monitor")  # as five minutes do
    machine.say("systemctl start --wait monitor-again.service")
    machine.until("systemctl is-active monitor", "active", 30)


def a_stop_drains_and_leaves_a_last_page(machine: Machine) -> None:
    machine.say("cp /root/good /etc/monitor/monitor.toml && systemctl restart monitor")
    assert "Monitoring stopped at" not in machine.until(
        "cat /var/lib/monitor/page/index.html", "</html>"
    ) or machine.until("cat /var/lib/monitor/page/index.html", "Valid until")
    machine.say("systemctl stop monitor")
    assert "event=drained cut_off=0" in machine.journal()
    assert machine.show("Result") == "success"
    assert "Monitoring stopped at" in machine.say("cat /var/lib/monitor/page/index.html")
