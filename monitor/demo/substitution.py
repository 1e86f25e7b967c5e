"""Says which model of the simulated service answers a request: the one that was asked, or the other. Pure."""

from random import Random

from monitor.demo.faults import SimulatedFault

HOUR_S = 3600
MIXED_SHARE = 0.2
"""Share of the requests that another model answers where it answers some of them."""


def other_answers(fault: SimulatedFault | None, seconds: float, rng: Random) -> bool:
    """Say whether the other model answers a request that comes `seconds` after the start."""
    match fault:
        case SimulatedFault.SUBSTITUTED:
            return True
        case SimulatedFault.SUBSTITUTED_IN_TURN:
            return seconds // HOUR_S % 2 == 1
        case SimulatedFault.SUBSTITUTED_SOMETIMES:
            return rng.random() < MIXED_SHARE
        case _:
            return False
