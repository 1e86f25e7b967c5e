"""A file that a person names is there whole, or what was there stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.cli.whole_file import write_whole, written_whole
from monitor.model import MonitorError

ON_A_FULL_DISK = """import resource, sys
from pathlib import Path
from monitor.cli.whole_file import write_whole
from monitor.model import MonitorError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), "x" * 100_000)
except MonitorError as error:
    print(error)
"""


@pytest.mark.parametrize("before", [None, "the report of before"])
def test_where_there_is_no_room_for_all_of_it_nothing_is_left_of_it(
    tmp_path: Path, before: str | None
) -> None:
    to = tmp_path / "report.html"
    if before:
        to.write_text(before)
    command = [sys.executable, "-c", ON_A_FULL_DISK, to]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{to} cannot be written: File too large\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ([to.name] if before else [])
    if before:
        assert to.read_text() == before


def test_what_fails_in_between_leaves_what_was_there(tmp_path: Path) -> None:
    to = tmp_path / "week.csv"
    to.write_text("before")

    def half() -> None:
        with written_whole(to) as out:
            out.write("half")
            raise MonitorError("the store cannot be read")

    with pytest.raises(MonitorError, match="the store cannot be read"):
        half()
    assert (to.read_text(), len([*tmp_path.iterdir()])) == ("before", 1)


def test_a_new_file_has_the_usual_rights_and_one_that_is_there_keeps_its_own(
    tmp_path: Path,
) -> None:
    usual, private = tmp_path / "usual", tmp_path / "private"
    usual.touch()
    private.touch(mode=0o600)
    for name in ("new", "private"):
        write_whole(tmp_path / name, "all of it")
    assert (tmp_path / "new").stat().st_mode == usual.stat().st_mode
    assert private.stat().st_mode & 0o777 == 0o600
    with written_whole(tmp_path / "history", 0o600) as out:
        out.write("all of it")
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600


def test_a_secret_is_for_us_alone_also_in_the_place_of_a_file_that_all_could_read(
    tmp_path: Path,
) -> None:
    key = tmp_path / "KEY"
    key.touch(mode=0o644)
    write_whole(key, "secret", 0o600, keeps_rights=False)
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("secret", 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes files of others")
def test_what_root_replaces_stays_its_owners(tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.touch(mode=0o640)
    os.chown(config, 1234, 5678)
    write_whole(config, "after")
    now = config.stat()
    assert (now.st_uid, now.st_gid, now.st_mode & 0o777) == (1234, 5678, 0o640)


def test_a_link_leads_to_what_is_replaced_and_a_pipe_stays_one(tmp_path: Path) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("before")
    link.symlink_to(there)
    write_whole(link, "after")
    assert (link.is_symlink(), there.read_text()) == (True, "after")
    reads, writes = os.pipe()
    write_whole(Path(f"/dev/fd/{writes}"), "through")
    os.close(writes)
    with os.fdopen(reads) as pipe:
        assert pipe.read() == "through"
