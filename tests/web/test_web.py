"""The small server: the page's files, its health and its metrics, and nothing else."""

import gzip
from pathlib import Path

import aiohttp
import pytest
from web_cast import House, get, web_house

from monitor.model import MonitorError
from monitor.web import Limits, WebServer
from monitor.web.connection_limits import ConnectionLimiter

__all__ = ["web_house"]


async def test_files_come_with_their_type_their_caching_and_the_safety_headers(
    house: House,
) -> None:
    status, text, headers = await get(f"{house.base}/")
    assert (status, text) == (200, "<h1>home</h1>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "monitor"

    _, _, headers = await get(f"{house.base}/style.0123abcd.css")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"

    _, _, headers = await get(f"{house.base}/status.json")
    assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == (
        "application/json; charset=utf-8",
        "*",
    )


@pytest.mark.parametrize(
    ("name", "is_open"),
    [
        ("api/v2/summary.json", True),
        ("badge.svg", True),
        ("badge/relay.json", True),
        ("best.txt", True),
        ("llms.txt", True),
        ("status.schema.json", True),
        ("endpoints/relay/cdn/status.json", True),
        ("zh-CN/feed.atom", True),
        ("zh-CN/maintenance.ics", True),
        ("endpoints/relay/cdn/index.html", False),
        ("statusXjson", False),
        ("a/b/feed.atom", False),
        ("a/b/maintenance.ics", False),
    ],
)
async def test_programs_on_other_pages_may_read_what_is_meant_for_programs(
    house: House, name: str, is_open: bool
) -> None:
    path = house.page / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    status, _, headers = await get(f"{house.base}/{name}")
    assert (status, "Access-Control-Allow-Origin" in headers) == (200, is_open)


async def test_a_calendar_is_known_as_one_by_its_type(house: House) -> None:
    (house.page / "maintenance.ics").write_text("BEGIN:VCALENDAR")
    _, _, headers = await get(f"{house.base}/maintenance.ics")
    assert headers["Content-Type"] == "text/calendar; charset=utf-8"


async def test_a_page_that_is_not_there_is_told_by_one_of_ours_in_the_language_of_the_place(
    house: House,
) -> None:
    (house.page / "404.html").write_text("<h1>No such page</h1>")
    (house.page / "zh-CN").mkdir()
    (house.page / "zh-CN" / "404.html").write_text("<h1>没有该页面</h1>")
    for asked, said in (
        ("nowhere", "<h1>No such page</h1>"),
        ("incidents/8/", "<h1>No such page</h1>"),
        ("zh-CN/incidents/8/", "<h1>没有该页面</h1>"),
        (".hidden", "<h1>No such page</h1>"),
        ("%2e%2e/nowhere", "<h1>No such page</h1>"),
    ):
        status, body, headers = await get(f"{house.base}/{asked}", headers={"If-None-Match": "*"})
        assert (status, body, headers["Content-Type"]) == (
            404,
            said,
            "text/html; charset=utf-8",
        )


async def test_a_folder_is_served_by_its_index_and_gets_its_slash(house: House) -> None:
    assert (await get(f"{house.base}/incidents/7/"))[1] == "<h1>seven</h1>"
    status, _, headers = await get(f"{house.base}/incidents/7")
    assert (status, headers["Location"]) == (302, "./7/")


@pytest.mark.parametrize(
    "path",
    [
        "/../monitor.db",
        "/%2e%2e/monitor.db",
        "/..%2fmonitor.db",
        "//etc/passwd",
        "/.hidden",
        "/nothing",
        "/%00",
        "/incidents/",
    ],
)
async def test_nothing_outside_the_folder_is_reachable(house: House, path: str) -> None:
    status, text, _ = await get(house.base + path)
    assert (status, text) == (404, "not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_it_is_read_only(house: House, method: str) -> None:
    status, _, headers = await get(f"{house.base}/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_everybody_hears_whether_it_is_well_and_only_its_own_listener_says_why(
    house: House,
) -> None:
    for base in (house.base, house.metrics):
        assert (await get(f"{base}/healthz"))[:2] == (200, "ok\n")
    house.trouble = "store: disk full"
    status, text, headers = await get(f"{house.base}/healthz")
    assert (status, text, headers["Cache-Control"]) == (503, "not well\n", "no-store")
    assert (await get(f"{house.metrics}/healthz"))[:2] == (503, "store: disk full\n")


async def test_metrics_are_on_a_listener_of_their_own_and_nothing_else_is(house: House) -> None:
    """A plain `proxy_pass` sends no word of who asks: what everybody may reach must not have them."""
    assert (await get(f"{house.base}/metrics"))[0] == 404
    status, text, headers = await get(f"{house.metrics}/metrics")
    assert (status, text, headers["Content-Type"]) == (200, "m 1\n", "text/plain")
    for path in ("/", "/index.html", "/status.json"):
        assert (await get(f"{house.metrics}{path}"))[0] == 404


HOSTS = {
    "evil.example": 421,
    "evil.example:8080": 421,
    "127.0.0.1.evil.example": 421,
    "localhost.evil.example": 421,
    "127.0.0.1:8080": 200,
    "[::1]:8080": 200,
    "localhost": 200,
    "monitor:9090": 200,
    "monitor.space.svc.cluster.local": 200,
}


@pytest.mark.parametrize(("host", "status"), HOSTS.items())
async def test_a_page_of_somebody_else_cannot_ask_by_a_name_of_its_own(
    house: House, host: str, status: int
) -> None:
    for url in (f"{house.base}/", f"{house.metrics}/metrics"):
        assert (await get(url, headers={"Host": host}))[0] == status
    assert (await get(f"{house.base}/", headers={"Host": "status.example"}))[0] == 200
    assert (await get(f"{house.metrics}/metrics", headers={"Host": "status.example"}))[0] == 421


async def test_what_listens_to_all_the_world_is_asked_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("home")
    server = WebServer(tmp_path, "0.0.0.0", 0, lambda: None)
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/"
        assert (await get(url, headers={"Host": "status.example.org"}))[0] == 200
    finally:
        await server.close()


def test_some_connections_are_kept_for_this_machine() -> None:
    limiter = ConnectionLimiter(Limits(max_connections=10, max_per_client=9, reserved=3))
    assert [limiter.admit("203.0.113.7") for _ in range(8)] == [True] * 7 + [False]
    assert [limiter.admit("127.0.0.1") for _ in range(4)] == [True] * 3 + [False]
    limiter.leave("203.0.113.7")
    assert not limiter.admit("203.0.113.8")
    assert limiter.admit("::1")


def test_what_is_kept_for_agents_is_this_machines_alone() -> None:
    limiter = ConnectionLimiter(Limits(max_connections=2, for_agents=2, reserved=0))
    assert [limiter.admit("127.0.0.1") for _ in range(3)] == [True, True, False]
    assert not limiter.admit_for_agents("203.0.113.7")
    assert [limiter.admit_for_agents("127.0.0.1") for _ in range(3)] == [True, True, False]
    limiter.leave("127.0.0.1", is_for_agents=True)
    assert limiter.admit_for_agents("::1")
    assert not limiter.admit("127.0.0.1")


async def test_a_page_that_is_known_is_not_sent_again(house: House) -> None:
    _, _, headers = await get(f"{house.base}/")
    tag = headers["ETag"]
    for said in (tag, f'"other", W/{tag}', "*"):
        status, text, headers = await get(f"{house.base}/", headers={"If-None-Match": said})
        assert (status, text, headers["ETag"]) == (304, "", tag)
    (house.page / "new").write_text("<h1>news</h1>")
    (house.page / "new").replace(house.page / "index.html")
    status, text, headers = await get(f"{house.base}/", headers={"If-None-Match": tag})
    assert (status, text) == (200, "<h1>news</h1>")
    assert headers["ETag"] != tag


async def test_what_is_worth_it_comes_compressed_to_who_takes_it(house: House) -> None:
    big = "a lot of the same. " * 500
    (house.page / "big.html").write_text(big)
    bodies = {}
    for asked in ("gzip, br", "br", "gzip;q=0", ""):
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(f"{house.base}/big.html", headers={"Accept-Encoding": asked}) as answer,
        ):
            body = await answer.read()
            bodies[asked] = (
                answer.headers.get("Content-Encoding"),
                answer.headers["ETag"],
                len(body),
            )
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["Content-Length"] == str(len(body))
            if asked == "gzip, br":
                assert gzip.decompress(body).decode() == big
    assert bodies["gzip, br"][0] == "gzip"
    assert bodies["gzip, br"][2] < len(big) / 10
    assert {bodies[asked] for asked in ("br", "gzip;q=0", "")} == {
        (None, bodies["br"][1], len(big))
    }
    assert bodies["br"][1] != bodies["gzip, br"][1]


@pytest.mark.parametrize("path", ["/", "/big.html", "/healthz", "/nothing", "/status.json"])
async def test_head_says_what_get_would_and_sends_nothing(house: House, path: str) -> None:
    (house.page / "big.html").write_text("x" * 300_000)
    status, _, headers = await get(f"{house.base}{path}")
    answered, body, said = await get(f"{house.base}{path}", "HEAD")
    assert (answered, body) == (status, "")
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
        assert said.get(name) == headers.get(name), name


async def test_pages_may_load_nothing_from_elsewhere_and_stand_in_no_frame(house: House) -> None:
    _, _, headers = await get(f"{house.base}/")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert (headers["X-Frame-Options"], headers["Referrer-Policy"]) == ("DENY", "no-referrer")


@pytest.mark.parametrize(
    ("name", "is_for_frames"),
    [
        ("embed/index.html", True),
        ("zh-CN/embed/index.html", True),
        ("from/embed/index.html", False),
        ("endpoints/embed/index.html", False),
        ("endpoints/relay/embed/index.html", False),
        ("embed/other.html", False),
        ("embed/index.html.html", False),
    ],
)
async def test_the_widget_alone_may_stand_in_a_frame(
    house: House, name: str, is_for_frames: bool
) -> None:
    (house.page / name).parent.mkdir(parents=True, exist_ok=True)
    (house.page / name).write_text("<p>up</p>")
    _, _, headers = await get(f"{house.base}/{name}")
    ancestors = headers["Content-Security-Policy"].rpartition("; ")[2]
    framing = ancestors, headers.get("X-Frame-Options")
    assert framing == (
        ("frame-ancestors *", None) if is_for_frames else ("frame-ancestors 'none'", "DENY")
    )
    if is_for_frames:
        assert "script" not in headers["Content-Security-Policy"]


async def test_a_taken_port_is_a_sentence_with_a_remedy(house: House, tmp_path: Path) -> None:
    port = house.web.port
    with pytest.raises(
        MonitorError, match=f"cannot listen on 127.0.0.1:{port} .*choose another address"
    ):
        await WebServer(tmp_path, "127.0.0.1", port, lambda: None).start()


async def test_a_host_that_can_be_no_name_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"cannot listen on a\.\.b:8080 "):
        await WebServer(tmp_path, "a..b", 8080, lambda: None).start()
