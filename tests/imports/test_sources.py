"""`monitor import`: whose file it is, and what is said of one that cannot be read."""

import subprocess
from pathlib import Path

import command_cast
import pytest
from import_cast import run
from kuma_cast import backup, monitor


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{"monitorList": [', "line 1, column 18: "),
        (b"a: [1\nb: 2", "line 2, column 2: "),
        (b"\xff\xfe\x00", "is not UTF-8 text (see line 1)"),
        (b'{"monitorList": 7}', "there is nothing in it to watch"),
        (b'{"a": 1}', "is of no program that is known"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: " + b"[" * 100_000, "is no YAML that can be read"),
        (
            b"a: &a [x]\n"
            + b"".join(
                b"b%d: &b%d [%s]\n"
                % (n, n, b",".join([b"*a" if n == 0 else b"*b%d" % (n - 1)] * 9))
                for n in range(9)
            ),
            "grows to more than",
        ),
        (b"a: &a [*a]", "is no YAML that can be read"),
        (b"a: !!python/object/apply:os.system [exit]", "is not valid YAML"),
        (b"SQLite format 3\0" + b"\1" * 5000, "cannot be read as a database of Uptime Kuma"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "f").write_bytes(content)
    done = run(tmp_path, "import", "f")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]


def test_a_file_may_come_through_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_text(backup([monitor(1, url="https://a.example")]))
    command = f"'{command_cast.MONITOR}' import <(cat backup.json) --output out.toml"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 0
    assert 'name = "a.example"' in (tmp_path / "out.toml").read_text()


def test_a_file_without_an_end_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "import", "/dev/zero")
    assert (done.returncode, done.stdout) == (1, "")
    assert "/dev/zero is larger than 64 MiB" in done.stderr


def test_what_people_set_by_hand_has_no_address_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(
        '{"page": {"name": "Relay"}, "components": [{"name": "API", "status": "operational"},'
        ' {"name": "Site", "status": "operational"}], "incidents": []}'
    )
    done = run(tmp_path, "import", "summary.json")
    assert done.returncode == 1
    assert 'is of Statuspage, whose components ("API", "Site") have no address' in done.stderr


def test_the_files_of_two_programs_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_text(backup([monitor(1, url="https://a.example")]))
    (tmp_path / "gatus.yaml").write_text("endpoints: [{name: a, url: https://a.example}]")
    done = run(tmp_path, "import", "backup.json", "gatus.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "one program at a time" in done.stderr
