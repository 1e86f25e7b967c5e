"""What `make release` asks before a person tags, in a clone that is ready and then is made unready in each way."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monitor import __version__

ROOT = Path(__file__).parents[1]
RELEASE = ROOT / "tests" / "release.py"
NAME = ("-c", "user.name=monitor", "-c", "user.email=monitor@localhost")


def run(*command: str | Path, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=300, check=False)


def git(*arguments: str, at: Path) -> str:
    done = run("git", *NAME, *arguments, at=at)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(file: Path, pattern: str, text: str) -> None:
    was = file.read_text()
    file.write_text(re.sub(pattern, text, was, count=1, flags=re.MULTILINE))
    assert file.read_text() != was


def commit(at: Path) -> None:
    git("add", "--all", at=at)
    git("commit", "-q", "-m", "ready", at=at)


def texts(at: Path) -> list[str]:
    done = run(sys.executable, RELEASE, "texts", at=at)
    said = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1 if said else 0, "")
    return [line.removeprefix("not yet: ") for line in said]


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A clone of the checkout as it is now, with another version, so that it has no tag and no day yet."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git's")
    clone = tmp_path / "clone"
    git("clone", "-q", str(ROOT), str(clone), at=tmp_path)
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", at=ROOT).splitlines():
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    write(clone / "monitor/__init__.py", re.escape(__version__), "77.0.0")
    write(clone / "debian/changelog", re.escape(__version__), "77.0.0")
    write(clone / "CHANGELOG.md", r"^## .*", "## 77.0.0, 2077-12-31")
    commit(clone)
    return clone


def test_what_is_ready_is_not_complained_of(ready: Path) -> None:
    assert texts(ready) == []


def test_all_that_is_not_ready_is_said_at_once_with_what_to_do(ready: Path) -> None:
    git("tag", "v77.0.0", at=ready)
    write(ready / "CHANGELOG.md", "77.0.0, .*", "77.0.0, unreleased")
    write(ready / "debian/changelog", "77.0.0", "76.0.0")
    assert texts(ready) == [
        "the tree is not clean (2 files, such as CHANGELOG.md); commit or remove them",
        "the tag v77.0.0 is there already; raise __version__ in monitor/__init__.py",
        'CHANGELOG.md: got "unreleased" beside 77.0.0, want the day of the release such as 2026-12-31',
        'debian/changelog: begins with "76.0.0", want 77.0.0; `dch --newversion 77.0.0` writes it',
    ]


def test_a_heading_of_another_version_and_a_version_that_is_none_are_noticed(ready: Path) -> None:
    write(ready / "monitor/__init__.py", "77.0.0", "78.0.0.dev1")
    commit(ready)
    assert texts(ready) == [
        'monitor/__init__.py: __version__ is "78.0.0.dev1", want three numbers such as 0.1.0',
        'CHANGELOG.md: its first heading is of "77.0.0", want 78.0.0.dev1',
        (
            'debian/changelog: begins with "77.0.0", want 78.0.0.dev1;'
            " `dch --newversion 78.0.0.dev1` writes it"
        ),
    ]


def test_make_release_runs_every_test_and_the_docs_between_the_texts_and_the_packages() -> None:
    """As make itself says that it would; the tests and `make docs` are run by themselves elsewhere."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = run("make", "--dry-run", "release", at=ROOT)
    assert done.returncode == 0, done.stderr
    steps = (
        "release.py texts",
        "ruff check",
        "mypy",
        "lint-imports",
        "-m 'not proof and not slow and not browser'",
        "-m '(slow or browser) and not proof'",
        "mkdocs build --strict",
        "release.py packages",
    )
    assert [*steps] == sorted(steps, key=done.stdout.index)
    assert not re.search(r"git (tag|push)|twine upload|docker", done.stdout)


def test_debians_changelog_is_of_this_version() -> None:
    assert (ROOT / "debian" / "changelog").read_text().startswith(f"monitor ({__version__}) ")


@pytest.mark.slow
@pytest.mark.xdist_group("package")
def test_wheel_and_sdist_hold_what_git_has_and_a_person_is_told_the_rest(
    ready: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    assert run(sys.executable, "-m", "venv", tools, at=tmp_path).returncode == 0
    needed = ("-c", ROOT / "constraints.txt", "hatchling", "twine")
    done = run(tools / "bin" / "pip", "install", "-q", *needed, at=tmp_path)
    if done.returncode:
        pytest.skip(f"cannot install hatchling and twine: {done.stderr[-200:]}")
    before = git("for-each-ref", at=ROOT)

    done = run(tools / "bin" / "python", RELEASE, "packages", at=ready)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "77.0.0 may be released. Nothing was tagged, pushed or uploaded." in done.stdout
    assert "git tag -s v77.0.0" in done.stdout
    assert (git("tag", "--list", "v77*", at=ready), git("for-each-ref", at=ROOT)) == ("", before)

    (ready / "monitor" / "left_over.py").touch()
    (ready / "templates" / "index.html").unlink()
    done = run(tools / "bin" / "python", RELEASE, "packages", at=ready)
    assert (done.returncode, done.stdout.count("left to you")) == (1, 0)
    assert "lacks: monitor/templates/index.html (1)" in done.stdout
    assert "holds beside what git has: monitor/left_over.py (1)" in done.stdout
