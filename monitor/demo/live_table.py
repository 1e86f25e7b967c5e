"""The demo's live table in a terminal; without a terminal, one plain line for each change."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor.config import Config
from monitor.language import ENGLISH
from monitor.model import FailureKind, Message, OutboxMessage, Outcome, Result

_REFRESHES_PER_SECOND = 4
_MAX_ALERTS = 3
_MAX_BODY_LINES = 7
"""Lines shown of the newest alert. Of the others only titles are shown, to fit a small terminal."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """Says how an outcome is marked; `ascii` is for terminals that show nothing else."""

    unicode: str
    ascii: str
    style: str


_MARKS: Mapping[Outcome, _Mark] = {
    Outcome.UP: _Mark("●", "+", "green"),
    Outcome.DEGRADED: _Mark("◐", "~", "yellow"),
    Outcome.DOWN: _Mark("✗", "x", "bold red"),
    Outcome.UNKNOWN: _Mark("?", "?", "magenta"),
}

_WORST_FIRST = (Outcome.DOWN, Outcome.DEGRADED, Outcome.UNKNOWN, Outcome.UP)


@dataclass(frozen=True, slots=True)
class _Alert:
    """A delivered message, `at` seconds since the script began."""

    at: float
    message: Message

    def title(self) -> str:
        return f"{clock_face(self.at)}  {self.message.title}"

    def body(self) -> list[str]:
        return [line for line in self.message.body.splitlines() if line.strip()]


class LiveTable:
    """Shows results and alerts while it is entered; `on_result` and `on_message` listen to the daemon.

    `elapsed` returns the seconds since the script of faults began, `current_faults` what it does now.
    """

    def __init__(
        self,
        config: Config,
        console: Console,
        *,
        page_url: str,
        elapsed: Callable[[], float],
        current_faults: Callable[[], str],
    ) -> None:
        self._names = {endpoint.path: endpoint.name for endpoint in config.endpoints}
        by_rank = sorted(config.checks, key=lambda check: check.probe.main_rank)
        self._checks = {
            path: [check.key for check in by_rank if check.endpoint.path == path]
            for path in self._names
        }
        self._places = config.places(ENGLISH)
        self._console = console
        self._page_url = page_url
        self._elapsed = elapsed
        self._current_faults = current_faults
        self._latest: dict[tuple[str, str], Result] = {}
        self._last_states: dict[tuple[str, str], tuple[Outcome, FailureKind | None]] = {}
        self._delivered: deque[_Alert] = deque(maxlen=_MAX_ALERTS)
        self._runs = 0
        self._plain = not console.is_terminal
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._plain:
            self._live = Live(
                get_renderable=self.draw,
                console=self._console,
                refresh_per_second=_REFRESHES_PER_SECOND,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_result(self, result: Result) -> None:
        self._runs += 1
        key = result.check, result.vantage
        self._latest[key] = result
        state = (result.outcome, result.failure.kind if result.failure else None)
        if self._plain and self._last_states.get(key) != state:
            place = self._places[result.vantage]
            self._print(f"{clock_face(self._elapsed())}  {place:<9}  {_sentence(result)}")
        self._last_states[key] = state

    def on_message(self, _outgoing: OutboxMessage, message: Message) -> None:
        alert = _Alert(self._elapsed(), message)
        self._delivered.append(alert)
        if self._plain:
            time, _, title = alert.title().partition("  ")
            rest = (f"       {line}" for line in alert.body())
            self._print("\n".join([f"{time}  ALERT  {title}", *rest]))

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def draw(self) -> Group:
        """Draw the whole screen as it is now."""
        return Group(self._header(), self._table(), self._alerts())

    def _header(self) -> Text:
        head = Text(no_wrap=True, overflow="ellipsis")
        head.append("monitor demo", style="bold")
        head.append(f"   {self._page_url}", style="underline")
        head.append(f"   {clock_face(self._elapsed())}, {self._runs} runs\n")
        head.append(f"now in the script: {self._current_faults()}", style="dim")
        return head

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("endpoint", no_wrap=True)
        for place in self._places.values():
            table.add_column(f"from {place}", no_wrap=True, overflow="ellipsis")
        for path, name in self._names.items():
            table.add_row(Text(name), *(self._cell(path, vantage) for vantage in self._places))
        return table

    def _cell(self, path: str, vantage: str) -> Text:
        """Show the worst of what the endpoint's calls got last from a place; of good ones the main call."""
        results = [
            result for check in self._checks[path] if (result := self._latest.get((check, vantage)))
        ]
        if not results:
            return Text("-", style="dim")
        result = min(results, key=lambda result: _WORST_FIRST.index(result.outcome))
        mark = _MARKS[result.outcome]
        sign = mark.ascii if self._console.options.ascii_only else mark.unicode
        return Text(f"{sign} {_figures(result)}", style=mark.style)

    def _alerts(self) -> Text:
        if not self._delivered:
            return Text("no alert so far", style="dim")
        text = Text("alerts, newest first\n", style="bold", no_wrap=True, overflow="ellipsis")
        for alert in reversed(self._delivered):
            text.append(f"{alert.title()}\n", style="not bold")
            if alert is self._delivered[-1]:
                rest = "".join(f"       {line}\n" for line in alert.body()[:_MAX_BODY_LINES])
                text.append(rest, style="not bold dim")
        text.rstrip()
        return text


def clock_face(seconds: float) -> str:
    minutes, left = divmod(int(seconds), 60)
    return f"{minutes:02d}:{left:02d}"


def _figures(result: Result) -> str:
    """Return a failure's kind, or else time to first token and total in ms."""
    if result.failure is not None:
        return result.failure.kind.value
    parts = [
        f"{value:.0f}" for value in (result.timings.ttft, result.timings.total) if value is not None
    ]
    return " / ".join(parts) + " ms" if parts else ""


def _sentence(result: Result) -> str:
    endpoint = result.check.split("/", 1)[1]
    speed = result.stream.tokens_per_s if result.stream and not result.failure else None
    more = f", {speed:.0f} tok/s" if speed is not None else ""
    why = f": {result.failure.message}" if result.failure else ""
    return f"{endpoint:<21} {result.outcome.value:<9} {_figures(result)}{more}{why}"
