"""The page as files: whole, small, strict, and the same until something changes."""

import gzip
import html
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import worlds
from page_cast import CHECKS, SITE
from worlds import SITES, WORLDS

from monitor.model import Endpoint, Service
from monitor.page import Renderer, publish, view

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = """<script>alert(1)</script>"'`{{7*7}}&\u202e"""


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def files(renderer: Renderer, world: str) -> Mapping[str, bytes]:
    return renderer.files(view(SITES[world], WORLDS[world](), {})[0])


@pytest.mark.parametrize("world", WORLDS)
def test_the_home_page_is_as_it_was(
    renderer: Renderer, world: str, request: pytest.FixtureRequest
) -> None:
    got = files(renderer, world)["index.html"].decode()
    golden = GOLDEN / f"{world}.html"
    if request.config.getoption("--golden"):
        golden.write_text(got)
    assert got == golden.read_text()


@pytest.mark.parametrize("world", WORLDS)
def test_every_page_is_strict_and_needs_no_other_host(renderer: Renderer, world: str) -> None:
    for name, content in files(renderer, world).items():
        if not name.endswith(".html"):
            continue
        text = content.decode()
        assert re.search(r'\sstyle="|<style|\son\w+="|<script>|javascript:', text) is None, name
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', text)
        assert [url for url in loaded if url.startswith(("http:", "//"))] == []
        assert [url for url in loaded if url.startswith("https:")] in (
            [],
            [loaded[-1]],
            [f"https://status.example/{name.removesuffix('index.html')}"],
        )
        assert "default-src 'none'" in text


def test_weights_stay_small(renderer: Renderer) -> None:
    found = files(renderer, "mixed")
    page = found["index.html"]
    css = next(content for name, content in found.items() if name.endswith(".css"))
    script = next(content for name, content in found.items() if name.endswith(".js"))
    print(
        {
            "html gz": len(gzip.compress(page)),
            "css gz": len(gzip.compress(css)),
            "js gz": len(gzip.compress(script)),
        }
    )

    assert len(gzip.compress(page)) <= 25_000
    assert len(gzip.compress(css)) <= 10_000
    assert len(gzip.compress(script)) <= 5_000
    assert len(re.findall(rb"<[a-z]", page)) <= 2000


def test_the_days_for_the_script_are_json(renderer: Renderer) -> None:
    page = files(renderer, "mixed")["index.html"].decode()
    found = [json.loads(html.unescape(text)) for text in re.findall(r'data-days="([^"]*)"', page)]
    assert len(found) == 6
    assert found[0]["89"] == ["x", 138]
    assert {letter for each in found for letter, _ in each.values()} <= set("dpxmn")


def test_files_for_programs_say_the_same_as_the_page(renderer: Renderer) -> None:
    found = files(renderer, "mixed")
    status = json.loads(found["status.json"])
    summary = json.loads(found["api/v2/summary.json"])

    assert found["best.txt"] == b"https://www.aigptx.top\n"
    assert status["headline"] == "The service is up. One base URL is not reachable from here."
    assert summary["status"] == {
        "indicator": "major",
        "description": "The service is up. One base URL is not reachable from here.",
    }
    assert [(each["id"], each["status"]) for each in summary["components"]][:3] == [
        ("ohmygpt", "partial_outage"),
        ("ohmygpt/us-direct", "major_outage"),
        ("ohmygpt/cf-cdn", "operational"),
    ]
    assert [each["name"] for each in summary["incidents"]] == [
        "Direct to the US origin: DNS pollution suspected",
        "Cloudflare Worker: slow",
    ]
    assert {
        f"api/v2/{name}.json" for name in ("summary", "status", "components", "incidents")
    } <= set(found)
    assert json.loads(found["badge/ohmygpt/us-direct.json"])["message"] == "major outage"


def test_hostile_names_are_text_everywhere(renderer: Renderer) -> None:
    endpoint = Endpoint(id="x", service="ohmygpt", url="https://a.example", name=HOSTILE)
    service = Service(id="ohmygpt", name=HOSTILE, endpoints=(endpoint,))
    checks = tuple(replace(check, endpoint=endpoint) for check in CHECKS[:3])
    site = replace(
        SITE,
        services=(service,),
        checks=checks,
        settings=replace(SITE.settings, title=HOSTILE),
        vantage=HOSTILE,
    )
    page = view(site, worlds.mixed(), {})[0]
    for name, content in renderer.files(page).items():
        if name.endswith((".html", ".svg")):
            assert b"<script>" not in content, name
            assert b"\"'`" not in content, name
        if name.endswith(".json"):
            json.loads(content)


def test_a_reader_sees_whole_files_only(tmp_path: Path) -> None:
    sizes, stop = {b"a" * 200_000, b"b" * 300_000}, threading.Event()
    torn: list[int] = []
    publish(tmp_path, {"index.html": b"a" * 200_000})

    def read() -> None:
        while not stop.is_set():
            seen = (tmp_path / "index.html").read_bytes()
            if seen not in sizes:
                torn.append(len(seen))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        publish(tmp_path, {"index.html": b"a" * 200_000 if number % 2 else b"b" * 300_000})
    stop.set()
    reader.join()
    assert torn == []


def test_only_what_changed_is_written_and_only_what_was_ours_is_removed(tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_text("the operator's own")
    assert publish(tmp_path, {"index.html": b"1", "incidents/1/index.html": b"1"}) == 2
    before = (tmp_path / "index.html").stat().st_mtime_ns
    assert publish(tmp_path, {"index.html": b"1", "incidents/1/index.html": b"1"}) == 0
    assert publish(tmp_path, {"index.html": b"1"}) == 1
    assert (tmp_path / "index.html").stat().st_mtime_ns == before
    assert not (tmp_path / "incidents" / "1" / "index.html").exists()
    assert (tmp_path / "robots.txt").read_text() == "the operator's own"


def test_a_manifest_that_somebody_changed_removes_nothing_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    page = tmp_path / "page"
    publish(page, {"index.html": b"1"})
    (page / ".monitor-files.json").write_text(json.dumps(["../victim", str(victim), 7]))
    publish(page, {"index.html": b"2"})
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("world", ["fresh", "rejected-key", "stopped"])
def test_what_is_not_known_does_not_read_as_all_operational_to_programs(
    renderer: Renderer, world: str
) -> None:
    summary = json.loads(files(renderer, world)["api/v2/summary.json"])
    assert summary["status"]["indicator"] == "minor"
    if world == "fresh":
        assert {each["status"] for each in summary["components"]} == {"under_maintenance"}
        assert {each["x_state"] for each in summary["components"]} == {"unknown"}


def test_a_monitor_that_stopped_recommends_nothing(renderer: Renderer) -> None:
    found = files(renderer, "stopped")
    assert found["best.txt"] == b"\n"
    assert json.loads(found["best.json"])["services"] == {"ohmygpt": None}
    assert (
        json.loads(found["api/v2/status.json"])["status"]["description"]
        == "Monitoring stopped at 23 Nov, 13:42 UTC."
    )
