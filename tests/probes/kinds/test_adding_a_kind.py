"""A probe kind is one file: added to a copy of the package, it is known everywhere."""

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from monitor.probes import PROBES

PACKAGE = Path(__file__).parents[3] / "monitor"
KIND = """
from typing import ClassVar

from monitor.probes.exchange import Exchange
from monitor.model import Habit
from monitor.probes.kinds.api_call import ApiCall
from monitor.probes.probe import Finding


class OcrProbe(ApiCall):
    kind: ClassVar[str] = "ocr"
    title: ClassVar[str] = "Reading"
    route: ClassVar[str] = "/v1/ocr"

    model: str = "ocr-1"

    def parameters(self, rng):
        return {"model": self.model, "document": "a"}

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        return Finding(exchange=exchange, failure=None, habit=habit.worked())
"""
CONFIG = """
[service.s]
name = "S"
model = "m"
[service.s.endpoints]
home = "https://relay.test"
[service.s.probes]
ocr = { model = "other" }
"""
PROGRAM = """
import sys
from pathlib import Path
from monitor.config import load
from monitor.config.json_schema import schema
from monitor.page import formatting
from monitor.page.endpoint_views import main_check
from monitor.probes import PROBES

assert "ocr" in PROBES
assert "ocr" in str(schema())
config = load(Path(sys.argv[1]), env={})
(check,) = config.checks
assert check.probe.kind == "ocr" and main_check([check]) is check
print(formatting.probe(check.probe.id, check.probe.kind, check.probe.title))
"""


def test_a_kind_is_one_file(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "monitor", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "monitor/probes/kinds/ocr.py").write_text(KIND)
    (tmp_path / "monitor.toml").write_text(CONFIG)
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "monitor.toml"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("Reading\n", "")


def test_every_kind_has_a_name_for_people_and_a_rank() -> None:
    assert all(probe.title for probe in PROBES.values())
    by_rank = defaultdict(list)
    for kind, probe in PROBES.items():
        by_rank[probe.main_rank].append(kind)
    shared = {rank: kinds for rank, kinds in by_rank.items() if len(kinds) > 1}
    assert shared == {}, "want a `main_rank` of its own for each kind"


def test_nothing_else_lists_the_kinds() -> None:
    """A module that names many kinds is a list of them; the demo answers each, so it may."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        named = [kind for kind in PROBES if f'"{kind}"' in text]
        is_list = len(named) >= 4 and "demo" not in path.parts
        remedy = "let each kind say it itself, by a class variable of `ProbeSettings`"
        assert not is_list, f"{path} lists {named}: {remedy}"
