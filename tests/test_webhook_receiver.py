"""The receiver of docs/webhooks.md, run as it stands there, switches off and on what a gateway calls."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server

import pytest
from aiohttp import ClientSession, web
from listening import listening
from receiver import SECRET

from monitor.alerts.alternatives import Alternatives
from monitor.alerts.event_document import Names, incident_document
from monitor.alerts.event_json import document_id, document_json
from monitor.alerts.webhook_sender import signature
from monitor.clock import SystemClock
from monitor.model import Failure, FailureKind, Incident, Severity, WebhookEvent

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text()
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@dataclass
class Gateway:
    """Answers as new-api and LiteLLM do, and keeps what it was asked."""

    asked: list[tuple[str, object]] = field(default_factory=list)
    refuses: bool = False

    async def new_api(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer token"
        assert request.headers["New-Api-User"] == "1"
        body = await request.json()
        self.asked.append((request.path, body))
        ok = not self.refuses
        return web.json_response({"success": ok, "message": "" if ok else "no", "data": ok})

    async def litellm(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer token"
        self.asked.append((request.path, await request.json()))
        if self.refuses:
            return web.json_response({"error": {"message": "no"}}, status=400)
        return web.json_response({"model_id": "m", "blocked": request.path.endswith("/block")})


@asynccontextmanager
async def running(
    name: str, targets: dict[str, object], tmp_path: Path
) -> AsyncIterator[tuple[Gateway, str]]:
    gateway, app = Gateway(), web.Application()
    app.router.add_post("/api/channel/{number}/status", gateway.new_api)
    app.router.add_post("/model/{what}", gateway.litellm)
    script = tmp_path / "receiver.py"
    script.write_text(block("receiver") + "\n\n" + block(name))
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with listening(app) as url:
        env = {
            "WEBHOOK_SECRET": SECRET,
            "GATEWAY": url,
            "GATEWAY_TOKEN": "token",
            "TARGETS": json.dumps(targets),
            "PORT": str(port),
            "PATH": os.environ["PATH"],
        }
        process = await asyncio.create_subprocess_exec(sys.executable, str(script), env=env)
        try:
            yield gateway, f"http://127.0.0.1:{port}/"
        finally:
            process.kill()
            await process.wait()


def event(
    what: WebhookEvent,
    number: int,
    failing: str,
    well: str = "",
    severity: Severity = Severity.DOWN,
) -> str:
    checks = tuple(f"s/{each}/chat" for each in failing + well)
    incident = Incident(
        id=number,
        service="s",
        severity=severity,
        opened=AT,
        failure=Failure(FailureKind.BAD_GATEWAY, "got HTTP 502"),
        checks=checks,
        active=frozenset(f"s/{each}/chat" for each in failing),
    )
    names = Names(vantage="v", services={}, endpoints={})
    return document_json(incident_document(what, incident, AT, names, Alternatives()))


async def post(url: str, text: str, age_s: int = 0, secret: str = SECRET) -> int:
    number, sent, body = (
        document_id(text),
        int(SystemClock().now().timestamp()) - age_s,
        text.encode(),
    )
    headers = {
        "webhook-id": number,
        "webhook-timestamp": str(sent),
        "webhook-signature": signature(secret, number, sent, body),
    }
    for _ in range(100):
        try:
            async with (
                ClientSession() as session,
                session.post(url, data=body, headers=headers) as answer,
            ):
                return answer.status
        except OSError:  # it is still starting
            await asyncio.sleep(0.1)
    raise AssertionError("the receiver never listened")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "targets", "off", "on"),
    [
        (
            "new-api",
            {"s/a": 12, "s/b": 13},
            lambda number: (f"/api/channel/{number}/status", {"status": 2}),
            lambda number: (f"/api/channel/{number}/status", {"status": 1}),
        ),
        (
            "litellm",
            {"s/a": "12", "s/b": "13"},
            lambda number: ("/model/block", {"model_id": str(number)}),
            lambda number: ("/model/unblock", {"model_id": str(number)}),
        ),
    ],
)
async def test_the_receiver_of_the_docs_switches_base_urls_off_and_on(
    name: str, targets: dict[str, object], off: object, on: object, tmp_path: Path
) -> None:
    assert callable(off)
    assert callable(on)
    opened, changed, ended = WebhookEvent.OPENED, WebhookEvent.CHANGED, WebhookEvent.ENDED
    async with running(name, targets, tmp_path) as (gateway, url):
        forged = "whsec_" + "A" * 44
        assert await post(url, event(opened, 1, "a"), secret=forged) == 401
        assert await post(url, event(opened, 1, "a"), age_s=600) == 401
        assert gateway.asked == []

        assert await post(url, event(opened, 1, "a")) == 204
        assert await post(url, event(changed, 1, "b", "a")) == 204
        assert await post(url, event(opened, 2, "a")) == 204
        assert await post(url, event(ended, 1, "", "ab")) == 204
        assert await post(url, event(ended, 2, "", "a")) == 204
        assert gateway.asked == [off(12), off(13), on(12), off(12), off(12), on(13), on(12)]

        gateway.asked.clear()
        for what, how in {opened: "DOWN", changed: "PARTIAL", ended: "PARTIAL"}.items():
            assert await post(url, event(what, 4, "a", severity=Severity[how])) == 204
        assert await post(url, event(opened, 5, "b", severity=Severity.DEGRADED)) == 204
        assert gateway.asked == [off(12), on(12), on(12)]

        gateway.refuses = True
        assert await post(url, event(opened, 3, "a")) == 502
