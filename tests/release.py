"""What a release needs, looked at before a person tags it. Nothing here tags, pushes or uploads.

`python tests/release.py texts` asks git, the changelogs and the version whether they agree; `make release` then
runs the tests and builds the docs, and `python tests/release.py packages` builds wheel and sdist into
build/release, looks into them, and says what is left to a person.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path.cwd()
"""The checkout that it is run in."""
BUILT = ROOT / "build" / "release"
MOVED = {
    "templates/": "monitor/templates/",
    "systemd/": "monitor/systemd/",
    "monitor.toml": "monitor/monitor.toml",
}
"""Where the wheel has what lies outside of `monitor/` in the checkout."""
NOT_IN_SDIST = (".ci/",)
LEFT_TO_A_PERSON = """
{version} may be released. Nothing was tagged, pushed or uploaded. What is left to you:

    git tag -s v{version} -m 'monitor {version}' && git push origin v{version}
    .venv/bin/twine upload build/release/*       # with your own token; is the name on the index yours?
    make deb                                     # on each Debian that it is for; then build/deb/*.deb beside the tag
    docker build -t monitor:{version} .          # and push it to a registry of yours

Then begin the next one: `__version__` in monitor/__init__.py, and its headings in CHANGELOG.md and debian/changelog."""


def git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def version() -> str:
    found = re.search(
        r'^__version__ = "(.*)"$', (ROOT / "monitor/__init__.py").read_text(), re.MULTILINE
    )
    assert found
    return found[1]


def first(pattern: str, file: str) -> tuple[str, ...]:
    """The groups of the first line of a file that a pattern matches; nothing where none does."""
    found = re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
    return found.groups() if found else ("", "")


def wrong_texts() -> Iterator[str]:
    wanted = version()
    if not re.fullmatch(r"\d+\.\d+\.\d+", wanted):
        yield f'monitor/__init__.py: __version__ is "{wanted}", want three numbers such as 0.1.0'
    if changed := git("status", "--porcelain"):
        yield f"the tree is not clean ({len(changed)} files, such as {changed[0][3:]}); commit or remove them"
    if git("tag", "--list", f"v{wanted}"):
        yield f"the tag v{wanted} is there already; raise __version__ in monitor/__init__.py"
    heading, day = first(r"^## (\S+), (.+)$", "CHANGELOG.md")
    if heading != wanted:
        yield f'CHANGELOG.md: its first heading is of "{heading}", want {wanted}'
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        yield f'CHANGELOG.md: got "{day}" beside {wanted}, want the day of the release such as 2026-12-31'
    debian, _ = first(r"^monitor \((.*)\) (.*);", "debian/changelog")
    if debian != wanted:
        yield f'debian/changelog: begins with "{debian}", want {wanted}; `dch --newversion {wanted}` writes it'


def wrong_packages() -> Iterator[str]:
    tracked = set(git("ls-files"))
    (wheel,), (sdist,) = BUILT.glob("*.whl"), BUILT.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    yield from differences(wheel, inside, {at for name in tracked if (at := in_wheel(name))})
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames()} - {"PKG-INFO"}
    yield from differences(
        sdist, inside, {name for name in tracked if not name.startswith(NOT_IN_SDIST)}
    )
    for built in (wheel, sdist):
        if f"monitor-{version()}" not in built.name:
            yield f"{built.name} is not of {version()}"
    done = subprocess.run(
        [Path(sys.executable).parent / "twine", "check", "--strict", wheel, sdist],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield f"twine check: {done.stdout}{done.stderr}"


def in_wheel(name: str) -> str:
    """Where the wheel has a file of the checkout; nothing where it has not."""
    for outside, inside in MOVED.items():
        if name.startswith(outside):
            return inside + name.removeprefix(outside)
    return name if name.startswith("monitor/") else ""


def differences(archive: Path, inside: set[str], wanted: set[str]) -> Iterator[str]:
    for names, what in ((wanted - inside, "lacks"), (inside - wanted, "holds beside what git has")):
        if names:
            yield f"{archive.name} {what}: {', '.join(sorted(names)[:5])} ({len(names)})"


def build() -> None:
    shutil.rmtree(BUILT, ignore_errors=True)
    subprocess.run(
        [Path(sys.executable).parent / "hatchling", "build", "-d", BUILT], cwd=ROOT, check=True
    )


def main(asked: str) -> int:
    if asked == "packages":
        build()
    complaints = list(wrong_texts() if asked == "texts" else wrong_packages())
    for complaint in complaints:
        print(f"not yet: {complaint}")
    if not complaints and asked == "packages":
        print(LEFT_TO_A_PERSON.format(version=version()))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
