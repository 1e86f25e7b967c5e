"""A document that is not tested is a rumour."""

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from monitor.alerts.machine import TRANSITIONS
from monitor.alerts.policies import POLICIES
from monitor.cli.app import command_files
from monitor.model import FailureKind, Fault, Outcome, Stream
from monitor.model.result import TIMING_NAMES
from monitor.probes import PROBES

ROOT = Path(__file__).parents[1]
METHODOLOGY = (ROOT / "docs" / "methodology.md").read_text()


def rows(section: str) -> set[str]:
    """The names in the first column of the tables below a heading that begins so."""
    text = METHODOLOGY.split(f"\n{section}", 1)[1]
    text = re.split(r"\n#{1,3} ", text, maxsplit=1)[0]
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }


def test_every_failure_kind_has_a_row_under_its_fault_and_outcome() -> None:
    headings = {
        "### Fault `endpoint`, outcome down": (Fault.ENDPOINT, Outcome.DOWN),
        "### Fault `endpoint`, outcome degraded": (Fault.ENDPOINT, Outcome.DEGRADED),
        "### Fault `path`": (Fault.PATH, Outcome.DOWN),
        "### Fault `account`": (Fault.ACCOUNT, Outcome.UNKNOWN),
        "### Fault `monitor`": (Fault.MONITOR, Outcome.UNKNOWN),
    }
    for heading, (fault, outcome) in headings.items():
        expected = {
            kind.value for kind in FailureKind if (kind.fault, kind.outcome) == (fault, outcome)
        }
        assert rows(heading) == expected, f"want a row of docs/methodology.md under {heading}"


def test_every_outcome_timing_and_stream_figure_is_defined() -> None:
    assert rows("## Outcomes") == {outcome.value for outcome in Outcome}
    assert rows("## Timings") == set(TIMING_NAMES)
    assert rows("## Streams") == {field.name for field in fields(Stream)} - {
        "tokens_estimated",
        "heartbeats",
    }


@pytest.mark.parametrize("page", ["README.md", "docs/index.zh.md"])
def test_every_command_is_in_the_readme_of_each_language(page: str) -> None:
    names = {" ".join(file.words) for file in command_files()}
    text = (ROOT / page).read_text()
    unnamed = {name for name in names if f"`monitor {name}" not in text}
    assert unnamed == set(), f"want a row of {page}, under Commands"


