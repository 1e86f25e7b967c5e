"""How commands are found and loaded: adding one is adding a file, and only the one that is run is imported."""

import json
import re
import subprocess
import sys
from pathlib import Path

from monitor.cli import app
from monitor.cli.app import command_files

FOLDER = Path(app.__file__).parent
HEAVY = {
    "aiohttp",
    "apprise",
    "apscheduler",
    "dns",
    "jinja2",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlmodel",
}
MOST_MODULES = 250
"""Imported by `monitor --help`, the standard library's included."""


def imported_by(*arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    script = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv[:] = {['monitor', *arguments]!r}\n"
        "from monitor.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_version_and_help_import_no_command_and_nothing_heavy() -> None:
    commands = {f"monitor.cli.{file.module}" for file in command_files()}
    for argument in ("--version", "--help"):
        modules = imported_by(argument)
        assert not modules & (commands | HEAVY | {"monitor.model"}), argument
        assert len(modules) < MOST_MODULES, argument


def test_a_command_that_reads_the_store_imports_no_network_alerts_or_templates() -> None:
    needed = {"pydantic", "rich", "sqlalchemy", "sqlmodel"}
    assert imported_by("status", "--help") & HEAVY <= needed


def test_every_command_is_a_file_named_after_it_with_a_line_of_help() -> None:
    for file in command_files():
        assert file.module == "_".join(file.words).replace("-", "_")
        assert len(file.help) <= 42, f"want at most 42 characters, for the list: {file.help}"
        for word in file.words[:-1]:
            assert word in app.GROUP_HELP, f"want the help of `monitor {word}` in GROUP_HELP"


def test_every_file_that_has_a_command_is_found() -> None:
    """One whose docstring has another form would be no command, and nobody would say so."""
    found = {file.module for file in command_files()}
    with_command = {
        path.stem
        for path in FOLDER.glob("*.py")
        if re.search(r'^(?:async )?def command\(|\A"""`monitor', path.read_text(), re.MULTILINE)
    }
    remedy = 'want `command`, and a first line such as """`monitor ack`: stop the reminders."""'
    assert with_command == found, remedy


def test_a_command_is_added_by_adding_one_file(tmp_path: Path) -> None:
    """In a copy of the package's command line."""
    copy = tmp_path / "cli"
    copy.mkdir()
    for path in FOLDER.glob("*.py"):
        (copy / path.name).write_text(path.read_text())
    (copy / "say_hello.py").write_text(
        '"""`monitor say-hello`: greet somebody."""\n\nimport typer\n\n\n'
        'def command(name: str) -> None:\n    """Greet somebody."""\n    typer.echo(f"Hello {name}")\n'
    )
    script = (
        "import sys, monitor.cli as package\n"
        f"package.__path__ = [{str(copy)!r}]\n"
        "sys.modules.pop('monitor.cli.app')\n"
        "from monitor.cli.app import main\n"
        "sys.argv[:] = sys.argv[1:]\n"
        "main()\n"
    )

    def monitor(*arguments: str) -> str:
        command = [sys.executable, "-c", script, "monitor", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    assert "say-hello       Greet somebody.\n" in monitor("--help")
    assert monitor("say-hello", "Ada") == "Hello Ada\n"
