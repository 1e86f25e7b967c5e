"""The repository's monitor.toml as it stands, its eight host names resolved to a loopback stand-in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in import KEY, ROOT, hosts

MONITOR = Path(sys.executable).parent / "monitor"


@pytest.fixture(autouse=True)
def _may_make_namespaces() -> None:
    probe = shutil.which("unshare") and subprocess.run(
        ["unshare", "--mount", "--net", "true"], capture_output=True, check=False
    )
    if not probe or probe.returncode:
        pytest.skip("this machine refuses private mount and network namespaces")


def once(folder: Path, **env: str) -> tuple[int, dict[str, str]]:
    """Exit status, and outcome or failure kind by check."""
    command = [
        "unshare",
        "--mount",
        "--net",
        sys.executable,
        str(ROOT / "tests" / "stand_in.py"),
        str(folder),
    ]
    done = subprocess.run(
        [*command, str(MONITOR), "once", "--json", "-c", str(ROOT / "monitor.toml")],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stderr == ""
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {
        check["check"]: check["failure"]["kind"] if check["failure"] else check["outcome"]
        for check in checks
    }


@pytest.mark.slow
def test_without_a_key_what_needs_none_is_up_and_the_rest_says_no_key(tmp_path: Path) -> None:
    code, seen = once(tmp_path)

    assert len(set(hosts())) == 8
    assert code == 0
    assert {
        check: said for check, said in seen.items() if check.endswith(("models", "http"))
    } == dict.fromkeys([check for check in seen if not check.endswith("chat")], "up")
    assert {said for check, said in seen.items() if check.endswith("chat")} == {"no_key"}
    assert len(seen) == 14


@pytest.mark.slow
def test_with_a_key_every_check_is_up(tmp_path: Path) -> None:
    code, seen = once(tmp_path, OHMYGPT_API_KEY=KEY)
    assert (code, set(seen.values()), len(seen)) == (0, {"up"}, 14)


@pytest.mark.slow
def test_a_wrong_key_is_the_accounts_fault_and_no_outage(tmp_path: Path) -> None:
    code, seen = once(tmp_path, OHMYGPT_API_KEY="wrong-one")
    assert code == 0
    assert {said for check, said in seen.items() if check.endswith("models")} == {"auth_invalid"}
