"""The small server: the page's files and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from monitor.model import MonitorError
from monitor.web import Web


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[str]:
    page = tmp_path / "page"
    (page / "incidents" / "7").mkdir(parents=True)
    (page / "index.html").write_text("<h1>home</h1>")
    (page / "incidents" / "7" / "index.html").write_text("<h1>seven</h1>")
    (page / "style.0123abcd.css").write_text("a{}")
    (page / "status.json").write_text("{}")
    (page / ".hidden").write_text("no")
    (tmp_path / "monitor.db").write_text("history")
    web = Web(page, "127.0.0.1", 0, lambda: trouble[0])
    await web.start()
    yield f"http://127.0.0.1:{web.port}"
    await web.close()


trouble: list[str | None] = [None]


async def get(
    url: str, method: str = "GET"
) -> tuple[int, str, "aiohttp.typedefs.CIMultiDictProxy[str]"]:
    from yarl import URL

    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url, encoded=True), allow_redirects=False) as response,
    ):
        return response.status, await response.text(), response.headers


async def test_files_come_with_their_type_their_caching_and_the_safety_headers(base: str) -> None:
    status, text, headers = await get(f"{base}/")
    assert (status, text) == (200, "<h1>home</h1>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "monitor"

    _, _, headers = await get(f"{base}/style.0123abcd.css")
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"

    _, _, headers = await get(f"{base}/status.json")
    assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == (
        "application/json; charset=utf-8",
        "*",
    )


async def test_a_folder_is_served_by_its_index_and_gets_its_slash(base: str) -> None:
    assert (await get(f"{base}/incidents/7/"))[1] == "<h1>seven</h1>"
    status, _, headers = await get(f"{base}/incidents/7")
    assert (status, headers["Location"]) == (302, "7/")


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
async def test_nothing_outside_the_folder_is_reachable(base: str, path: str) -> None:
    status, text, _ = await get(base + path)
    assert (status, text) == (404, "not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_it_is_read_only(base: str, method: str) -> None:
    status, _, headers = await get(f"{base}/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_health_is_the_daemons_own_word(base: str) -> None:
    assert (await get(f"{base}/healthz"))[:2] == (200, "ok\n")
    trouble[0] = "store: disk full"
    try:
        assert (await get(f"{base}/healthz"))[:2] == (503, "store: disk full\n")
    finally:
        trouble[0] = None


async def test_a_taken_port_is_a_sentence_with_a_remedy(base: str, tmp_path: Path) -> None:
    port = int(base.rsplit(":", 1)[1])
    with pytest.raises(
        MonitorError, match=f"cannot listen on 127.0.0.1:{port} .*choose another address"
    ):
        await Web(tmp_path, "127.0.0.1", port, lambda: None).start()


async def test_a_host_that_can_be_no_name_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"cannot listen on a\.\.b:8080 "):
        await Web(tmp_path, "a..b", 8080, lambda: None).start()
