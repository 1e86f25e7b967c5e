"""The script of faults: which endpoint misbehaves how, and when. Pure; it repeats for ever.

One cycle of four minutes, a character for every four seconds; between two faults of one severity
there is time to recover and to be seen to recover.

    us-direct   ...........SSSSSSSSSSS.............................KKKKK....
    cf-cdn      ..........................CCCCCCC..................KKKKK....
    cf-worker   .....................................BBBBBBBBB.....KKKKK....
    fast-cdn    ...............XXXXXX..............................KKKKK....
    proxy-1     ..GGGGGGG..........................................KKKKK....
    proxy-2     ...RRRRRR..........................................KKKKK....

    G bad gateway   R refused, every other cycle reset   S slow first token   C cut in the middle
    X certificate expired, every other cycle for a wrong name   B buffered stream   K key rejected
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

ENDPOINTS = ("us-direct", "cf-cdn", "cf-worker", "fast-cdn", "proxy-1", "proxy-2")
CYCLE = 240
"""Seconds."""
SLOW_S = 6.5
"""What a slow first token takes longer than usual: beyond the five seconds that count as slow."""


class Act(StrEnum):
    """What an endpoint does wrong; the value is how it is told to a person."""

    BAD_GATEWAY = "answers 502"
    REFUSED = "refuses connections"
    RESET = "resets connections"
    SLOW = "is slow to its first token"
    EXPIRED = "shows an expired certificate"
    WRONG_NAME = "shows a certificate for another name"
    CUT = "cuts streams in the middle"
    BUFFERED = "buffers streams and sends them in one burst"
    KEY_REJECTED = "rejects the key"


@dataclass(frozen=True, slots=True)
class Turn:
    """From `begin` to `end`, seconds into the cycle; `acts` take turns from cycle to cycle."""

    begin: int
    end: int
    endpoints: tuple[str, ...]
    acts: tuple[Act, ...]


SCRIPT: tuple[Turn, ...] = (
    Turn(8, 36, ("proxy-1",), (Act.BAD_GATEWAY,)),
    Turn(12, 36, ("proxy-2",), (Act.REFUSED, Act.RESET)),
    Turn(44, 88, ("us-direct",), (Act.SLOW,)),
    Turn(60, 84, ("fast-cdn",), (Act.EXPIRED, Act.WRONG_NAME)),
    Turn(104, 132, ("cf-cdn",), (Act.CUT,)),
    Turn(148, 184, ("cf-worker",), (Act.BUFFERED,)),
    Turn(204, 224, ENDPOINTS, (Act.KEY_REJECTED,)),
)

Script = Callable[[float, str], Act | None]
"""(seconds since the start, endpoint) -> what it does wrong then."""


def act_of(seconds: float, endpoint: str) -> Act | None:
    """What `endpoint` does wrong `seconds` after the start; None while it is well."""
    cycle, into = divmod(seconds, CYCLE)
    for turn in SCRIPT:
        if turn.begin <= into < turn.end and endpoint in turn.endpoints:
            return turn.acts[int(cycle) % len(turn.acts)]
    return None


def calm(seconds: float, endpoint: str) -> Act | None:  # noqa: ARG001  # a Script takes both
    """The script in which nothing goes wrong."""
    return None


def acting(script: Script, seconds: float) -> Mapping[str, Act]:
    """Every endpoint that misbehaves at this moment."""
    found = ((endpoint, script(seconds, endpoint)) for endpoint in ENDPOINTS)
    return {endpoint: act for endpoint, act in found if act is not None}


def told(acts: Mapping[str, Act]) -> str:
    """One line for a person: who does what now."""
    if not acts:
        return "all endpoints are well"
    if len(acts) == len(ENDPOINTS) and len(set(acts.values())) == 1:
        return f"every endpoint {next(iter(acts.values())).value}"
    return "; ".join(f"{endpoint} {act.value}" for endpoint, act in acts.items())
