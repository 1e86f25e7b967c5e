"""How the page says states, times and numbers. Pure; one place, so that a language is one catalogue."""

from datetime import UTC, date, datetime, timedelta

from monitor.model import Spend
from monitor.page.states import State

LABELS = {
    State.OPERATIONAL: "Operational",
    State.DEGRADED: "Degraded",
    State.PARTIAL: "Partial outage",
    State.MAJOR: "Major outage",
    State.MAINTENANCE: "Maintenance",
    State.UNKNOWN: "No data",
}
PROBES = {
    "http": "Web page", "models": "Models", "chat": "Chat", "embeddings": "Embeddings",
}  # fmt: skip
NBSP = "\u00a0"


def seconds(milliseconds: float | None) -> str:
    """`0.94 s`, `12 ms`, `–`."""
    if milliseconds is None:
        return "–"
    if milliseconds < 100:
        return f"{milliseconds:.0f}{NBSP}ms"
    return f"{milliseconds / 1000:.2f}{NBSP}s"


def percent(share: float | None) -> str:
    """Never rounded up to 100: `99.99 %` is the most that a failure leaves."""
    if share is None:
        return "–"
    if share == 1:
        return f"100{NBSP}%"
    return f"{min(share * 100, 99.99):.2f}{NBSP}%"


def duration(length: timedelta) -> str:
    """`44 s`, `12 min`, `2 h 18 min`, `3 d 4 h`."""
    total = max(0, round(length.total_seconds()))
    if total < 60:
        return f"{total}{NBSP}s"
    minutes, hours = total // 60, total // 3600
    if hours == 0:
        return f"{minutes}{NBSP}min"
    if hours < 48:
        return f"{hours}{NBSP}h {minutes % 60}{NBSP}min"
    return f"{hours // 24}{NBSP}d {hours % 24}{NBSP}h"


def limit(length: timedelta) -> str:
    """`100 s`, as such limits are known; minutes from ten on."""
    total = round(length.total_seconds())
    return f"{total}{NBSP}s" if total < 600 else duration(length)


def amount(spent: Spend, currency: str) -> str:
    """`12,345 tokens`, and what they cost where prices are known."""
    tokens = f"{spent.tokens:,}{NBSP}tokens"
    return f"{tokens}, {spent.money:.4f}{NBSP}{currency}" if spent.money else tokens


def moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%-d %b, %H:%M} UTC"


def clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def long_day(day: date) -> str:
    return f"{day:%A %-d %B}"


def urls(count: int, singular: str, plural: str) -> str:
    """`One base URL is down`, `3 base URLs are down`."""
    return f"One base URL {singular}" if count == 1 else f"{count} base URLs {plural}"


def joined(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
