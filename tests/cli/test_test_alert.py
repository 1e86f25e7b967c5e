"""`monitor test-alert`: an on-call service sees an incident from its begin to its end, a program a test."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from on_call_services import HOLDING_EVENTS, OPEN, RESOLVED, on_call
from receiver import SECRET, receiving

from monitor import config
from monitor.alerts.webhook_sender import signature
from monitor.cli.test_alert import Example, send_tests
from monitor.model import MonitorError


@pytest.mark.parametrize("name", ["pagerduty", "opsgenie", "incidentio"])
async def test_whatever_is_shown_leaves_no_event_open(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(
        '[service.s]\nname = "Relay"\nendpoints = { a = "http://127.0.0.1:9" }\n'
        f'[channel.pager]\nurl = "{HOLDING_EVENTS[name].url}"\n'
    )
    said: list[str] = []
    async with on_call(name, monkeypatch) as service:
        failed = await send_tests(config.load(file, {}), "", Example.OPENED, said.append)
    assert (failed, said) == (0, ["pager: sent: down, then ended"])
    assert [*service.lives.values()] == [[OPEN, RESOLVED]]
    opened = json.dumps(service.sent[0].json(), ensure_ascii=False)
    assert "[TEST]" in opened
    assert "Relay, a: down" in opened


async def test_a_webhook_gets_a_signed_test_and_its_answer_is_said(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    said: list[str] = []
    async with receiving() as receiver:
        tables = (
            f'[webhook.{name}]\nurl = "{receiver.url}/{name}"\nsecret = "${{WEBHOOK_SECRET}}"\n'
            for name in ("gateway", "other")
        )
        service = '[service.s]\nendpoints = { a = "http://127.0.0.1:9" }\n'
        file.write_text(service + "".join(tables))
        loaded = config.load(file, {"WEBHOOK_SECRET": SECRET})
        receiver.answers += [web.Response(status=202), web.Response(status=401, text="who?")]
        failed = await send_tests(loaded, "", Example.OPENED, said.append)
        assert failed + await send_tests(loaded, "gateway", None, said.append) == 1
        with pytest.raises(MonitorError, match=r"only webhook\.gateway, webhook\.other"):
            await send_tests(loaded, "phone", None, said.append)
    assert said == [
        "webhook.gateway: sent: the receiver answered HTTP 202",
        "webhook.other: failed: the receiver answered HTTP 401: who?",
        "webhook.gateway: sent: the receiver answered HTTP 204",
    ]
    path, headers, body = receiver.requests[0]
    signed = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, *signed, body)
    document = receiver.documents[0]
    schema = Path(__file__).parents[2] / "docs" / "webhook.schema.json"
    Draft202012Validator(json.loads(schema.read_text())).validate(document)
    assert (path, document["event"], document["incident"]) == ("/gateway", "test", None)
    assert document["endpoints"] == []
