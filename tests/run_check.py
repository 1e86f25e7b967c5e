"""One run of one check as the daemon makes it, with all that a test does not care about."""

from random import Random

from monitor.clock import Clock, SystemClock
from monitor.model import Check, Habit
from monitor.probes import Attempted, attempt
from monitor.probes.attempt import Redact
from monitor.probes.probe import Sender

NO_HABIT = Habit()


async def run_check(
    check: Check,
    client: Sender,
    *,
    clock: Clock | None = None,
    habit: Habit = NO_HABIT,
    redact: Redact = str,
    late_ms: float = 0.0,
) -> Attempted:
    return await attempt(
        check,
        habit=habit,
        client=client,
        clock=clock or SystemClock(),
        rng=Random(1),
        vantage="here",
        redact=redact,
        late_ms=late_ms,
    )
