"""Measures how far the hub's clock is ahead of ours, as SNTP does (RFC 4330, section 5)."""

from dataclasses import dataclass, replace

LONGEST_ROUND_TRIP_MS = 5_000.0
"""An answer that took longer says nothing about the clock."""
SHOWN_MS, NOTICE_MS = 2_000, 60_000
"""Offsets from which on one is shown, and told as a notice."""
_SMALL_MS = 1_000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Measures how far the clock here is from the hub's.

    `correction_ms` is what is added to the times of results; a small offset, or change of it, moves
    nothing.

    So a result that is sent again is sent with the same time. What half a round trip may explain is no offset.
    """

    offset_ms: int | None = None
    """The hub's clock minus ours; None before the first answer."""
    correction_ms: int = 0

    def answered(self, sent_ms: float, hub_ms: float, round_trip_ms: float) -> "ClockOffset":
        """Return the offset after an answer: sent at `sent_ms` by our clock, stamped `hub_ms` by the hub's."""
        if not 0 <= round_trip_ms <= LONGEST_ROUND_TRIP_MS:
            return self
        offset = round(hub_ms - (sent_ms + round_trip_ms / 2))
        unsure = max(_SMALL_MS, round_trip_ms / 2)
        if abs(offset - self.correction_ms) <= unsure:
            return replace(self, offset_ms=offset)
        return ClockOffset(offset, 0 if abs(offset) <= unsure else offset)
