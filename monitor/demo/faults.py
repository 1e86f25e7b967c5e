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
    """What an endpoint does wrong; the value is how it is told to a person.

    The script plays a few of them; all can be forced by a test.
    """

    # the connection
    REFUSED = "refuses connections"
    RESET = "resets connections"
    MUTE = "accepts connections and never shakes hands"
    NO_TLS = "speaks no TLS"
    EXPIRED = "shows an expired certificate"
    EXPIRING = "shows a certificate that ends soon"
    WRONG_NAME = "shows a certificate for another name"
    UNTRUSTED = "shows a certificate that nobody vouches for"
    # the answer as a whole
    BAD_GATEWAY = "answers 502"
    SERVER_ERROR = "answers 500"
    GATEWAY_TIMEOUT = "answers 504"
    NO_CHANNEL = "has no channel left for the model"
    EDGE_ERROR = "cannot reach its origin"
    EDGE_TIMEOUT = "waits too long for its origin"
    CHALLENGE = "wants to see that we are human"
    DENIED = "denies us at the edge"
    PANEL = "answers with a web page"
    REDIRECT = "redirects to a login page"
    TEAPOT = "answers 418"
    NONSENSE = "answers with something else"
    GONE = "knows the path no more"
    SILENT = "never answers"
    HANGS_UP = "hangs up instead of answering"
    GARBAGE = "speaks no HTTP"
    HALF = "never ends its answer"
    ENDLESS = "never stops talking"
    RATE_LIMITED = "limits our rate"
    OVERLOADED = "is overloaded"
    # the account
    KEY_REJECTED = "rejects the key"
    OUT_OF_MONEY = "says that the account is empty"
    FORBIDDEN = "does not let the key do this"
    MODEL_GONE = "does not know the model"
    REGION = "does not serve our region"
    REFUSED_REQUEST = "refuses the request"
    # what the model says, and how
    SLOW = "is slow to its first token"
    NO_TOKEN = "opens streams and says nothing"
    EMPTY = "gives empty answers"
    BROKEN = "breaks streams with an error"
    STALLED = "falls silent in the middle of streams"
    CUT = "cuts streams in the middle"
    POLITE_CUT = "cuts streams and ends them politely"
    BUFFERED = "buffers streams and sends them in one burst"
    PLAIN = "does not stream"
    WRONG_ANSWER = "gives wrong answers"
    OTHER_MODEL = "lets another model answer"
    FILTERED = "filters harmless answers"
    MISLABELLED = "labels streams as text"
    OVERBILLED = "counts more tokens than there are"
    UNCOUNTED = "counts no tokens any more"
    THINKS_TOO_LONG = "thinks until no tokens are left"


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
