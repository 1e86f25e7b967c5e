"""The rows of a report for a spreadsheet say what the page says."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from report_cast import NOVEMBER, founding

from monitor.cli.report import document, write_csv
from monitor.config import parse
from monitor.model import EntryKind, FailureKind, TimelineEntry

CONFIG = """[monitor]
vantage = "sfo"
[service.ohmygpt]
probes = { http = "1m" }
endpoints = { x = "https://x.example" }
"""


def test_an_incident_of_several_kinds_has_all_of_them_as_on_the_page(tmp_path: Path) -> None:
    [first, *rest] = founding().incidents
    [check] = first.checks
    other = "ohmygpt/other/chat"
    began = TimelineEntry(
        at=first.opened, what=EntryKind.JOINED, check=other, kind=FailureKind.TCP_REFUSED
    )
    several = replace(first, checks=(check, other), timeline=(began,))
    report = replace(founding(), incidents=(several, *rest))
    config = parse(CONFIG, path=tmp_path / "monitor.toml", env={})
    out = io.StringIO()
    write_csv(out, config, report)
    rows = [row for row in csv.DictReader(io.StringIO(out.getvalue())) if row["row"] == "incident"]
    assert [row["kinds"] for row in rows] == [
        "bad_gateway tcp_refused",
        "bad_gateway",
        "bad_gateway",
    ]
    told = json.loads(json.dumps(document(config, report)))
    assert told["incidents"][0]["kinds"] == ["bad_gateway", "tcp_refused"]
    assert (told["month"], told["zone"], told["days"]) == (str(NOVEMBER), "UTC", 30)
