"""The table says it all in a terminal, and in plain lines where there is none."""

import io
from datetime import UTC, datetime
from itertools import product

import pytest
from rich.console import Console

from monitor.config import Config
from monitor.demo.live_table import LiveTable
from monitor.model import (
    Failure,
    FailureKind,
    Message,
    NotificationType,
    OutboxMessage,
    Outcome,
    Result,
    Severity,
    Stream,
    Timings,
)

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def result(check: str, kind: FailureKind | None = None, vantage: str = "fra") -> Result:
    streams = check.endswith("chat")
    return Result(
        check=check,
        vantage=vantage,
        at=AT,
        outcome=kind.outcome if kind else Outcome.UP,
        failure=Failure(kind, "got [red]this[/red], want that") if kind else None,
        timings=Timings(ttft=212.4 if streams else None, total=998.0),
        stream=Stream(tokens_per_s=81.6) if streams else None,
    )


def outgoing() -> OutboxMessage:
    return OutboxMessage(
        channel="terminal",
        what=NotificationType.OPENED,
        severity=Severity.DOWN,
        incident=1,
        created=AT,
        not_before=AT,
    )


MESSAGE = Message(
    "Demo LLM: down",
    "Since 12:00.\n\nWhy: it is gone.\nSeen: nothing.\nTo do: wait.\nUse instead: that one.",
)


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def table_on(loaded: Config, screen: io.StringIO, *, terminal: bool, width: int = 100) -> LiveTable:
    console = Console(file=screen, force_terminal=terminal, width=width, color_system=None)
    return LiveTable(
        loaded,
        console,
        page_url="http://127.0.0.1:8080/",
        elapsed=lambda: 75.0,
        current_faults=lambda: "proxy-1 answers 502",
    )


def test_without_a_terminal_only_changes_are_said(loaded: Config, screen: io.StringIO) -> None:
    with table_on(loaded, screen, terminal=False) as table:
        for kind in (
            None,
            None,
            FailureKind.BAD_GATEWAY,
            FailureKind.BAD_GATEWAY,
            FailureKind.TCP_REFUSED,
            None,
        ):
            table.on_result(result("demo/proxy-1/chat", kind))
        table.on_result(result("demo/proxy-1/chat", FailureKind.TLS_RESET, "cn"))
        table.on_result(result("demo/proxy-1/chat"))
        table.on_message(outgoing(), MESSAGE)
    assert screen.getvalue().splitlines() == [
        "01:15  Frankfurt  proxy-1/chat          up        212 / 998 ms, 82 tok/s",
        "01:15  Frankfurt  proxy-1/chat          down      bad_gateway: got [red]this[/red], want that",
        "01:15  Frankfurt  proxy-1/chat          down      tcp_refused: got [red]this[/red], want that",
        "01:15  Frankfurt  proxy-1/chat          up        212 / 998 ms, 82 tok/s",
        "01:15  Shanghai   proxy-1/chat          down      tls_reset: got [red]this[/red], want that",
        "01:15  ALERT  Demo LLM: down",
        "       Since 12:00.",
        "       Why: it is gone.",
        "       Seen: nothing.",
        "       To do: wait.",
        "       Use instead: that one.",
    ]


def test_the_screen_shows_every_endpoint_what_is_wrong_and_the_latest_alerts(
    loaded: Config, screen: io.StringIO
) -> None:
    table = table_on(loaded, screen, terminal=True)
    table.on_result(result("demo/us-direct/chat"))
    table.on_result(result("demo/us-direct/models"))
    table.on_result(result("demo/us-direct/models", vantage="hk"))
    table.on_result(result("demo/proxy-1/chat", vantage="cn"))
    table.on_result(result("demo/proxy-1/models", FailureKind.BAD_GATEWAY, "cn"))
    table.on_result(result("demo/cf-cdn/chat", FailureKind.TRUNCATED))
    for number in range(5):
        table.on_message(outgoing(), Message(f"alert {number}", "because"))
    Console(file=screen, width=100, color_system=None).print(table.draw())
    lines = [line.rstrip() for line in screen.getvalue().splitlines()]
    assert lines[0] == "monitor demo   http://127.0.0.1:8080/   01:15, 6 runs"
    assert lines[1] == "now in the script: proxy-1 answers 502"
    heading = next(line for line in lines if "endpoint" in line)
    columns = [heading.index(f"from {place}") for place in ("Frankfurt", "Shanghai", "Hong Kong")]
    cells = {
        name: [line[column:].split("  ")[0] for column in columns]
        for name in ("US direct", "Reverse proxy 1", "Cloudflare CDN")
        for line in lines
        if line.strip().startswith(name)
    }
    assert cells == {
        "US direct": ["● 212 / 998 ms", "-", "● 998 ms"],
        "Reverse proxy 1": ["-", "✗ bad_gateway", "-"],
        "Cloudflare CDN": ["◐ truncated", "-", "-"],
    }
    assert [line[7:] for line in lines if "alert " in line] == ["alert 4", "alert 3", "alert 2"]


def test_the_screen_fits_into_eighty_columns_and_twenty_four_lines(
    loaded: Config, screen: io.StringIO
) -> None:
    table = table_on(loaded, screen, terminal=True, width=80)
    for check, vantage in product(loaded.checks, ("fra", "cn", "hk")):
        table.on_result(result(check.key, FailureKind.UNEXPECTED_REDIRECT, vantage))
    for number in range(5):
        table.on_message(
            outgoing(),
            Message(
                f"alert {number}", f"{'long ' * 40}\ntwo\nthree\nfour\nfive\nsix\nseven\neight"
            ),
        )
    Console(file=screen, width=80, color_system=None).print(table.draw())
    lines = screen.getvalue().splitlines()
    assert len(lines) <= 23
    assert "       seven" in [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= 80


def test_a_terminal_that_knows_only_ascii_gets_ascii_marks(loaded: Config) -> None:
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding="ascii")
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    table = LiveTable(
        loaded,
        console,
        page_url="http://127.0.0.1:8080/",
        elapsed=lambda: 1.0,
        current_faults=lambda: "-",
    )
    table.on_result(result("demo/us-direct/chat"))
    table.on_result(result("demo/cf-cdn/chat", FailureKind.BAD_GATEWAY))
    console.print(table.draw())
    screen.flush()
    assert b"+ 212 / 998 ms" in raw.getvalue()
    assert b"x bad_gateway" in raw.getvalue()


def test_a_terminal_is_left_as_it_was_found(
    loaded: Config, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with table_on(loaded, screen, terminal=True) as table:
        table.on_result(result("demo/proxy-1/chat"))
    assert screen.getvalue().endswith("\x1b[?25h")
