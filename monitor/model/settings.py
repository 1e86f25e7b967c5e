"""The operator's decisions, as frozen values for the parts of the program that act on them.

A field with a `help` is a key of a table of monitor.toml: its name, default and description stand here
and nowhere else. How a key is written in the file is said in `monitor.config.tables`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.model.alert import Policy, Severity, WebhookEvent
from monitor.model.maintenance import Maintenance
from monitor.model.secret import Secret
from monitor.model.vantage import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whoever is told of incidents, of which ones, and when."""

    id: str
    only: frozenset[Severity] = field(
        default=frozenset(Severity), metadata={"help": "severities; none means all"}
    )
    services: frozenset[str] = field(
        default=frozenset(), metadata={"help": "ids of services; none means all"}
    )
    escalate_after: timedelta | None = field(
        default=None,
        metadata={
            "help": "hears of an incident so long after the others, if nobody acknowledged it"
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Recipient):
    """A place that alerts go to."""

    url: Secret = field(metadata={"help": "any Apprise URL"})
    telegram_api: str | None = field(default=None, metadata={"help": "an own Bot API server"})
    proxy: Secret | None = field(
        default=None, metadata={"help": "the way out, http:// or socks5://"}
    )
    commands: bool = field(
        default=False, metadata={"help": "Telegram: the bot takes commands and sends buttons"}
    )
    allow: frozenset[int] | None = field(
        default=None,
        metadata={
            "help": "numbers of chats or users that may command; the chats of `url` if left out"
        },
    )
    subscribers: bool = field(
        default=False, metadata={"help": "Telegram: anybody may subscribe to what the page shows"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Recipient):
    """A program that hears of events."""

    url: Secret = field(metadata={"help": "where events are posted"})
    secret: Secret = field(metadata={"help": 'signs them: "${NAME}" of whsec_ and base64'})
    events: frozenset[WebhookEvent] = field(
        default=frozenset(WebhookEvent), metadata={"help": "what it hears; none means all"}
    )
    proxy: Secret | None = field(default=None, metadata={"help": "the way out, http://"})

    @property
    def target(self) -> str:
        """Return its name among all that messages go to; no channel has one with a dot."""
        return f"webhook.{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    after: int = field(default=3, metadata={"help": "bad results in a row before it is believed"})
    recover: int = field(
        default=2, metadata={"help": "good results in a row before recovery is believed"}
    )
    remind: timedelta = field(
        default=timedelta(hours=4), metadata={"help": "how long until the first reminder"}
    )
    language: str = field(default="en", metadata={"help": "of the messages"})
    timezone: ZoneInfo = field(
        default=ZoneInfo("UTC"), metadata={"help": "of their times, such as Asia/Shanghai"}
    )
    wait: timedelta = field(
        default=timedelta(seconds=30), metadata={"help": "how long news waits for other news"}
    )
    policies: tuple[Policy, ...] = ()
    """The policies that the operator asked for, or gave other limits."""
    maintenance: tuple[Maintenance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """A command that carries the page elsewhere, run in the page's folder after a change."""

    command: str = field(metadata={"help": "run by /bin/sh in the page's folder"})
    every: timedelta = field(default=timedelta(minutes=2), metadata={"help": "at most so often"})
    timeout: timedelta = field(default=timedelta(minutes=2), metadata={"help": "then it is ended"})
    cache: timedelta = field(
        default=timedelta(0),
        metadata={"help": "how long caches on the way to readers may keep an older page"},
    )
    env: tuple[tuple[str, Secret], ...] = field(
        default=(), metadata={"help": "variables it gets beside the usual ones"}
    )

    @property
    def behind(self) -> timedelta:
        """Return how much older than the page here the published one may be while all is well."""
        return self.every + self.cache


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    dir: Path = field(default=Path("page"), metadata={"help": "where the page is written"})
    url: str | None = field(default=None, metadata={"help": "its public address, for links"})
    title: str = field(default="Status", metadata={"help": "what stands on top"})
    note: Names = field(
        default=(), metadata={"help": "a line below the title, on every page; may be by language"}
    )
    languages: tuple[str, ...] = field(
        default=("en",), metadata={"help": "the first is the default"}
    )
    publish: Publishing | None = field(
        default=None, metadata={"help": "a command that carries the page elsewhere, or a table"}
    )
    css: Path | None = field(default=None, metadata={"help": "a stylesheet of yours, after ours"})
    logo: Path | None = field(
        default=None, metadata={"help": "an .svg, .png, .webp or .jpg beside the title"}
    )
    links: tuple[tuple[str, str], ...] = field(
        default=(), metadata={"help": "label = address, below the page"}
    )
    hosts: bool = field(default=True, metadata={"help": "show base URLs"})
    """Without them nothing can be copied, and `best.txt` is empty."""
    models: bool = field(default=False, metadata={"help": "show which models the probes ask for"})
    spend: bool = field(default=False, metadata={"help": "show what the probes cost"})
    errors: bool = field(default=False, metadata={"help": "show what failing endpoints answered"})
    trust: bool = field(
        default=False,
        metadata={"help": "show of each base URL what one gets: model, form, streams"},
    )
    reports: bool = field(
        default=False, metadata={"help": "publish a report of each month, with all its incidents"}
    )
    currency: str = "USD"
    """The currency of the prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """Names a receiver that metrics are pushed to."""

    url: str
    """`/v1/metrics` is below it."""
    headers: tuple[tuple[str, Secret], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """The time for which each kind of data is kept; None is forever."""

    raw: timedelta | None = field(default=timedelta(days=30), metadata={"help": "every run"})
    hours: timedelta | None = field(
        default=timedelta(days=10), metadata={"help": "counts and percentiles by hour"}
    )
    days: timedelta | None = field(default=None, metadata={"help": "counts and percentiles by day"})
    evidence: timedelta | None = field(
        default=timedelta(days=30), metadata={"help": "what failing runs left"}
    )
    max_size: int | None = field(default=None, metadata={"help": 'of the store, e.g. "500MB"'})
    """Bytes; the oldest runs go first, then the oldest hours."""
