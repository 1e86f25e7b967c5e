"""A hub and four agents in networks of their own: what people hear and what the store holds is what was written down first.

Shanghai's name server lies, Hong Kong is cut off, Tokyo's clock is seven minutes ahead, New York's way is slow.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

INSIDE = Path(__file__).parent / "distant_inside.py"
CUT_S = 175
"""Longer than `silent` (20 s) and the two minutes after which a silence is told."""
pytestmark = pytest.mark.proof

TOLD = {
    "🟠 Relay, direct: down from Shanghai",
    "👁 Hong Kong is not heard since",
    "✅ Hong Kong is heard again",
}
TOLD_WITH_A_WRONG_CLOCK = {"👁 Tokyo: its clock is more than a minute wrong"}
ADVICE = "From Shanghai: Use http://edge.test:7000"
WELL_FROM = "Works from Frankfurt, Hong Kong, Tokyo, New York."
OPEN = [("partial", ["relay/direct/http"], "dns_poisoned")]


def _namespace() -> list[str]:
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("needs unshare (util-linux) and ip (iproute2) for networks of its own")
    tried = "mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs none /run/netns"
    tried += " && ip netns add away && ip link add near type veth peer name far netns away"
    way = ["unshare", "--mount", "--net"]
    if subprocess.run([*way, "sh", "-c", tried], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespaces with a wire between them")
    return way


@pytest.fixture(scope="module", name="lived")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("distant")
    done = subprocess.run(
        [*_namespace(), sys.executable, str(INSIDE), str(folder), str(CUT_S)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout)


def _runs(path: Path, vantage: str) -> list[tuple[str, int]]:
    query = "SELECT key, at FROM runs JOIN checks ON checks.id = check_id WHERE vantage = ?"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return sorted(connection.execute(query, (vantage,)))


def test_people_hear_what_was_to_be_heard_and_nothing_else(
    lived: tuple[Path, dict[str, Any]],
) -> None:
    _, story = lived
    want = TOLD | (TOLD_WITH_A_WRONG_CLOCK if story["faked"] else set())
    assert {title.partition(" since ")[0] for title in story["titles"]} == {
        title.removesuffix(" since") for title in want
    }
    assert len(story["titles"]) == len(want), "each once"
    [outage] = [message for message in story["messages"] if "Shanghai" in message]
    assert ADVICE in outage
    assert WELL_FROM in outage


def test_incidents_are_those_of_the_place_that_sees_them(
    lived: tuple[Path, dict[str, Any]],
) -> None:
    _, story = lived
    for when in ("before", "during", "after"):
        assert [
            (incident["severity"], incident["checks"], incident["failure"]["kind"])
            for incident in story[when]["incidents"]
            if incident["severity"] != "monitor"
        ] == OPEN, when
    assert {check["latest"]["outcome"] for check in story["after"]["checks"]} == {"up"}


def test_each_place_has_its_own_best_base_url(lived: tuple[Path, dict[str, Any]]) -> None:
    """From Shanghai the one whose name is not lied about; elsewhere the quicker one."""
    _, story = lived
    best = {name: text.strip() for name, text in story["best"].items()}
    assert sorted(best) == ["cn.txt", "fra.txt", "hk.txt", "jp.txt", "us.txt"]
    assert best["cn.txt"] == "http://edge.test:7000"
    ways = {"http://direct.test:7000", "http://edge.test:7000"}
    assert {place: url for place, url in best.items() if url not in ways} == {}


def test_all_that_was_measured_is_there_once(lived: tuple[Path, dict[str, Any]]) -> None:
    """Also what Hong Kong measured while it was cut off."""
    folder, story = lived
    store = folder / "hub" / "monitor.db"
    for place in ("cn", "hk", "us"):
        stored, measured = _runs(store, place), _runs(folder / place / "state" / "agent.db", place)
        print(f"{place}: {len(measured)} measured, {len(stored)} stored")
        assert len(set(stored)) == len(stored)
        assert set(stored) <= set(measured)
        assert len(measured) - len(stored) <= 4, "but for the last push"
        assert len(stored) > (story["ended"] - story["began"]) / 8


def test_a_clock_that_is_ahead_is_corrected(lived: tuple[Path, dict[str, Any]]) -> None:
    folder, story = lived
    if not story["faked"]:
        pytest.skip("needs libfaketime")
    [tokyo] = [place for place in story["after"]["vantages"] if place["id"] == "jp"]
    assert abs(tokyo["offset_ms"] + 420_000) < 1_000
    times = [at / 1000 for _, at in _runs(folder / "hub" / "monitor.db", "jp")]
    assert story["began"] < min(times)
    assert max(times) < story["ended"]
    assert len(set(times)) > (story["ended"] - story["began"]) / 8


def test_a_slow_way_is_slow_there_alone(lived: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = lived
    query = """
        SELECT vantage, avg(ttfb_100us) / 10 FROM runs JOIN checks ON checks.id = check_id
        WHERE key = 'relay/edge/http' AND outcome = 0 GROUP BY vantage
    """
    with closing(sqlite3.connect(folder / "hub" / "monitor.db")) as connection:
        ttfb = dict(connection.execute(query))
    print(ttfb)
    assert ttfb["us"] > 400
    assert max(of for place, of in ttfb.items() if place != "us") < 400
