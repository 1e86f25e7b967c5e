"""What the operator decided, for the rooms that must know; config.py makes them. No state here."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from monitor.model.alert import Policy, Severity
from monitor.model.maintenance import Maintenance
from monitor.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where alerts go: any Apprise URL. Empty `services` means all of them."""

    id: str
    url: Secret
    telegram_api: str | None = None
    proxy: Secret | None = None
    only: frozenset[Severity] = frozenset(Severity)
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    after: int = 3
    recover: int = 2
    remind: timedelta = timedelta(hours=4)
    wait: timedelta = timedelta(seconds=30)
    """How long news waits for other news that belongs to it."""
    language: str = "en"
    policies: tuple[Policy, ...] = ()
    """Those that the operator asked for, or gave other limits."""
    maintenance: tuple[Maintenance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """A command that carries the page elsewhere, run in the page's folder after a change."""

    command: str
    every: timedelta = timedelta(minutes=2)
    """At most so often."""
    timeout: timedelta = timedelta(minutes=2)
    cache: timedelta = timedelta(0)
    """How long the place that it goes to lets readers keep an older one."""
    env: tuple[tuple[str, Secret], ...] = ()
    """Beside what every command gets."""

    @property
    def behind(self) -> timedelta:
        """How much older than here a page may be there, and be alive."""
        return self.every + self.cache


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    dir: Path
    url: str | None = None
    title: str = "Status"
    languages: tuple[str, ...] = ("en",)
    spend: bool = False
    """Whether what the probes cost is anybody's business."""
    errors: bool = False
    """Whether what failing endpoints answered is."""
    models: bool = False
    """Whether what the probes ask for is."""
    hosts: bool = True
    """Whether base URLs are; without them nothing can be copied, and `best.txt` is empty."""
    links: tuple[tuple[str, str], ...] = ()
    """Label and address, below the page."""
    css: Path | None = None
    """After ours."""
    logo: Path | None = None
    currency: str = "USD"
    """Of the prices."""
    publish: Publishing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """How long each kind of data is kept; None is forever."""

    raw: timedelta | None = timedelta(days=30)
    hours: timedelta | None = timedelta(days=10)
    days: timedelta | None = None
    evidence: timedelta | None = timedelta(days=30)
    max_size: int | None = None
    """Bytes that the store may take; its oldest runs, then its oldest hours, go first."""
