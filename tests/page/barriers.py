"""Asks axe-core and html-validate, where they are installed, what keeps people out of a page."""

import os
import subprocess
from pathlib import Path

import pytest
from browser import Tab

ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("AXE_CORE", ROOT / "node_modules/axe-core/axe.min.js"))
VALIDATOR = ROOT / "node_modules/.bin/html-validate"
_RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
_AUDIT = (
    f"axe.run({{runOnly: {_RULES}}}).then(all => [all.passes.length, all.violations.map("
    "each => [each.id, each.nodes.slice(0, 3).map(node => node.failureSummary)])])"
)


async def load_axe(tab: Tab) -> None:
    """Skips where there is none."""
    if not AXE.is_file():
        pytest.skip("axe-core is not at AXE_CORE nor in node_modules")
    await tab.ask(AXE.read_text())


async def has_no_barrier(tab: Tab, what: str, *, rules: int) -> None:
    """At least so many `rules` must have had something to look at."""
    ran, found = await tab.ask(_AUDIT)
    assert found == [], what
    assert ran > rules, what


def validated(folder: Path) -> subprocess.CompletedProcess[str]:
    """By the standard's rules; ours differ from the validator's taste in quotes and void elements only."""
    if not VALIDATOR.exists():
        pytest.skip("html-validate is not in node_modules")
    (folder / ".htmlvalidate.json").write_text(
        '{"root": true, "extends": ["html-validate:standard"]}'
    )
    return subprocess.run(
        [VALIDATOR, "--formatter=text", *map(str, sorted(folder.rglob("*.html")))],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_valid(folder: Path) -> None:
    done = validated(folder)
    assert done.stdout.splitlines()[:10] == []
    assert done.returncode == 0, done.stderr
