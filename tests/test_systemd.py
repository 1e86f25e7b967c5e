"""The unit as systemd itself reads it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "systemd" / "monitor.service"


def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    """Unknown keys are only warned about, so standard error must be empty too."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/monitor/bin/monitor", sys.executable))

    done = subprocess.run(
        [verify, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_planted_mistake_is_noticed(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("/opt/monitor/bin/monitor", sys.executable)
    unit.write_text(text.replace("StateDirectory=", "StateDirectoy="))

    done = subprocess.run(
        [verify, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )

    assert "StateDirectoy" in done.stderr
