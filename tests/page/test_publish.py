"""Files appear whole or not at all, only when they changed, and nothing of others is touched."""

import json
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from worlds import SITES, WORLDS

from monitor.page import Folder, Renderer, publish, view


def test_a_reader_sees_whole_files_only(tmp_path: Path) -> None:
    sizes, stop = {b"a" * 200_000, b"b" * 300_000}, threading.Event()
    torn: list[int] = []
    publish(tmp_path, {"index.html": b"a" * 200_000})

    def read() -> None:
        while not stop.is_set():
            content = (tmp_path / "index.html").read_bytes()
            if content not in sizes:
                torn.append(len(content))

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


@pytest.mark.parametrize(
    "names",
    ["5", "null", "{", '["api", "a\\u0000b", "index.html/x", "", "."]', '{"index.html": 1}'],
)
def test_a_broken_manifest_stops_nothing(tmp_path: Path, names: str) -> None:
    publish(tmp_path, {"index.html": b"1", "api/v2/status.json": b"{}"})
    (tmp_path / ".monitor-files.json").write_text(names)
    publish(tmp_path, {"index.html": b"2", "api/v2/status.json": b"{}"})
    assert (tmp_path / "index.html").read_bytes() == b"2"
    assert (tmp_path / "api" / "v2" / "status.json").read_bytes() == b"{}"


def test_a_link_that_leads_outside_is_no_way_out(tmp_path: Path) -> None:
    outside, page = tmp_path / "outside", tmp_path / "page"
    outside.mkdir()
    (outside / "victim").write_text("precious")
    publish(page, {"index.html": b"1"})
    (page / "link").symlink_to(outside)
    (page / ".monitor-files.json").write_text(json.dumps(["link/victim", "index.html"]))
    publish(page, {"index.html": b"2"})
    assert (outside / "victim").read_text() == "precious"


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: a write fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_page_and_the_next_round_mends_it(tmp_path: Path) -> None:
    old, new = {"a.json": b"1", "index.html": b"old"}, {"a.json": b"2", "index.html": b"n" * 50_000}
    publish(tmp_path, old)
    with full_disk(10_000), pytest.raises(OSError, match="File too large"):
        publish(tmp_path, new)
    assert (tmp_path / "index.html").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".monitor-files.json",
        "a.json",
        "index.html",
    ]
    assert publish(tmp_path, new) == 1
    assert (tmp_path / "index.html").read_bytes() == new["index.html"]


def test_a_page_that_is_gone_takes_its_empty_folder_along(tmp_path: Path) -> None:
    publish(tmp_path, {"index.html": b"1", "incidents/1/index.html": b"1"})
    publish(tmp_path, {"index.html": b"1"})
    assert not (tmp_path / "incidents" / "1").exists()


def test_a_web_server_that_is_another_user_can_read_it(tmp_path: Path) -> None:
    publish(tmp_path, {"index.html": b"1"})
    assert (tmp_path / "index.html").stat().st_mode & 0o777 == 0o644


class Asked(dict[str, bytes]):
    """Files that remember in which order they were asked for."""

    def __init__(self, *names: str) -> None:
        super().__init__(dict.fromkeys(names, b"1"))
        self.order: list[str] = []

    def __getitem__(self, name: str) -> bytes:
        self.order.append(name)
        return super().__getitem__(name)


def test_a_page_is_written_after_what_it_points_at(tmp_path: Path) -> None:
    files = Asked("index.html", "a/index.html", "status.json", "style.0123456789.css", "feed.atom")
    publish(tmp_path, files)
    assert files.order == [
        "style.0123456789.css",
        "status.json",
        "feed.atom",
        "a/index.html",
        "index.html",
    ]


def test_robots_of_the_operators_own_stay_until_they_are_gone(tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_text("theirs")
    for _ in range(2):
        publish(tmp_path, {"robots.txt": b"ours"})
        assert (tmp_path / "robots.txt").read_text() == "theirs"
    (tmp_path / "robots.txt").unlink()
    publish(tmp_path, {"robots.txt": b"ours"})
    publish(tmp_path, {"robots.txt": b"ours, newer"})
    assert (tmp_path / "robots.txt").read_text() == "ours, newer"
    publish(tmp_path, {})
    assert not (tmp_path / "robots.txt").exists()


def test_a_private_umask_of_the_service_does_not_close_the_page(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        publish(tmp_path / "page", {"endpoints/s/a/index.html": b"x"})
    finally:
        os.umask(before)
    folders = [path for path in (tmp_path / "page").rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "page", *folders)} == {0o755}


def test_a_reader_of_the_page_before_still_finds_its_assets(tmp_path: Path) -> None:
    """Those of two pages before are gone."""
    first, second, third = (f"style.{digit * 10}.css" for digit in "123")
    folder = Folder(tmp_path)
    for style in (first, first, second, second, second):
        folder.publish({style: style.encode(), "index.html": style.encode()}.items())
    assert {path.name for path in tmp_path.glob("*.css")} == {first, second}
    publish(tmp_path, {third: b"3", "index.html": b"3"})
    assert {path.name for path in tmp_path.glob("*.css")} == {second, third}
    publish(tmp_path, {second: b"2", "index.html": b"2"})
    assert {path.name for path in tmp_path.glob("*.css")} == {second, third}
    assert publish(tmp_path, {}) == 2
    assert {path.name for path in tmp_path.glob("*.html")} == set()


def test_what_somebody_else_changed_or_took_away_is_put_back(tmp_path: Path) -> None:
    folder, files = Folder(tmp_path), {"badge.svg": b"good", "index.html": b"1"}
    assert [folder.publish(files.items()), folder.publish(files.items())] == [2, 0]
    (tmp_path / "badge.svg").write_bytes(b"no data")
    os.utime(tmp_path / "badge.svg", ns=(1, 1))
    assert folder.publish(files.items()) == 1
    (tmp_path / "badge.svg").unlink()
    assert folder.publish(files.items()) == 1
    assert (tmp_path / "badge.svg").read_bytes() == b"good"


def test_a_file_is_written_before_the_next_one_is_made(tmp_path: Path) -> None:
    """All files of a crowd at once would be hundreds of megabytes."""

    def files() -> Iterator[tuple[str, bytes]]:
        yield "status.json", b"1"
        assert (tmp_path / "status.json").read_bytes() == b"1"
        yield "index.html", b"2"

    assert Folder(tmp_path).publish(files()) == 2


@pytest.mark.parametrize("world", ["mock", "places"])
def test_what_a_page_points_at_comes_before_it_and_the_home_page_last(world: str) -> None:
    names = [name for name, _ in Renderer().each_file(view(SITES[world], WORLDS[world](), {})[0])]
    first_page = next(place for place, name in enumerate(names) if name.endswith(".html"))
    for name in names[first_page:-1]:
        assert name.endswith(".html") or name == "sitemap.xml"
    assert names[-1] == "index.html"
    assert len({*names}) == len(names)
