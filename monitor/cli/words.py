"""How the terminal shows an outcome and a number."""

from monitor.model import Outcome

COLOURS = {
    Outcome.UP: "green",
    Outcome.DEGRADED: "yellow",
    Outcome.DOWN: "bold red",
    Outcome.UNKNOWN: "dim",
}


def milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
