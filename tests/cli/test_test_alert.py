"""`monitor test-alert --as`: an on-call service sees an incident from its begin to its end."""

import json
from pathlib import Path

import pytest
from on_call import OPEN, OVER, SERVICES, on_call

from monitor import config
from monitor.cli.test_alert import Example, send_tests


@pytest.mark.parametrize("name", ["pagerduty", "opsgenie", "incidentio"])
async def test_whatever_is_shown_leaves_no_event_open(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(
        '[service.s]\nname = "Relay"\nendpoints = { a = "http://127.0.0.1:9" }\n'
        f'[channel.pager]\nurl = "{SERVICES[name].address}"\n'
    )
    said: list[str] = []
    async with on_call(name, monkeypatch) as service:
        failed = await send_tests(config.load(file, {}), "", Example.OPENED, said.append)
    assert (failed, said) == (0, ["pager: sent: down, then ended"])
    assert [*service.events.values()] == [[OPEN, OVER]]
    assert "[TEST]" in json.dumps(service.bodies[0], ensure_ascii=False)
    assert "Relay, a: down" in json.dumps(service.bodies[0], ensure_ascii=False)