@pytest.mark.parametrize("page", ["configuration.md", "configuration.zh.md"])
def test_every_probe_kind_is_in_the_configuration_page(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    unnamed = {kind for kind in PROBES if f"`{kind}`" not in text}
    assert unnamed == set(), f"want a row and a section of docs/{page}, under A probe"


def diagram() -> str:
    """The machine's table as a Mermaid state diagram; moves that stay are left out."""
    lines = ["stateDiagram-v2", "    [*] --> up"]
    for phase, verdict, then, why in TRANSITIONS:
        if phase is not then:
            lines.append(
                f"    {phase.value} --> {then.value}: {verdict.value}, {why.replace('`', '')}"
            )
    return "\n".join(lines)


def test_the_state_diagram_is_the_machines_own_table() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text()
    assert f"```mermaid\n{diagram()}\n```" in text, f"want in docs/alerts.md:\n{diagram()}"


@pytest.mark.parametrize("page", ["alerts.md", "alerts.zh.md"])
def test_every_policy_has_a_row_in_the_page_of_alerts(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    unnamed = {name for name in POLICIES if f"| `{name}` |" not in text}
    assert unnamed == set(), f"want a row of docs/{page}"


def test_every_command_and_option_that_a_page_names_exists() -> None:
    """Spans such as `monitor history relay/cdn/chat --since 2d`, in prose and tables."""
    commands = {file.words: file.load() for file in command_files()}
    pages = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
    spans = {
        span for page in pages for span in re.findall(r"`monitor ([a-z][^`]*)`", page.read_text())
    }
    assert len(spans) > 20
    for span in spans:
        words = span.split()
        command = commands.get((words[0],)) or commands.get(tuple(words[:2]))
        assert command is not None, f"a page names `{span}`, and there is no such command"
        known = {option for param in command.params for option in param.opts} | {"--help"}
        options = {word for word in words if word.startswith("--")}
        assert options <= known, f"a page names `{span}`, and there is no such option"


def test_every_file_that_a_page_for_contributors_names_exists() -> None:
    """Spans such as `monitor/cycle.py`, `tests/page/`, `tests/hostile/hostile_*.py`, or `digest.py` beside its folder."""
    for page, least in (("contributing.md", 25), ("testing.md", 10)):
        text = (ROOT / "docs" / page).read_text()
        named = set(re.findall(r"`((?:monitor|tests|docs|templates|systemd)/[\w./*-]*)`", text))
        named |= {
            f"monitor/{name}"
            for name in re.findall(r"^  ((?:\w+\.py ?)+)$", text, re.MULTILINE)
            for name in name.split()
        }
        assert len(named) >= least, page
        assert {name for name in named if not any(ROOT.glob(name.rstrip("/")))} == set(), page
        without_folder = set(re.findall(r"`(\w+\.py)`", text))
        there = {path.name for room in ("monitor", "tests") for path in (ROOT / room).rglob("*.py")}
        assert without_folder - there == set(), page


def test_the_map_knows_the_twelve_usual_changes_and_every_room() -> None:
    text = (ROOT / "docs" / "contributing.md").read_text()
    changes = text.split("## Where a change goes", 1)[1].split("\n## ", 1)[0]
    assert len(re.findall(r"^\| (?:add|change) ", changes, re.MULTILINE)) == 12
    rooms = {path.parent.name for path in (ROOT / "monitor").glob("*/__init__.py")}
    assert {room for room in rooms if f"{room}/" not in text} == set()


def test_every_class_of_the_words_exists_where_the_table_says() -> None:
    text = (ROOT / "docs" / "contributing.md").read_text()
    table = text.split("## The words", 1)[1].split("\n## ", 1)[0]
    classes = re.findall(r"^\| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)[1:]
    assert len(classes) > 20
    for cell in classes:
        names = re.findall(r"`(\w+)`", cell)
        files = re.findall(r"`(monitor/[\w/]+\.py)`", cell)
        paths = [ROOT / file for file in files] or [*(ROOT / "monitor" / "model").glob("*.py")]
        code = "".join(path.read_text() for path in paths)
        gone = [name for name in names if not re.search(rf"^class {name}\b", code, re.MULTILINE)]
        assert gone == [], f"{cell} of the words in docs/contributing.md"


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What forges and the site call the headings of a page; one in Chinese bears the English name too."""
    text = prose(page)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set(re.findall(r'^<a id="([\w-]+)"></a>$', text, re.MULTILINE)) | {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    }


def test_every_link_of_a_page_leads_to_a_file_and_a_heading_that_exist() -> None:
    pages = (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"))
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)]+)\)", prose(page))}
    ours = {(page, link) for page, link in links if not link.startswith(("https:", "http:"))}
    assert len(ours) > 60
    for page, link in ours:
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def what_programs_read(page: Path) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """The blocks, the keys of tables with their defaults, and the commands of a page, which no language changes."""
    text = page.read_text()
    blocks = re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    keys = re.findall(r"^\| (`\w+`) \|(?: (`[^`|]*`) \|)?", text, re.MULTILINE)
    return blocks, keys, sorted(set(re.findall(r"`monitor [a-z][^`]*`", text)))


def shape(page: Path) -> list[tuple[int, int, int]]:
    """How many paragraphs, list items and rows of tables each section has."""
    sections = re.split(r"^#+ .*$", prose(page), flags=re.MULTILINE)
    blocks = [re.split(r"\n{2,}", re.sub(r"<a id=.*", "", text).strip()) for text in sections]
    return [
        (
            sum(bool(re.match(r"[^|\s-]|-\S", block)) for block in of_section),
            sum(len(re.findall(r"^(?:-|\d\.) ", block, re.MULTILINE)) for block in of_section),
            sum(len(re.findall(r"^\|", block, re.MULTILINE)) for block in of_section),
        )
        for of_section in blocks
    ]


TRANSLATED = sorted(path.name.replace(".zh", "") for path in (ROOT / "docs").glob("*.zh.md"))


@pytest.mark.parametrize("name", [name for name in TRANSLATED if name != "index.md"])
def test_a_page_in_chinese_has_the_blocks_keys_and_commands_of_the_english_one(name: str) -> None:
    english, chinese = ROOT / "docs" / name, ROOT / "docs" / name.replace(".md", ".zh.md")
    assert what_programs_read(chinese) == what_programs_read(english)
    assert shape(chinese) == shape(english)
    title, *_ = re.findall(r"^# (.+)$", prose(english), re.MULTILINE)
    sections = anchors(english) - {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")}
    assert sections <= anchors(chinese), "a link to the English page leads here, too"


def test_every_page_has_a_place_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r": ([\w-]+\.md)$", site, re.MULTILINE))
    assert named == {page.name for page in (ROOT / "docs").glob("*.md")} - {
        page.name for page in (ROOT / "docs").glob("*.zh.md")
    }


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    named = {
        name
        for page in pages
        for name in re.findall(r"\bmake ([a-z]+)\b(?=`|  )", page.read_text())
    }
    assert named >= {"demo", "test", "quick", "check", "format", "proof"}
    assert named <= targets


PERFORMANCE = ROOT / "docs" / "performance.md"
BLOCK = re.compile(r"<!-- (\w+\.py) -->\n(.*?)<!-- end of \1 -->\n", re.DOTALL)
HARNESS = runpy.run_path(str(ROOT / "tests" / "bench" / "harness.py"))
"""What the programs under `tests/bench` print their tables with."""
TABLE = re.compile(
    r"### .+\n\nPython 3\.\d+.+, aiohttp .+ cores, load \d.+ UTC\.\n\n"
    + re.escape(HARNESS["HEAD"])
    + r"(?:\|(?: [^|\n]* \|){5}\n)+\n?"
)


def test_every_table_of_the_performance_page_is_what_its_program_printed() -> None:
    text, makefile = PERFORMANCE.read_text(), (ROOT / "Makefile").read_text()
    blocks = dict(BLOCK.findall(text))
    programs = re.findall(r"^\t-\$\(BENCH\)/(\w+\.py)", makefile, re.MULTILINE)
    assert list(blocks) == programs, "want a block for each program of `make bench`, in its order"
    assert "\n|" not in BLOCK.sub("", text), "a table that no program wrote"
    for program, block in blocks.items():
        assert block, f"want the tables of {program}: run `make bench`"
        assert TABLE.sub("", block) == "", f"what {program} does not print"


def test_a_target_of_the_performance_page_is_met_only_where_its_figures_say_so() -> None:
    rows = [line.split(" | ") for line in PERFORMANCE.read_text().splitlines() if " | <= " in line]
    assert rows
    for what, measured, _, target, met in rows:
        figure, limit = (
            float(text.removeprefix("<= ").split()[0].replace(",", ""))
            for text in (measured, target)
        )
        if figure != limit:  # what is printed is rounded
            assert met == ("met |" if figure < limit else "MISSED |"), what


def test_a_program_writes_its_tables_between_its_own_marks_and_nowhere_else() -> None:
    page = "a\n<!-- x.py -->\nold\n<!-- end of x.py -->\nb\n"
    with_block = HARNESS["with_block"]
    assert with_block(page, "x.py", "new\n") == page.replace("old", "new")
    assert with_block(page, "y.py", "new\n") == page
