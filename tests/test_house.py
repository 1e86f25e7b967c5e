"""The house rules that no linter knows: names, docstrings, what is pure, and that tests mirror the house and stand alone."""

import ast
import re
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MONITOR = ROOT / "monitor"
TESTS = ROOT / "tests"

MAY_SHARE_FILE_NAMES = ("cli", "demo", "probes/kinds", "probes/readers")
"""A command, a kind or a protocol is often named as the part of the product that serves it."""

OF_THE_WHOLE = {"bench", "channels", "hostile", "integration", "service", "simulation"}
"""Folders of tests that ask several rooms at once; each other one is a room's."""
PURE_WITH_A_LIBRARY = ("cli", "demo")
"""Rooms whose pure modules may build on others that are not, or draw from a `Random` that they are given."""

FRAGMENT = re.compile(
    r"(Of|None where|What|Nor|Whether|Why|How|Who|Which|By|As|Also|And|Or|But|From|When|Where|Never"
    r"|With|Without|Because)\b"
)
"""How a docstring begins that is no sentence. One that is can begin with its verb or its subject."""
NO_VERB = re.compile(r"(?:The|An?|All|Any|One|Those|These|Returns|Sets|Gives)\b|`")
"""How the docstring of a function begins that does not say first what the function does or returns."""
FUNCTION = re.compile(
    r'^ *(?:async )?def (\w+)(?:(?!:\n|\n *(?:async def|def|class|@))[\s\S])*:\n *"""(.*)',
    re.MULTILINE,
)
"""A function's name, and the first line of its docstring."""


def modules(*left_out: str) -> Iterator[Path]:
    for path in sorted(MONITOR.rglob("*.py")):
        if not any(path.is_relative_to(MONITOR / folder) for folder in left_out):
            yield path


def own_files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def comments(path: Path, word: str) -> Iterator[tuple[int, str]]:
    """Comments of a file that hold `word`."""
    if word not in path.read_text():
        return
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT and word in token.string:
                yield token.start[0], token.string


def test_no_two_modules_share_a_file_name() -> None:
    paths = defaultdict(list)
    for path in modules(*MAY_SHARE_FILE_NAMES):
        if path.name != "__init__.py":
            paths[path.name].append(short(path))
    assert [sharing for sharing in paths.values() if len(sharing) > 1] == []


def test_no_two_public_classes_share_a_name() -> None:
    paths = defaultdict(list)
    for path in modules():
        for name in re.findall(r"^ *class ([A-Za-z]\w*)", path.read_text(), re.MULTILINE):
            paths[name].append(short(path))
    shared = {name: where for name, where in paths.items() if len(where) > 1}
    assert shared == {}


def test_docstrings_are_sentences() -> None:
    fragments = []
    for path in modules():
        source = path.read_text()
        if not re.search(rf'"""{FRAGMENT.pattern}', source):
            continue  # a tree costs far more than a look
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if FRAGMENT.match(text):
                    fragments.append(f"{short(path)}: {text.splitlines()[0]}")
    assert fragments == [], "want full sentences"


def test_the_docstring_of_a_function_begins_with_a_verb() -> None:
    """That of `__init__` may say of its parameters what their names and types do not."""
    without = [
        f"{short(path)}: {name}: {first}"
        for path in modules()
        for name, first in FUNCTION.findall(path.read_text())
        if NO_VERB.match(first) and name != "__init__"
    ]
    assert without == [], 'want a verb first, such as "Return the …" or "Say whether …"'


def test_the_formatter_is_never_switched_off() -> None:
    switched_off = [
        f"{short(path)}:{line}"
        for path in own_files(MONITOR, TESTS)
        for line, comment in comments(path, "fmt:")
        if re.match(r"# fmt: *(skip|off)", comment)
    ]
    assert switched_off == []


def test_a_linter_is_told_off_by_code_and_with_a_reason() -> None:
    """`# noqa: CODE  # reason`; in tests the code alone says enough."""
    without = [
        f"{short(path)}:{line}"
        for path in own_files(MONITOR, TESTS)
        for line, comment in comments(path, "noqa")
        if path != Path(__file__)
        if not re.search(
            r"# (?:ruff: )?noqa: [A-Z]+\d+" + (r".*  # \S" if MONITOR in path.parents else ""),
            comment,
        )
    ]
    assert without == []


def test_tests_do_not_import_tests() -> None:
    """What two of them need stands in a module of its own, or in a conftest."""
    importing = [
        f"{short(path)}: {name}"
        for path in own_files(TESTS)
        for name in re.findall(r"^ *(?:from|import) +(test_\w+)", path.read_text(), re.MULTILINE)
    ]
    assert importing == []


def test_tests_mirror_the_house() -> None:
    """A newcomer finds the tests of a room under the room's name."""
    rooms = {path.parent.relative_to(MONITOR) for path in MONITOR.rglob("__init__.py")}
    folders = {path.parent.relative_to(TESTS) for path in own_files(TESTS)} - {Path()}
    mirrored = {path for path in folders if str(path) not in OF_THE_WHOLE}
    assert mirrored <= rooms, "want a room of that name, or a place in OF_THE_WHOLE"
    assert {room for room in rooms if len(room.parts) == 1} <= folders


def test_what_calls_itself_pure_is_held_to_it_by_a_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    held = {
        name
        for contract in settings["contracts"]
        if contract["type"] == "forbidden"
        and {"asyncio", "random"} <= {*contract["forbidden_modules"]}
        for name in contract["source_modules"]
    }
    free = []
    for path in modules(*PURE_WITH_A_LIBRARY):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names = {".".join(parts[:length]) for length in range(2, len(parts) + 1)}
        first_line = path.read_text().partition("\n")[0]
        if re.search(r"\bPure[.;:]|; pure\.", first_line) and not names & held:
            free.append(short(path))
    assert free == [], "want them in the contract of pyproject.toml that names what is pure"
