"""What every command says, read as one text: `tests/cli/transcript*.txt` (`pytest --golden` rewrites them)."""

import re
from pathlib import Path

import pytest
from lived import CONFIG, live, shell, spoken

WRONG = [
    "nosuch",
    "history",
    "once --nosuch",
    "run --log-level LOUD",
    "diagnose ftp://x",
    "diagnose example.org --resolver x",
    "ack x",
    "history a/b/c --since never",
    "history a/b/c --since 1d --until 2d",
    "history a/b/c --json --csv",
    "export --by week",
    "export --format xml",
    "incidents x",
    "demo --port 99999",
    "silence all --for soon",
    "init",
    "incident note 3",
    "announce",
    "announce x --until soon",
]
NO_STORE = [
    "validate",
    "once",
    "status",
    "history a/b/c",
    "incidents",
    "export",
    "backup x",
    "render",
    "reload",
    "silence all",
    "silence nobody",
    "ack 3",
    "incident note 3 hi",
    "announce hi",
    "announce --list",
    "test-alert",
    "report-failure",
    "init",
    "diagnose http://127.0.0.1:9",
]
LIVED = [
    "status",
    "incidents",
    "incidents --open",
    "incidents 1",
    "incidents 7",
    "history relay/cdn/chat --by day",
    "history relay/cdn/chta",
    "backup copy",
    "backup no/copy",
    "export -o out.csv",
    "render",
    "silence relay",
    "silence relay --end",
    "ack '#1'",
    "ack 7",
    "incident note 1 'We know.'",
    "announce --list",
    "announce 'A new model.' --service relay",
    "announce 'A new model.' --service rely",
    "announce --list",
    "announce --end 99",
    "status",
]
CHANGES = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?", "MOMENT"),
    (r"(?<!#)\b\d+(\.\d+)? (ms|s|bytes|rows|runs|down|of|h|m)\b", r"N \2"),
    (r"\b(\d+m)?\d+(s|m) ago", "N ago"),
    (r"\b(\d+m)?\d+s\b|\b\d+m\b", "N s"),
    (r"tcp_refused +\d+", "tcp_refused  N"),
    (r"^(MOMENT +)\d+ ", r"\1N "),
    (r" {3,}", "  "),
    (r"[ \t]+$", ""),
)


def said(commands: list[str], folder: Path) -> str:
    asked = [f"monitor {each}".rstrip() for each in commands]
    return "".join(
        f"$ {command}\n{_steady(text, folder)}\n" + (f"[exit {status}]\n" if status else "") + "\n"
        for command, (status, text) in zip(asked, spoken(asked, folder), strict=True)
    )


def _steady(text: str, folder: Path) -> str:
    """Without what differs from run to run."""
    if text.startswith("Usage: "):  # its moments and durations are examples
        return re.sub(r" {3,}", "  ", text).rstrip()
    text = text.replace(str(folder), "FOLDER")
    for pattern, instead in CHANGES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.rstrip()


def compare(name: str, parts: list[tuple[str, list[str], Path]], config: pytest.Config) -> None:
    golden = Path(__file__).parent / name
    whole = "".join(f"# {title}\n\n{said(commands, folder)}" for title, commands, folder in parts)
    whole = whole.rstrip() + "\n"
    if config.getoption("--golden"):
        golden.write_text(whole)
    assert whole == golden.read_text(), "if that is meant: pytest --golden, then look at the diff"


@pytest.mark.slow
def test_errors_of_usage_are_of_one_voice(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    compare("transcript-usage.txt", [("Wrong usage", WRONG, tmp_path)], pytestconfig)


@pytest.mark.slow
def test_what_commands_say_is_of_one_voice(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    folders = {name: tmp_path / name for name in ("empty", "bad", "fresh", "lived")}
    for folder in folders.values():
        folder.mkdir()
    (folders["bad"] / "monitor.toml").write_text('[monitr]\n[service.a]\nendpoint = "x"\n')
    (folders["fresh"] / "monitor.toml").write_text(CONFIG)
    live(folders["lived"])
    parts = [
        ("No configuration", ["run", "once", "reload", "report-failure"], folders["empty"]),
        ("A bad configuration", ["run", "status", "report-failure"], folders["bad"]),
        ("A configuration, and nothing stored yet", NO_STORE, folders["fresh"]),
        ("After a life", LIVED, folders["lived"]),
    ]
    compare("transcript.txt", parts, pytestconfig)


@pytest.mark.slow
def test_without_a_terminal_or_colours_there_are_no_colours(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text(CONFIG)
    for command in ("monitor once", "monitor --help", "script -qec 'monitor once' /dev/null"):
        done = shell(command, tmp_path, NO_COLOR="1", TERM="xterm-256color")
        assert not re.search(r"\033\[[0-9;]*3[0-7]", done.stdout + done.stderr), command
