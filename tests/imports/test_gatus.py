"""`monitor import` of files in the form of Gatus, which may be several."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_cast import BOT, SLACK, anything, like, must_validate, run, written

from monitor.imports.foreign_files import Source
from monitor.imports.gatus import read_gatus

RELAY = """
default: &default
  group: relay
  interval: 30s
  headers: {Authorization: "Bearer ${RELAY_KEY}"}
  conditions: ["[STATUS] == 200", "[RESPONSE_TIME] < 800"]
  alerts: [{type: telegram, failure-threshold: 4, minimum-reminder-interval: 2h}]
endpoints:
  - <<: *default
    name: direct
    url: https://api.a.example/v1/models
  - <<: *default
    name: cdn
    url: https://cdn.b.example/v1/models
  - name: site
    url: https://$SITE/health?x=1
    conditions:
      - "[STATUS] < 300"
      - "[STATUS] != 204"
      - "[BODY].status == UP"
      - "[BODY].users[0].id == 7"
      - "[BODY] == pat(*ready*)"
      - "[CERTIFICATE_EXPIRATION] > 48h"
      - "len([BODY].users) < 5"
  - name: odd
    enabled: false
    url: tls://mail.example:465
    conditions: ["[CONNECTED] == true"]
  - name: host
    url: icmp://10.0.0.1
  - name: name server
    url: 9.9.9.9
    dns: {query-name: a.example, query-type: A}
"""
REST = f"""
ui: {{title: Our relays}}
maintenance: {{start: 23:00, duration: 1h, timezone: Europe/Amsterdam, every: [Monday, Thursday]}}
alerting:
  telegram: {{token: "{BOT}", id: "-10042"}}
  slack: {{webhook-url: "{SLACK}/services/T0/B0/s3cret"}}
external-endpoints: [{{name: batch, token: s3cret}}]
"""


def test_a_host_that_is_a_variable_gives_no_name_that_refers_to_another(tmp_path: Path) -> None:
    (tmp_path / "gatus.yaml").write_text('endpoints: [{url: "https://$HOST/v1/models"}]')
    done = run(tmp_path, "import", "gatus.yaml")
    document = tomllib.loads((tmp_path / "monitor.toml").read_text())
    [service] = document["service"].values()
    assert service == {
        "name": "host",
        "endpoints": {"host": "https://${HOST}"},
        "probes": {"models": "1m"},
    }
    told = "variables that it names and that are not set here: HOST"
    assert told in done.stdout.splitlines()


def test_the_files_of_gatus_become_one_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RELAY)
    (tmp_path / "b.yaml").write_text(REST)
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "SITE").write_text("www.a.example")
    (folder / "RELAY_KEY").write_text("not-a-real-key-2")
    document, said = written(tmp_path, "a.yaml", "b.yaml")
    assert document == {
        "service": {
            "relay": {
                "name": "relay",
                "key": "${RELAY_KEY}",
                "endpoints": {"direct": "https://api.a.example", "cdn": "https://cdn.b.example"},
                "probes": {"models": {"every": "30s", "slow": "total > 800ms"}},
            },
            "site": {
                "name": "site",
                "endpoints": {"site": "https://${SITE}"},
                "probes": {
                    "http": {
                        "every": "1m",
                        "path": "/health?x=1",
                        "status": [200, 201, 202, 203, 205, 206, 207, 208, 226],
                        "contains": "ready",
                        "json": {"status": "UP", "users.0.id": 7},
                    }
                },
            },
            "mail-example": {
                "name": "mail.example",
                "endpoints": {"odd": {"url": "https://mail.example:465", "retired": True}},
                "probes": {"tls": "1m"},
            },
        },
        "page": {"title": "Our relays"},
        "alerts": {"after": 4, "recover": 2, "remind": "2h"},
        "channel": {"telegram": {"url": "tgram://${TELEGRAM_TOKEN}/-10042", "services": ["relay"]}},
        "maintenance": {
            "maintenance": {
                "title": "Maintenance",
                "every": "mon,thu 23:00",
                "for": "1h",
                "timezone": "Europe/Amsterdam",
            }
        },
    }
    beginnings = [
        'a.yaml line 15: endpoint "site": the condition "len([BODY].users) < 5" is not carried over',
        'a.yaml line 29: endpoint "host": is left out: "icmp://" is not asked here',
        'a.yaml line 31: endpoint "name server": is left out: a DNS record is not asked here',
        'b.yaml line 7: external-endpoints "batch": is left out: nobody pushes here',
        'b.yaml line 6: provider "slack": is left out: no endpoint that is carried over tells it',
        "service.relay: 2 base URLs became one service because they stand under one heading there",
    ]
    lines = [line for line in said if line.startswith("not carried over: ")]
    assert len(lines) == len(beginnings)
    for line in beginnings:
        assert any(found.startswith(f"not carried over: {line}") for found in lines), line
    assert "variables that it names and that are not set here: RELAY_KEY, SITE" in said


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (["[STATUS] == 200"], [200]),
        (["[STATUS] == any(200, 429)"], [200, 429]),
        (["[STATUS] >= 200", "[STATUS] < 300"], None),
        (["[STATUS] == 299"], [299]),
        (["[STATUS] != any(500, 200)", "[STATUS] <= 202", "[STATUS] > 199"], [201, 202]),
    ],
)
def test_conditions_of_a_status_are_one_list(
    conditions: list[str], status: list[int] | None
) -> None:
    endpoint = {"name": "a", "url": "https://a.example", "conditions": conditions}
    (check,) = read_gatus([Source(Path("f"), {"endpoints": [endpoint]}, {})]).checks
    found = check.settings.get("status")
    assert ([found] if isinstance(found, int) else found) == status


ENDPOINT = like(
    {
        "name": st.text(max_size=10),
        "group": st.text(max_size=10),
        "url": st.sampled_from(
            ["https://a.example/x", "tcp://a.example:80", "https://${X}/v1/models", "tls://:"]
        ),
        "headers": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "conditions": st.lists(
            st.sampled_from(
                [
                    "[STATUS] == 2",
                    "[STATUS] == any(a)",
                    "[RESPONSE_TIME] < 1e300",
                    "[BODY].a == \x00",
                ]
            )
            | st.text(max_size=10),
            max_size=3,
        ),
        "alerts": st.lists(
            like({"type": st.just("telegram"), "failure-threshold": st.integers()}), max_size=2
        ),
        "client": like({"timeout": st.just("1s")}),
        "maintenance-windows": st.lists(
            like({"start": st.just("23:00"), "duration": st.just("1h")}), max_size=1
        ),
    }
)


@settings(deadline=None)
@given(st.lists(ENDPOINT, max_size=3) | anything(), anything())
def test_whatever_stands_in_a_file_what_is_written_validates(endpoints: Any, rest: Any) -> None:
    alerting = {"telegram": {"token": BOT, "id": rest}, "slack": rest, "ntfy": rest}
    document = {"endpoints": endpoints, "alerting": alerting, "ui": rest, "maintenance": rest}
    must_validate(read_gatus([Source(Path("f"), document, {})]))
