"""The Debian package: built with Debian's tools, installed on a machine of its own, upgraded, removed and purged."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import SHARED, Machine, booted
from released import PROBES, ROOT, release

from monitor import __version__

PACKAGE = f"monitor_{__version__}_*.deb"
QUICK = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').read().decode())"


def run(*command: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def built(folder: Path) -> Path:
    """The package, of the checkout as it is; skips, visibly, where Debian's tools or its packages are missing."""
    if os.geteuid() != 0 or shutil.which("dpkg-buildpackage") is None or shutil.which("dh") is None:
        pytest.skip("needs root, and dpkg-dev and debhelper of Debian")
    source = release(folder)
    shutil.copy(ROOT / "monitor.toml", source)
    lacks = run("dpkg-checkbuilddeps", cwd=source)
    if lacks.returncode:
        pytest.skip(lacks.stderr)
    done = run("make", "deb", cwd=source, **QUICK)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip(f"no package index to build from: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    (package,) = (source / "build" / "deb").glob(PACKAGE)
    return package


def complaints(package: Path) -> Iterator[str]:
    """What Debian's own checker says, where it is installed."""
    if shutil.which("lintian") is None:
        print("lintian is not installed: it was not asked")
        return
    done = run("lintian", "--tag-display-limit", "0", package, cwd=package.parent)
    yield from (line for line in done.stdout.splitlines() if line[:2] in {"E:", "W:"})


@pytest.mark.slow
def test_a_debian_package_from_its_build_to_its_purge(tmp_path: Path) -> None:
    shared, root = tmp_path / "shared", tmp_path / "root"
    root.mkdir()
    shared.mkdir()
    package = built(tmp_path)
    assert list(complaints(package)) == []
    shutil.copy(package, shared / "monitor.deb")
    (shared / "monitor.toml").write_text(PROBES)
    with booted(root, shared) as machine:
        try:
            it_is_installed_and_starts_nothing(machine)
            it_runs_as_a_user_of_its_own(machine)
            an_upgrade_keeps_the_configuration_and_restarts_it(machine)
            what_it_wrote_outlasts_its_removal_but_not_a_purge(machine)
        except BaseException:
            print(machine.run("journalctl --no-pager -u 'monitor*' | tail -60").stdout)
            raise


def install(machine: Machine) -> None:
    done = machine.run(f"dpkg -i {SHARED}/monitor.deb", seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr


def it_is_installed_and_starts_nothing(machine: Machine) -> None:
    machine.say("rm -f /usr/sbin/policy-rc.d")  # with which the images of containers start nothing
    install(machine)
    assert machine.say("monitor --version") == f"monitor {__version__}"
    assert machine.run("systemctl is-enabled monitor").stdout == "disabled\n"
    assert machine.show("ActiveState") == "inactive"
    assert machine.say("dpkg-query -W -f '${Conffiles}' monitor").split()[0] == (
        "/etc/monitor/monitor.toml"
    )
    assert "ca-certificates" in machine.say("dpkg-query -W -f '${Depends}' monitor")
    assert machine.say("stat -c '%a %U' /etc/monitor/credentials") == "700 root"
    units = "$(dpkg -L monitor | grep -E '^(/usr)?/lib/systemd/.*\\.service$')"
    assert machine.say(f"echo {units} | wc -w") == "2"
    done = machine.run(f"systemd-analyze verify --man=no {units}")
    assert (done.returncode, done.stderr) == (0, "")


def it_runs_as_a_user_of_its_own(machine: Machine) -> None:
    machine.say(f"cp {SHARED}/monitor.toml /etc/monitor/")
    machine.say("monitor validate && systemctl enable --now monitor")
    assert "</html>" in machine.until(f'/usr/bin/python3 -c "{ASK}"', "</html>")
    pid = machine.show("MainPID")
    assert machine.say(f"ps -o user= -p {pid}") == "monitor"
    assert machine.say(f"cat /proc/{pid}/cmdline | tr '\\0' ' '").startswith("/usr/lib/monitor/bin")
    assert "s/a/http" in machine.say("monitor status")


def an_upgrade_keeps_the_configuration_and_restarts_it(machine: Machine) -> None:
    before = machine.show("MainPID")
    install(machine)
    machine.until("systemctl is-active monitor", "active")
    assert machine.show("MainPID") != before
    machine.say(f"cmp {SHARED}/monitor.toml /etc/monitor/monitor.toml")


def what_it_wrote_outlasts_its_removal_but_not_a_purge(machine: Machine) -> None:
    machine.say("dpkg -r monitor")
    assert machine.run("systemctl is-active monitor").returncode != 0
    machine.say("test ! -e /usr/lib/monitor -a ! -e /usr/bin/monitor")
    machine.say("test -s /var/lib/monitor/monitor.db -a -s /etc/monitor/monitor.toml")
    machine.say("dpkg -P monitor")
    left = f"find /etc /var/lib /usr /lib/systemd -name 'monitor*' -newer {SHARED}/monitor.deb"
    assert machine.say(f"{left} -not -path '*/man*'") == ""
