"""What the monitor says of itself: the first line is the title. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.model import Memory
from monitor.model.duration import format_duration

GAP = timedelta(minutes=5)
"""Shorter breaks are a restart, and no news."""
LASTS = timedelta(seconds=30)
"""Trouble that is over sooner is no news."""


def budget_warning(service: str, why: str) -> str:
    return f"💰 {service}: most of today's budget for checks is spent\n{why}"


def budget_spent(service: str, why: str) -> str:
    return f"💰 {service}: paid checks pause until tomorrow (UTC)\n{why}"


def started(memory: Memory, now: datetime) -> str | None:
    """Nothing after a clean and short stop. Of many crashes the 1st, 2nd, 4th, 8th … is told."""
    if memory.last_seen is None:
        return None
    gap = now - memory.last_seen
    number = memory.crashes
    crashed = not memory.stopped_cleanly and number & (number - 1) == 0
    if gap < GAP and not crashed:
        return None
    title = f"👁 monitor: was down for {_clock(gap)}" if gap >= GAP else "👁 monitor: crashed"
    lines = [title, f"From {_time(memory.last_seen)} to {_time(now)} nothing was probed."]
    if not memory.stopped_cleanly:
        lines.append("It did not stop by itself: a crash, a kill, or a loss of power.")
    if number > 1 and crashed:
        lines.append(f"That was the {number}th time within an hour; its log says why.")
    return "\n".join(lines)


def troubled(name: str, why: str) -> str:
    return "\n".join([f"👁 monitor: {name} is in trouble", why, _WHAT.get(name, "")]).rstrip()


def mended(name: str, lasted: timedelta) -> str:
    return f"✅ monitor: {name} is well again\nThat lasted {_rounded(lasted)}."


def noted(note: str) -> str:
    return f"👁 monitor: the store was mended\n{note}"


_WHAT: Mapping[str, str] = {
    "store": "Probing and alerts go on; what cannot be written waits in memory, and a restart would lose it.",
    "schedule": "Checks run late or not at all.",
}


class Watch:
    """Trouble of the monitor's own parts, by name: told when it lasts, and when it is over."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[datetime, float]] = {}
        self._told: set[str] = set()

    def see(self, name: str, why: str | None, now: datetime, monotonic: float) -> str | None:
        """What to tell of it now."""
        if why is None:
            since = self._since.pop(name, None)
            if since is None or name not in self._told:
                return None
            self._told.remove(name)
            return mended(name, timedelta(seconds=monotonic - since[1]))
        since = self._since.setdefault(name, (now, monotonic))
        if name in self._told or monotonic - since[1] < LASTS.total_seconds():
            return None
        self._told.add(name)
        return troubled(name, why)


def _time(at: datetime) -> str:
    return f"{at:%d %b %H:%M:%S} UTC"


def _clock(duration: timedelta) -> str:
    """`00:17`: hours and minutes."""
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _rounded(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))
