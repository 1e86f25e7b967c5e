"""Recordings that nobody here wrote; skipped, visibly, where they are absent."""

import json
from pathlib import Path

from monitor.model import Timings
from monitor.probes.classify import judge_http
from monitor.probes.facts import Arrival, Exchange

OUR_NAMES = {"context_too_long": "request_rejected", "forbidden": "permission_denied"}


def test_every_recorded_error_is_told_for_what_it_is(corpus: Path) -> None:
    rows = [json.loads(line) for line in (corpus / "errors/errors.jsonl").read_text().splitlines()]
    want = {row["n"]: OUR_NAMES.get(row["expected_class"], row["expected_class"]) for row in rows}
    got = {}
    for row in rows:
        exchange = Exchange(
            timings=Timings(),
            status=row["status"],
            headers={"server": row["server"] or ""},
            arrivals=(Arrival(0.0, row["body"].encode()),),
        )
        failure = judge_http(exchange, had_key=True)
        got[row["n"]] = failure and failure.kind.value
    assert got == want
    assert len(got) == 53
