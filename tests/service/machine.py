"""A machine of its own, booted by systemd in private namespaces: nothing of it outlasts the test."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SYSTEMD = Path("/usr/lib/systemd/systemd")
SHARED = Path("/mnt/shared")
"""Inside, the folder that both sides see."""
UNSHARE = (
    "unshare",
    "--pid",
    "--mount",
    "--net",
    "--uts",
    "--ipc",
    "--cgroup",
    "--fork",
    "--kill-child",
)
SEEN_INSIDE = (str(Path(__file__).parents[2]), sys.prefix, sys.base_prefix)
"""The tests and what runs them, wherever they lie."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT = f"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir up work all
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work all
cd all
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp  # systemd empties it at start
mkdir -p mnt/shared
mount --bind "$2" mnt/shared
for folder in "${{@:3}}"; do  # what the fresh /tmp hides: systemd empties it at start, so read-only
    [ -e ".$folder" ] && continue
    mkdir -p ".$folder"
    mount --bind "$folder" ".$folder"
    mount -o remount,bind,ro ".$folder"
done
mount --rbind /dev dev
rm -f etc/machine-id && touch etc/machine-id
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
mount --make-rshared /  # what systemd leaves to whoever made the container; credentials need it
ip link set lo up
exec env -i container=test PATH={PATH} {SYSTEMD} --system --unit=basic.target --log-target=console --show-status=no
"""


class Machine:
    def __init__(self, init: int) -> None:
        self._init = str(init)

    def start(self, *command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([*self._inside(network=False), *command], text=True)

    def run(
        self, command: str, *, cwd: Path = Path("/"), network: bool = False, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """As root; `network` means the host's, for what is installed from package indexes."""
        return subprocess.run(
            [
                *self._inside(network=network),
                "bash",
                "-c",
                f"cd {shlex.quote(str(cwd))} && {command}",
            ],
            env={**os.environ, "PATH": PATH},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def say(self, command: str) -> str:
        """What a command prints that must succeed."""
        done = self.run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def show(self, what: str, unit: str = "monitor") -> str:
        return self.say(f"systemctl show --value --property={what} {unit}")

    def journal(self, unit: str = "monitor") -> str:
        return self.say(f"journalctl --no-pager --output=cat --unit={unit}")

    def until(self, command: str, wanted: str, seconds: float = 60) -> str:
        """Ask again until the answer holds `wanted`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            said = self.run(command).stdout
            if wanted in said:
                return said
            time.sleep(0.3)
        raise AssertionError(f"{command}: no {wanted!r} within {seconds} s; the last was\n{said}")

    def _inside(self, *, network: bool) -> list[str]:
        spaces = ["--pid", "--mount", "--uts", "--ipc", "--cgroup", *([] if network else ["--net"])]
        return ["nsenter", "--target", self._init, *spaces, "--root", "--wd"]


@contextmanager
def booted(folder: Path, shared: Path) -> Iterator[Machine]:
    """`folder` is empty. Skips, visibly, where the machine that tests run on refuses."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or shutil.which("unshare") is None:
        pytest.skip("booting a systemd of our own needs root, util-linux and systemd")
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine refuses namespaces")
    report = folder.with_suffix(".log")
    with report.open("w") as log:
        host = subprocess.Popen(
            [*UNSHARE, "bash", "-c", _BOOT, "boot", folder, shared, *SEEN_INSIDE],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        machine = _wait_for_init(host, report)
        machine.until("systemctl is-active basic.target", "active", 30)
        yield machine
    finally:
        host.kill()  # and with it, by --kill-child, everything inside
        host.wait()


def _wait_for_init(host: "subprocess.Popen[bytes]", report: Path) -> Machine:
    children = Path(f"/proc/{host.pid}/task/{host.pid}/children")
    for _ in range(100):
        time.sleep(0.1)
        if host.poll() is not None:
            pytest.skip(f"no systemd here: {report.read_text()[-500:]}")
        found = children.read_text().split()
        if found and "systemd" in Path(f"/proc/{found[0]}/comm").read_text():
            return Machine(int(found[0]))
    raise AssertionError(report.read_text())
