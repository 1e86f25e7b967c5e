"""The log: one line per event, readable by people and the journal, and never a secret."""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monitor import logs
from monitor.model import Redactor, Secret

KEY = "canary-" + "x1y2z3" * 4


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook
    yield
    root.handlers[:], level, sys.excepthook = before
    root.setLevel(level)


def set_up(*, journal: bool = False) -> io.StringIO:
    out = io.StringIO()
    logs.set_up(Redactor([Secret(KEY)]), level="DEBUG", journal=journal, to=out)
    return out


def test_secrets_are_replaced_in_messages_arguments_and_tracebacks() -> None:
    out = set_up()
    try:
        raise ValueError(f"Authorization: Bearer {KEY}")
    except ValueError:
        logging.getLogger("monitor.x").exception(
            "event=internal url=https://a.example/?key=%s", KEY
        )

    assert KEY not in out.getvalue()
    assert "event=internal url=https://a.example/?key=***" in out.getvalue()
    assert "ValueError: Authorization: Bearer ***" in out.getvalue()


def test_in_the_journal_every_line_carries_its_priority_and_no_time() -> None:
    out = set_up(journal=True)
    logging.getLogger("monitor.x").warning("first\nsecond")

    assert out.getvalue() == "<4>first\n<4>second\n"


def test_the_chatter_of_libraries_stays_out() -> None:
    out = set_up()
    logging.getLogger("apscheduler.executors").info("Running job")
    logging.getLogger("urllib3.connectionpool").debug("POST /bot%s/sendMessage", KEY)

    assert out.getvalue() == ""


def test_an_exception_nobody_caught_is_redacted_too() -> None:
    code = (
        "from monitor import logs; from monitor.model import Redactor, Secret\n"
        f"logs.set_up(Redactor([Secret({KEY!r})]))\n"
        f"raise RuntimeError('key is ' + {KEY!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "RuntimeError: key is ***" in done.stderr
    assert "key is canary" not in done.stderr


def test_what_others_said_cannot_end_its_quotes() -> None:
    assert logs.quoted('HTTP 502: "bad \\ gateway"') == r'"HTTP 502: \"bad \\ gateway\""'


def test_the_same_failure_is_news_once_until_it_changes() -> None:
    told = logs.RepeatFilter()
    said = [
        told.level("a/x/http", failure)
        for failure in (
            "tcp_refused",
            "tcp_refused",
            "bad_gateway",
            "bad_gateway",
            None,
            None,
            "bad_gateway",
        )
    ]
    warning, info = logging.WARNING, logging.INFO
    assert said == [warning, info, warning, info, info, info, warning]
    assert told.level("b/x/http", "bad_gateway") == warning


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, no_colour: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        logs.set_up(Redactor([Secret(KEY)]), to=out)
        logging.getLogger("monitor.x").info("event=run check=a key=%s", KEY)
        logging.getLogger("monitor.x").warning("event=run check=b")

    assert "\033" not in file.getvalue()
    assert ("\033[1mrun\033[0m check=a key=***" in terminal.getvalue()) is not bool(no_colour)
    assert ("\033[33m" in terminal.getvalue()) is not bool(no_colour)
    assert KEY not in terminal.getvalue()


def test_foreign_control_characters_reach_no_terminal_and_hide_no_secret() -> None:
    out = set_up()
    log = logging.getLogger("monitor.x")
    log.info("event=x why=%s", "\x1b]0;title\x07 \x9b31m \u202egnp.exe\nnext\tline")
    log.info("event=x why=%s", f"{KEY[:12]}\x07{KEY[12:]}")
    text = out.getvalue()
    assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert "]0;title 31m gnp.exe\nnext\tline" in text
    assert KEY not in text
    assert "why=***" in text
