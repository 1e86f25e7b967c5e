"""Defines what every probe kind has: settings from the config, and `run`, which turns a check into a finding.

A new kind is one file in `kinds` with a subclass of `ProbeSettings`; nothing else lists the kinds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any, ClassVar, Protocol, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    WithJsonSchema,
)

from monitor.model import (
    Balance,
    Check,
    Evidence,
    Failure,
    FailureKind,
    Habit,
    LatencyLimit,
    Secret,
    Spend,
    Stream,
    Usage,
)
from monitor.model.duration import parse_duration
from monitor.model.result import TIMING_NAMES
from monitor.probes.exchange import ConnectRequest, Exchange, HttpRequest, StreamWatcher
from monitor.probes.readers import ProtocolReader


def _duration(value: Any) -> Any:
    """Parse a duration; a bare number is refused because its unit would be a guess."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        return value
    raise ValueError(f'got {str(value).lower()[:40]}, want a duration such as "90s" or "5m"')


def _slow(value: Any) -> Any:
    """Parse `"ttft > 5s"` or a list of such limits."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError('want "TIMING > DURATION", such as "ttft > 5s", or a list of such')  # noqa: TRY004  # pydantic collects ValueErrors only
    return tuple(_one_slow(item) if isinstance(item, str) else item for item in value)


def _one_slow(text: str) -> LatencyLimit:
    timing, sign, limit = text.partition(">")
    if not sign or timing.strip() not in TIMING_NAMES:
        names = ", ".join(TIMING_NAMES)
        raise ValueError(f'got "{text}", want "TIMING > DURATION" with a timing of {names}')
    return LatencyLimit(timing.strip(), parse_duration(limit.strip()))


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["90s", "5m", "1h30m"]}),
]
SlowLimits = Annotated[
    tuple[LatencyLimit, ...],
    BeforeValidator(_slow),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Sender(Protocol):
    """Sends what a probe asks; what an endpoint does never raises."""

    async def send(self, request: HttpRequest, watch: StreamWatcher | None = None) -> Exchange: ...

    async def connect(self, request: ConnectRequest) -> Exchange: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Holds all that one run may use. `now` is for certificates, never for durations."""

    check: Check
    habit: Habit
    client: Sender
    rng: Random
    now: datetime
    peers: tuple[tuple[str, Habit], ...] = ()
    """What the same probe has learned at the service's other base URLs, by their names."""
    redact: Callable[[str], str] = str
    """Replaces secrets, for a kind that compares foreign words with those that were kept without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Holds what a run found. `failure` is None when all is well; its text may still hold secrets."""

    exchange: Exchange
    failure: Failure | None
    habit: Habit
    ttft: float | None = None
    ttft_visible: float | None = None
    model: str | None = None
    stream: Stream | None = None
    usage: Usage | None = None
    reader: ProtocolReader | None = None
    """What has read a model's answer, for a kind that reads on; it is not kept."""
    balance: Balance | None = None
    is_judged: bool = True
    """Whether there was enough to judge the promise that such a probe tests."""
    before_ms: float = 0.0
    """How long the calls before the last one took, where one call was not enough."""
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def answer(self) -> str:
        """Return what a model said."""
        return "" if self.reader is None else self.reader.text


class ProbeFileError(ValueError):
    """Says what is wrong with the file that a key names."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key, self.what = key, what


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """Holds what one run usually costs: the requests that it sends, and the tokens of all of them."""

    questions: int = 1
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


FREE = RunCost(questions=0)


def tokens_in_text(text: str) -> int:
    """Estimate the tokens of a text as a quarter of its bytes, which holds for English and Chinese alike."""
    return -(-len(text.encode()) // 4)


class ProbeSettings(BaseModel):
    """Holds one table of `[service.ID.probes]`; satisfies `monitor.model.Probe`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    kind: ClassVar[str]
    """Its name in the config."""
    title: ClassVar[str]
    """Its name on the page, in English; a catalogue may translate it."""
    main_rank: ClassVar[int] = 50
    """Which kind speaks for an endpoint where no probe has `main = true`: the one of lowest rank.
    The most demanding calls come first.
    """
    paid: ClassVar[bool] = False
    """Whether a run costs tokens, so that the budget may pause it."""
    needs_key: ClassVar[bool] = True
    """Without a key such a probe is not run: its result is `no_key`."""
    needs_model: ClassVar[bool] = False
    hub_only: ClassVar[bool] = False
    """Whether what it reads is the same from every place and kept by the hub, so that no agent asks."""
    shown: ClassVar[bool] = True
    """Whether the page shows such a check; what only the operator may know is not."""
    broken_by: ClassVar[frozenset[FailureKind]] = frozenset()
    """The failures by which the promise is broken that such a probe tests; the page then says what one gets."""
    counts_runs: ClassVar[bool] = False
    """Whether several runs must agree before it says that its promise is broken, so that one such result is believed."""
    audited: ClassVar[bool] = True
    """Whether `monitor audit` asks it of a base URL of which nothing is known but a model."""
    word_of_models: ClassVar[str] = ""
    """A word in the names of models that are for this kind alone, where there are such."""
    compares_peers: ClassVar[bool] = False
    """Whether a run looks at what the same probe has learned at the service's other base URLs."""

    every: Duration = Field(default=timedelta(minutes=1), description="how often it runs")
    timeout: Duration = Field(default=timedelta(seconds=30), description="when a run is given up")
    slow: SlowLimits = Field(
        default=(), description='beyond this a run is `slow`, e.g. "ttft > 5s"'
    )
    main: bool = Field(default=False, description="speaks for its endpoint")

    _id: str = PrivateAttr(default="")

    def named(self, probe_id: str) -> Self:
        """Return the same settings under the id of their table."""
        copy = self.model_copy()
        copy._id = probe_id  # noqa: SLF001  # of a copy of itself
        return copy

    def with_files(self, folder: Path) -> Self:  # noqa: ARG002  # for subclasses
        """Return the settings with what the files hold that they name, relative to a folder. Raises ProbeFileError."""
        return self

    @property
    def id(self) -> str:
        private = self.__pydantic_private__  # `self._id` takes fifty times as long
        return (private and private.get("_id")) or self.kind

    @property
    def streams(self) -> bool:
        return False

    @property
    def long(self) -> bool:
        return False

    def own_secrets(self) -> tuple[Secret, ...]:
        """Return what the operator gave this probe alone and nobody may read."""
        return ()

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002  # for subclasses
        """Return the tokens that a run may cost at most; money is left to the budget."""
        return Spend()

    def reserve(self, habit: Habit) -> Spend:
        """Return the worst case, with what the operator's own additions may cost."""
        return self.worst_case(habit)

    def usual_cost(self) -> RunCost:
        """Return what a run costs that goes well; a model that thinks before it answers costs more."""
        return FREE

    async def run(self, run: Run) -> Finding:
        raise NotImplementedError
