"""Mutation testing of the pure core: whatever a line decides, does a test notice when it decides otherwise?

`python tests/mutation.py` mutates the files that `[tool.mutmut]` names, runs for each mutant the quick tests
that reach it, says which survived, and fails where too few were killed. `--least 90` is that share in per cent;
names such as `monitor.alerts.machine*` are only these; `--again` keeps what was killed before; `--show` reads
the last run. Everything lies in build/mutation.
"""

import argparse
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import libcst as cst
from mutmut import __main__ as mutmut
from mutmut.mutation import file_mutation, mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutation"
NEEDED = ("monitor", "tests", "templates", "docs", "pyproject.toml", "monitor.toml")
KILLED = {"killed", "timeout"}


def main() -> int:
    asked = arguments()
    os.environ["COLUMNS"] = "120"
    lay_out(fresh=not (asked.again or asked.show))
    os.chdir(WORK)
    if asked.again:
        forget_survivors()
    if not asked.show:
        choose()
        with_properties()
        mutmut._run(tuple(asked.names), max_children=asked.processes)
    return judge(asked.least, asked.names or ["*"], shown=bool(asked.show))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--least", type=float, default=90.0, help="per cent that must be killed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="only what is new or not killed")
    parser.add_argument("--show", action="store_true", help="the last run, with each survivor")
    return parser.parse_args()


def lay_out(*, fresh: bool) -> None:
    if fresh:
        shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True, exist_ok=True)
    for name in NEEDED:
        link = WORK / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)


def forget_survivors() -> None:
    """mutmut runs again only what it knows no end of."""
    for data in last_run():
        ends = data.exit_code_by_key
        data.exit_code_by_key = {
            name: code if is_killed(code) else None for name, code in ends.items()
        }
        data.save()


def last_run() -> Iterator[SourceFileMutationData]:
    for path in sorted(mutmut.walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            yield data


def is_killed(code: int | None) -> bool:
    return status_by_exit_code[code] in KILLED


def choose() -> None:
    """What is mutated, and the order of tests: the quick ones kill most."""
    mutators.mutation_operators[:] = [
        (node, names_only if operator is mutators.operator_string else operator)
        for node, operator in mutators.mutation_operators
    ]
    regular = PytestRunner._pytest_args_regular_run

    def quick_first(self: PytestRunner, tests: Iterable[str]) -> list[str]:
        return regular(
            self, sorted(tests, key=lambda test: (state().duration_by_test.get(test, 0), test))
        )

    PytestRunner._pytest_args_regular_run = quick_first


def with_properties() -> None:
    """mutmut leaves alone whatever is decorated; half of our figures are properties."""
    skips = file_mutation.MutationVisitor._skip_node_and_children
    arrange = file_mutation.function_trampoline_arrangement

    def skip(self: file_mutation.MutationVisitor, node: cst.CSTNode) -> bool:
        return not is_property(node) and skips(self, node)

    def arrangement(function: cst.FunctionDef, *rest: Any, **more: Any) -> Any:
        if not is_property(function):
            return arrange(function, *rest, **more)
        bare = function.with_changes(decorators=())
        before, (first, *others), after, names = arrange(bare, *rest, **more)
        first = first.with_changes(decorators=(*function.decorators, *first.decorators))
        return before, [first, *others], after, names

    file_mutation.MutationVisitor._skip_node_and_children = skip
    file_mutation.function_trampoline_arrangement = arrangement


def is_property(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.FunctionDef) or len(node.decorators) != 1:
        return False
    decorator = node.decorators[0].decorator
    return isinstance(decorator, cst.Name) and decorator.value == "property"


def names_only(node: cst.BaseString) -> Iterator[cst.BaseString]:
    """Sentences are held by tests of their own kind; a name decides, and is wrong in one way only."""
    if isinstance(node, cst.SimpleString) and " " not in node.value and node.raw_value:
        yield from list(mutators.operator_string(node))[:1]


def judge(least: float, names: Sequence[str] = ("*",), *, shown: bool = False) -> int:
    """Of those that are named; what was not run has not been killed."""
    total: Counter[str] = Counter()
    print(f"\n{'file':40}{'mutants':>9}{'killed':>8}{'timeout':>8}{'survived':>9}")
    for data in last_run():
        asked = [code for name, code in data.exit_code_by_key.items() if is_asked(name, names)]
        found = Counter(status_by_exit_code[code] for code in asked)
        if found:
            print(row(str(data.path), found))
        total += found
    print(row("all", total))
    print(f"{share(total):.1f} % killed, want {least:g} % or more")
    if shown:
        show_survivors(names)
    return 0 if share(total) >= least else 1


def is_asked(name: str, names: Sequence[str]) -> bool:
    return any(fnmatch(name, each) for each in names)


def row(name: str, found: Counter[str]) -> str:
    lived = found.total() - found["killed"] - found["timeout"]
    return f"{name:40}{found.total():>9}{found['killed']:>8}{found['timeout']:>8}{lived:>9}"


def share(found: Counter[str]) -> float:
    """Per cent; a run without mutants has proven nothing."""
    return 100 * sum(found[how] for how in KILLED) / found.total() if found else 0.0


def show_survivors(names: Sequence[str]) -> None:
    for data in last_run():
        for name, code in data.exit_code_by_key.items():
            if not is_killed(code) and is_asked(name, names):
                print(f"\n# {name}: {status_by_exit_code[code]}")
                print(get_diff_for_mutant(name, path=data.path))


if __name__ == "__main__":
    sys.exit(main())
