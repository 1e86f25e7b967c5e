"""The script of faults: which endpoint has which fault, and when. Pure.

It repeats a cycle of four minutes, drawn here with a character for every four seconds. Between two
faults of one severity there is time to recover and to be seen to recover.

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

ENDPOINT_IDS = ("us-direct", "cf-cdn", "cf-worker", "fast-cdn", "proxy-1", "proxy-2")
CYCLE = 240
"""Length of a cycle in seconds."""
SLOW_S = 6.5
"""Seconds that a slow first token is late: more than the five seconds that count as slow."""


class SimulatedFault(StrEnum):
    """Lists what an endpoint can do wrong; the value is how a person is told.

    The script plays a few of them; a test can force any.
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
    MALFORMED = "puts broken events into streams"
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
class ScriptStep:
    """Gives endpoints a fault from `begin` to `end`, seconds into the cycle; `faults` alternate by cycle."""

    begin: int
    end: int
    endpoints: tuple[str, ...]
    faults: tuple[SimulatedFault, ...]


SCRIPT: tuple[ScriptStep, ...] = (
    ScriptStep(8, 36, ("proxy-1",), (SimulatedFault.BAD_GATEWAY,)),
    ScriptStep(12, 36, ("proxy-2",), (SimulatedFault.REFUSED, SimulatedFault.RESET)),
    ScriptStep(44, 88, ("us-direct",), (SimulatedFault.SLOW,)),
    ScriptStep(60, 84, ("fast-cdn",), (SimulatedFault.EXPIRED, SimulatedFault.WRONG_NAME)),
    ScriptStep(104, 132, ("cf-cdn",), (SimulatedFault.CUT,)),
    ScriptStep(148, 184, ("cf-worker",), (SimulatedFault.BUFFERED,)),
    ScriptStep(204, 224, ENDPOINT_IDS, (SimulatedFault.KEY_REJECTED,)),
)

Script = Callable[[float, str], SimulatedFault | None]
"""Takes seconds since the start and an endpoint's id, and returns the fault that it has then."""


def fault_at(seconds: float, endpoint: str) -> SimulatedFault | None:
    """Return the fault of an endpoint `seconds` after the start, or None while it is well."""
    cycle, into = divmod(seconds, CYCLE)
    for step in SCRIPT:
        if step.begin <= into < step.end and endpoint in step.endpoints:
            return step.faults[int(cycle) % len(step.faults)]
    return None


def no_faults(_: float, _endpoint: str) -> SimulatedFault | None:
    """Return None always: the script in which nothing goes wrong."""
    return None


def faults_now(script: Script, seconds: float) -> Mapping[str, SimulatedFault]:
    """Return the endpoints that have a fault at this moment."""
    faults = ((endpoint, script(seconds, endpoint)) for endpoint in ENDPOINT_IDS)
    return {endpoint: fault for endpoint, fault in faults if fault is not None}


def describe(faults: Mapping[str, SimulatedFault]) -> str:
    """Tell a person in one line which endpoint does what."""
    if not faults:
        return "all endpoints are well"
    if len(faults) == len(ENDPOINT_IDS) and len(set(faults.values())) == 1:
        return f"every endpoint {next(iter(faults.values())).value}"
    return "; ".join(f"{endpoint} {fault.value}" for endpoint, fault in faults.items())
