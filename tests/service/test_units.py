"""The units and the nginx example as systemd and nginx themselves read them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = ("monitor.service", "monitor-failed@.service")
SANDBOX = "# What a monitor needs"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """With a binary that exists here; skips, visibly, where systemd is not installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/monitor/bin/monitor", sys.executable))
    return tmp_path


def verify(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(folder / name for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def exposure(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Fails above 1.2."""
    return subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=12",
            "--no-pager",
            folder / name,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_to_say_about_the_units(units: Path) -> None:
    """Unknown keys are only warned about, so standard error must be empty too."""
    assert verify(units) == (0, "")


def test_a_planted_mistake_is_noticed(units: Path) -> None:
    unit = units / UNITS[0]
    unit.write_text(unit.read_text().replace("StateDirectory=", "StateDirectoy="))

    assert "StateDirectoy" in verify(units)[1]


@pytest.mark.parametrize("name", UNITS)
def test_what_a_break_in_could_reach_is_little(units: Path, name: str) -> None:
    done = exposure(units, name)

    assert done.returncode == 0, done.stdout[-200:]
    assert "Overall exposure level" in done.stdout


def test_a_looser_unit_fails_the_gate(units: Path) -> None:
    unit = units / UNITS[0]
    text = unit.read_text().replace("PrivateUsers=yes", "").replace("PrivateDevices=yes", "")
    unit.write_text(text)

    assert exposure(units, UNITS[0]).returncode != 0


def test_both_units_live_in_the_same_sandbox() -> None:
    service, failed = ((FOLDER / name).read_text().split(SANDBOX)[1] for name in UNITS)

    assert service.split("\n[Install]")[0].strip() == failed.strip()


def test_nginx_takes_the_example(tmp_path: Path) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    import trustme

    certificate = trustme.CA().issue_cert("status.example.org")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    example = (FOLDER / "nginx.conf").read_text()
    for name, file in (("fullchain", "cert"), ("privkey", "key")):
        path = f"/etc/letsencrypt/live/status.example.org/{name}.pem"
        assert path in example
        example = example.replace(path, f"{tmp_path}/{file}.pem")
    main = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {example} }}"
    (tmp_path / "nginx.conf").write_text(main)

    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", tmp_path / "nginx.conf"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
