"""Says which test modules are pure: none of what they import opens sockets, databases, terminals or programs.

`pytest --pure` (`make quick`) collects these alone, so a new test of a pure part is among them by itself.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPURE = {
    *("aiohttp", "apprise", "apscheduler", "cryptography", "dns", "jinja2", "prometheus_client"),
    *("rich", "sqlalchemy", "sqlmodel", "sqlite3", "subprocess", "trustme", "typer"),
}
_IMPORT = re.compile(r"^(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)
"""At the start of a line: what is imported when it is used does not count."""


@cache
def is_pure(tests: Path) -> bool:
    """Return it of a test module, whose conftest is a part of it, or of a folder that holds a pure one."""
    if tests.is_dir():
        return any(map(is_pure, tests.glob("**/test_*.py")))
    conftest = tests.with_name("conftest.py")
    is_alone = conftest.parent == ROOT / "tests" or not conftest.exists()
    waiting = [*_imports(tests), *(() if is_alone else _imports(conftest))]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name.partition(".")[0] in IMPURE:
            return False
        if name not in reached:
            reached.add(name)
            waiting += _imports(_ours()[name]) if name in _ours() else ()
    return True


@cache
def _ours() -> dict[str, Path]:
    """Return the files by the names under which they are imported; tests' own go by their last one."""
    product = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in ROOT.glob("monitor/**/*.py")
    }
    return {path.stem: path for path in ROOT.glob("tests/**/*.py")} | product


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_named(path.read_text()))


def _named(source: str) -> Iterator[str]:
    for package, names, module in _IMPORT.findall(source):
        parts = (package or module).split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        yield from (f"{package}.{name}" for name in re.findall(r"\w+", names))
