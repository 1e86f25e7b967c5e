"""Every schema that Apprise knows: does the product make a request for each kind of message?

What comes out stands in `docs/channels.md`, in both languages, and in `monitor/alerts/channel_proofs.py`, both held to it
here; `--golden` rewrites the table of the docs.
"""

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

import pytest
from addresses import addresses_for
from aiohttp import web
from internet import internet
from on_call_services import STUBS

from monitor.alerts import Notifier
from monitor.alerts.channel_format import holds_events
from monitor.alerts.channel_proofs import UNTRIED
from monitor.model import (
    Channel,
    ConfigError,
    Message,
    NotDeliveredError,
    NotificationType,
    Redactor,
    Secret,
    Severity,
)

DOCS = [Path(__file__).parents[2] / "docs" / name for name in ("channels.md", "channels.zh.md")]
_MESSAGES = {
    "failure": (NotificationType.OPENED, Severity.DOWN),
    "warning": (NotificationType.OPENED, Severity.DEGRADED),
    "success": (NotificationType.RESOLVED, Severity.DOWN),
    "info": (NotificationType.NOTICE, Severity.MONITOR),
}
_ANSWER = {
    "ok": True,
    "success": True,
    "status": "ok",
    "code": 0,
    "errcode": 0,
    "id": "1",
    "sid": "1",
    "access_token": "t",
    "token": "t",
    "requestId": "r",
    "result": {"id": 1},
    "data": {"id": "1"},
    "expires_in": 3600,
}
"""What nearly every service would take for a success."""
_ENDS = re.compile(r"resolve|close|recovery", re.IGNORECASE)


@dataclass
class Catcher:
    """Answers everything that is sent anywhere, and keeps its address and text."""

    heard: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode("utf-8", "replace")
        self.heard.append(f"{request.path_qs} {text}")
        return web.json_response(_ANSWER)


@dataclass(frozen=True)
class Seen:
    """What one schema sent, by the kind of message."""

    requests: dict[str, list[str]]

    @property
    def speaks(self) -> bool:
        return all(self.requests.values())

    @property
    def ends(self) -> bool:
        """The end of an event is told as such, and its begin is not."""
        begin, end = ("\n".join(self.requests[kind]) for kind in ("failure", "success"))
        return bool(_ENDS.search(end)) and not _ENDS.search(begin)


@asynccontextmanager
async def catching(
    folder: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Catcher, Secret]]:
    catcher = Catcher()
    async with internet(catcher.answer, folder) as net:
        patch.setenv("REQUESTS_CA_BUNDLE", str(net.authority))
        yield catcher, Secret(net.proxy)


async def _try(schema: str, plugin: Any, catcher: Catcher, proxy: Secret) -> Seen | None:
    """What its first address that sends something sends for each kind of message."""
    for address in addresses_for(schema, plugin):
        channel = Channel(id="x", url=Secret(address), proxy=proxy)
        try:
            notifier = Notifier((channel,), Redactor(()))
        except ConfigError:
            continue
        seen = Seen({})
        for kind, (what, severity) in _MESSAGES.items():
            catcher.heard.clear()
            event = "local/s/1" if kind != "info" else "local/n1"
            message = Message("A title", "A text.", what=what, severity=severity, event=event)
            with suppress(NotDeliveredError, TimeoutError):  # the answer is hardly this service's
                await asyncio.wait_for(notifier.send("x", message), 20)
            seen.requests[kind] = [*catcher.heard]
        if seen.speaks:
            return seen
    return None


def _is_http(plugin: Any) -> bool:
    modules = [sys.modules[kind.__module__] for kind in plugin.__mro__]
    return any(
        "apprise.plugins." in module.__name__ and hasattr(module, "requests") for module in modules
    )


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # plugins that log out when they are collected
async def test_the_docs_say_of_each_schema_what_was_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    import apprise

    manager = apprise.NotificationManager()
    manager.load_modules()  # another test may have loaded a few
    services: dict[Any, list[str]] = defaultdict(list)
    for schema in sorted(manager.schemas()):
        services[manager[schema]].append(schema)
    in_depth = {manager[schema] for schema in ("mailto", *(stub.schema for stub in STUBS))}
    rows, untried = [], set[str]()
    lists: dict[str, list[str]] = {"a request was seen": [], "not tried": []}
    async with catching(tmp_path, monkeypatch) as (catcher, proxy):
        for plugin, schemas in services.items():
            tried = [
                await _try(schema, plugin, catcher, proxy) if _is_http(plugin) else None
                for schema in schemas
            ]
            holds = holds_events(Channel(id="x", url=Secret(f"{schemas[0]}://x")))
            proof = "a request was seen" if all(tried) else "not tried"
            if plugin in in_depth:
                proof = "protocol"
            elif not all(tried):
                untried |= {schema for schema, seen in zip(schemas, tried, strict=True) if not seen}
            for seen in filter(None, tried):
                assert seen.ends is holds, (schemas, seen.requests)
            names = ", ".join(f"`{schema}://`" for schema in schemas)
            if holds or proof == "protocol":
                ends = "yes" if holds else ""
                rows.append(f"| {names} | {plugin.service_name} | {ends} | {proof} |")
            else:
                lists[proof].append(f"{plugin.service_name} ({names})")
    head = "| schema | service | ends an event | proven |\n|---|---|---|---|\n"
    sentences = (
        _wrapped(f"**{proof.capitalize()}**: {'; '.join(names)}.") for proof, names in lists.items()
    )
    proven = head + "\n\n".join(["\n".join(rows), *sentences]) + "\n"
    assert untried == UNTRIED
    for path in DOCS:
        page = path.read_text().partition("| schema |")[0] + proven
        if pytestconfig.getoption("--golden"):
            path.write_text(page)
        assert page == path.read_text(), "if that is meant: pytest --golden, then look at the diff"


def _wrapped(text: str) -> str:
    return fill(text, 130, break_long_words=False, break_on_hyphens=False)
