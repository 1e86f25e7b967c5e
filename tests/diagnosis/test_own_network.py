"""In a network of its own, with its own /etc/resolv.conf: real look-ups, real routes, real commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

INSIDE = Path(__file__).parent / "inside.py"
pytestmark = pytest.mark.slow


def unshare() -> list[str]:
    """How this machine lets us have a network of our own; skips where it does not."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs unshare (util-linux) and ip (iproute2) for a network of its own")
    for way in (["--mount", "--net"], ["--mount", "--net", "--map-root-user"]):
        probe = "mount --make-rprivate / && ip link set lo up"
        tried = subprocess.run(
            ["unshare", *way, "sh", "-c", probe], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return ["unshare", *way]
    pytest.skip("this machine allows no network namespace")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("own-network")
    done = subprocess.run(
        [*unshare(), sys.executable, str(INSIDE), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout)
    print(json.dumps(document["hung"]), f"{document['took']:.1f} s")
    assert isinstance(document, dict)
    return document


def test_fifty_hung_names_harm_no_healthy_check(seen: dict[str, Any]) -> None:
    hung = seen["hung"]
    assert hung["healthy"] >= 100
    assert hung["harmed"] == 0
    assert hung["slowest_dns_ms"] < 2000
    assert hung["hung"] == ["dns_servfail"]


def test_the_time_of_a_look_up_is_real_every_time(seen: dict[str, Any]) -> None:
    """The name server takes 150 ms; nothing of ours remembers what it said."""
    assert all(140 <= each < 2000 for each in seen["slow"])
    assert seen["slow_asked"] == 3


def test_a_forged_address_is_known_as_such(seen: dict[str, Any]) -> None:
    found = seen["poisoned"]
    assert (found["exit"], found["failure"]["kind"]) == (1, "dns_poisoned")
    assert found["measured"] == "tcp_unreachable"
    assert (
        "got 31.13.94.37 (an address of Facebook, as forged answers often have) for poisoned.test here,"
        " while 127.0.0.53 says 93.184.216.34, where a valid certificate for the name came"
    ) in found["failure"]["message"]


def test_without_a_way_out_every_check_is_unknown_and_nobody_is_down(seen: dict[str, Any]) -> None:
    found = seen["offline"]
    assert found["exit"] == 0, "none is down"
    kinds = {
        (row["outcome"], row["failure"]["kind"], row["failure"]["fault"]) for row in found["checks"]
    }
    assert kinds == {("unknown", "offline", "monitor")}


def test_a_broken_resolver_is_told_from_names_that_do_not_exist(seen: dict[str, Any]) -> None:
    found = seen["no_resolver"]
    assert found["exit"] == 0
    kinds = {(row["outcome"], row["failure"]["kind"]) for row in found["checks"]}
    assert kinds == {("unknown", "resolver_failed")}
