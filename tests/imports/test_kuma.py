"""`monitor import` of what Uptime Kuma keeps: every command is run, and what it writes is validated and read."""

import json
import os
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import command_cast
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_cast import BOT, SLACK, anything, like, must_validate, run, written
from kuma_cast import KEY, backup, database, monitor, notification

from monitor.imports.kuma import read_kuma

BEARER = json.dumps({"Authorization": f"Bearer {KEY}"})


def of_backup(folder: Path, text: str) -> tuple[dict[str, Any], list[str]]:
    (folder / "backup.json").write_text(text)
    return written(folder, "backup.json")


def test_the_base_urls_of_a_group_become_one_service_that_is_asked_as_an_api(
    tmp_path: Path,
) -> None:
    chat = json.dumps({"model": "gpt-4o-mini", "stream": True, "messages": []})
    both = [
        (name, url, kind)
        for name, url in (("US direct", "https://api.a.example"), ("CF", "https://cdn.b.example"))
        for kind in ("models", "chat")
    ]
    asked = {
        "models": {"url": "/v1/models", "type": "keyword", "keyword": "gpt-4o-mini"},
        "chat": {"url": "/v1/chat/completions", "method": "POST", "body": chat, "interval": 300},
    }
    monitors = [
        monitor(
            id_,
            name=name,
            parent=1,
            headers=BEARER,
            **asked[kind] | {"url": url + asked[kind]["url"]},
        )
        for id_, (name, url, kind) in enumerate(both, 2)
    ]
    document, _ = of_backup(tmp_path, backup([monitor(1, name="OhMyGPT", type="group"), *monitors]))
    assert document["service"] == {
        "ohmygpt": {
            "name": "OhMyGPT",
            "key": "${OHMYGPT_KEY}",
            "model": "gpt-4o-mini",
            "endpoints": {
                "api-a-example": {"url": "https://api.a.example", "name": "api.a.example"},
                "cdn-b-example": {"url": "https://cdn.b.example", "name": "cdn.b.example"},
            },
            "probes": {"models": "1m", "chat": "5m"},
        }
    }
    key = tmp_path / "credentials" / "OHMYGPT_KEY"
    assert key.read_text() == f"{KEY}\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("asked", "url", "probe"),
    [
        ({"url": "https://h.example/"}, "https://h.example", {"timeout": "48s"}),
        (
            {"url": "http://h.example:8080/a?b=1", "method": "HEAD", "timeout": 0, "interval": 20},
            "http://h.example:8080",
            {"every": "20s", "method": "HEAD", "path": "/a?b=1", "timeout": "16s"},
        ),
        (
            {"url": "https://h.example", "type": "keyword", "keyword": 'ready "now" 好'},
            "https://h.example",
            {"contains": 'ready "now" 好', "timeout": "48s"},
        ),
        (
            {"url": "https://h.example", "accepted_statuscodes": ["200", "401-403"]},
            "https://h.example",
            {"status": [200, 401, 402, 403], "timeout": "48s"},
        ),
        (
            {
                "url": "https://h.example",
                "type": "json-query",
                "jsonPath": "$.a.b[0].ok",
                "expectedValue": "true",
            },
            "https://h.example",
            {"json": {"a.b.0.ok": True}, "timeout": "48s"},
        ),
        (
            {
                "url": "https://h.example/v1/chat/completions",
                "method": "POST",
                "body": '{"model":"m"}',
                "accepted_statuscodes": ["401"],
                "headers": '{"Content-Type":"application/json"}',
            },
            {"url": "https://h.example", "headers": {"Content-Type": "application/json"}},
            {
                "method": "POST",
                "path": "/v1/chat/completions",
                "status": 401,
                "body": '{"model":"m"}',
                "timeout": "48s",
            },
        ),
        (
            {"type": "port", "hostname": "db.example", "port": 5432, "timeout": None},
            "http://db.example:5432",
            {"timeout": "48s"},
        ),
    ],
)
def test_what_one_monitor_asks_is_asked_here(
    tmp_path: Path, asked: dict[str, Any], url: object, probe: dict[str, Any]
) -> None:
    document, _ = of_backup(tmp_path, backup([monitor(1, name="one", **asked)]))
    (service,) = document["service"].values()
    assert service["endpoints"] == {"one": url}
    assert list(service["probes"].values()) == [{"every": "1m"} | probe]


def test_what_cannot_be_carried_over_is_said_line_by_line(tmp_path: Path) -> None:
    secret = json.dumps({"X-Token": "s3cret", "Host": "other.example"})
    monitors = [
        monitor(1, name="page", url="https://h.example", headers=secret, ignoreTls=True, proxyId=7),
        monitor(2, name="host", type="ping", hostname="10.0.0.1"),
        monitor(3, name="turned", url="https://h.example", upsideDown=True),
        monitor(
            4,
            name="no",
            url="https://h.example",
            type="keyword",
            keyword="error",
            invertKeyword=True,
        ),
        monitor(5, name="odd", url="ftp://h.example"),
        monitor(6, name="wrong", url="https://exa mple.example/"),
        monitor(
            7,
            name="query",
            url="https://h.example",
            type="json-query",
            jsonPath="$count(a)",
            expectedValue="3",
        ),
        monitor(8, name="login", url="https://h.example", authMethod="ntlm"),
    ]
    _, lines = of_backup(tmp_path, backup(monitors))
    wanted = [
        'backup.json: monitor 1 "page": it ignored certificates, and here they are verified',
        'backup.json: monitor 1 "page": the header Host is not carried over',
        'backup.json: monitor 1 "page": its proxy is not carried over: the file does not hold it',
        'backup.json: monitor 2 "host": is left out: a ping (ICMP) is not asked here',
        'backup.json: monitor 3 "turned": is upside down',
        'backup.json: monitor 4 "no": that "error" must not be there is not carried over',
        'backup.json: monitor 5 "odd": the address "ftp://h.example" is not carried over',
        "service.exa-mple-example.endpoints.wrong.url: is left out: ",
        'backup.json: monitor 7 "query": its JSON query "$count(a)" "==" is not carried over',
        'backup.json: monitor 8 "login": its login ("ntlm") is not carried over',
    ]
    for line in wanted:
        assert sum(said.startswith(f"not carried over: {line}") for said in lines) == 1, line
    text = (tmp_path / "monitor.toml").read_text()
    assert text.count("\n# - ") == sum(line.startswith("not carried over: ") for line in lines)


CHANNELS = [
    (
        "telegram",
        {"telegramBotToken": BOT, "telegramChatID": "-10042", "telegramMessageThreadID": "7"},
        "tgram://${OPS_TOKEN}/-10042:7",
    ),
    (
        "discord",
        {"discordWebhookUrl": "https://discord.com/api/webhooks/1234567890/s3cret-Token"},
        "discord://1234567890/${OPS_TOKEN}",
    ),
    (
        "slack",
        {"slackwebhookURL": f"{SLACK}/services/T0000AAAA/B0000AAAA/s3cretaaaaaaaaaaaaaaaaaa"},
        "slack://T0000AAAA/B0000AAAA/${OPS_TOKEN}",
    ),
    (
        "DingDing",
        {
            "webHookUrl": "https://oapi.dingtalk.com/robot/send?access_token=s3cret0123",
            "secretKey": "SECs3cret",
        },
        "dingtalk://${OPS_SECRET}@${OPS_TOKEN}",
    ),
    (
        "Feishu",
        {"feishuWebHookUrl": "https://open.feishu.cn/open-apis/bot/v2/hook/s3cret-0123"},
        "feishu://${OPS_TOKEN}",
    ),
    ("WeCom", {"weComBotKey": "s3cret00-0000-0000-0000-000000000000"}, "wecombot://${OPS_TOKEN}"),
    (
        "Bark",
        {"barkEndpoint": "https://api.day.app/s3cretDevice/"},
        "barks://api.day.app/${OPS_KEY}",
    ),
    ("ServerChan", {"serverChanSendKey": "SCTs3cret01"}, "schan://${OPS_TOKEN}"),
    (
        "PushPlus",
        {"pushPlusSendKey": "0123456789abcdef0123456789abcdef"},
        "pushplus://${OPS_TOKEN}",
    ),
    (
        "ntfy",
        {
            "ntfyserverurl": "https://ntfy.example",
            "ntfytopic": "ops",
            "ntfyAuthenticationMethod": "usernamePassword",
            "ntfyusername": "ada",
            "ntfypassword": "s3cret/@",
        },
        "ntfys://ada:${OPS_PASSWORD}@ntfy.example/ops",
    ),
    (
        "gotify",
        {"gotifyserverurl": "http://g.example:8080/sub/", "gotifyapplicationToken": "As3cret0123"},
        "gotify://g.example:8080/sub/${OPS_TOKEN}",
    ),
    (
        "smtp",
        {
            "smtpHost": "smtp.example",
            "smtpPort": 465,
            "smtpSecure": True,
            "smtpUsername": "a@x.example",
            "smtpPassword": "s3cret&",
            "smtpFrom": "a@x.example",
            "smtpTo": "ops@x.example",
        },
        "mailtos://smtp.example:465/?from=a@x.example&to=ops@x.example&user=a%40x.example&pass=${OPS_PASSWORD}&mode=ssl",
    ),
    (
        "pushover",
        {"pushoveruserkey": "u" * 30, "pushoverapptoken": "a" * 30},
        "pover://${OPS_USER}@${OPS_TOKEN}",
    ),
    (
        "matrix",
        {
            "homeserverUrl": "https://m.example",
            "accessToken": "syt_s3cret",
            "internalRoomId": "!r:m.example",
        },
        "matrixs://${OPS_TOKEN}@m.example/!r:m.example",
    ),
    (
        "mattermost",
        {"mattermostWebhookUrl": "https://mm.example/hooks/s3cret0123456789abcdef0123"},
        "mmosts://mm.example/${OPS_TOKEN}",
    ),
    (
        "rocket.chat",
        {"rocketwebhookURL": "https://rc.example/hooks/s3cretA/s3cretB"},
        "rockets://${OPS_TOKEN}@rc.example",
    ),
    (
        "GoogleChat",
        {
            "googleChatWebhookURL": "https://chat.googleapis.com/v1/spaces/AAA/messages?key=s3cretK&token=s3cretT"
        },
        "gchat://AAA/${OPS_KEY}/${OPS_TOKEN}",
    ),
    (
        "teams",
        {
            "webhookUrl": "https://p.example.logic.azure.com:443/workflows/abcd/triggers/manual/paths/invoke?sig=s3cret"
        },
        "workflows://p.example.logic.azure.com:443/abcd/${OPS_SIGNATURE}",
    ),
    (
        "Opsgenie",
        {"opsgenieApiKey": "s3cret-ops-1", "opsgenieRegion": "eu"},
        "opsgenie://${OPS_KEY}?region=eu",
    ),
    ("pushbullet", {"pushbulletAccessToken": "o.s3cret"}, "pbul://${OPS_TOKEN}"),
    ("apprise", {"appriseURL": "jsons://ada:s3cret@hook.example/path"}, "jsons://${OPS_ADDRESS}"),
]


def test_notifications_become_channels_that_apprise_takes(tmp_path: Path) -> None:
    """Each of them tells one monitor of two, so that its channel has `services`."""
    told = {str(number): True for number in range(len(CHANNELS))}
    monitors = [
        monitor(1, name="told", url="https://a.example", notificationIDList=told),
        monitor(2, name="not told", url="https://b.example"),
    ]
    notifications = [
        notification(number, f"Ops {kind}", kind, **config)
        for number, (kind, config, _) in enumerate(CHANNELS)
    ]
    document, said = of_backup(tmp_path, backup(monitors, notifications))
    found = [table["url"] for table in document["channel"].values()]
    names = [f"OPS_{kind.upper().replace('.', '_')}" for kind, _, _ in CHANNELS]
    assert found == [
        url.replace("${OPS", f"${{{name}")
        for name, (_, _, url) in zip(names, CHANNELS, strict=True)
    ]
    assert {tuple(table["services"]) for table in document["channel"].values()} == {("a-example",)}
    assert not any("notification" in line for line in said)


@pytest.mark.parametrize("retries", [0, 4])
def test_what_all_monitors_retry_is_how_many_bad_runs_are_told(
    tmp_path: Path, retries: int
) -> None:
    monitors = [
        monitor(number, url=f"https://{host}.example/", maxretries=retries)
        for number, host in enumerate("ab")
    ]
    document, said = of_backup(tmp_path, backup(monitors))
    assert document["alerts"] == {"after": retries + 1}
    assert not any("it told" in line for line in said)


def test_retries_that_differ_are_told_and_not_carried_over(tmp_path: Path) -> None:
    monitors = [
        monitor(number, url=f"https://{host}.example/", maxretries=number)
        for number, host in enumerate("ab")
    ]
    document, said = of_backup(tmp_path, backup(monitors))
    assert "alerts" not in document
    assert any("it told after 0 to 1 retries" in line for line in said)


def test_both_versions_of_the_database_say_the_same(tmp_path: Path) -> None:
    rows: dict[str, Any] = {
        "monitor": [
            {"id": 1, "name": "Relay", "type": "group"},
            {
                "id": 2,
                "name": "direct",
                "type": "http",
                "url": "https://a.example/v1/models",
                "headers": BEARER,
                "interval": 60,
                "parent": 1,
                "maxretries": 2,
                "proxy_id": 1,
            },
            {
                "id": 3,
                "name": "page",
                "type": "http",
                "url": "https://b.example/",
                "interval": 120,
                "timeout": 30,
                "maxretries": 2,
                "auth_method": "basic",
                "basic_auth_user": "ada",
                "basic_auth_pass": "s3cret",
            },
        ],
        "notification": [
            {
                "id": 5,
                "name": "Ops",
                "config": json.dumps({"type": "WeCom", "weComBotKey": "s3cret0-1"}),
            }
        ],
        "monitor_notification": [{"monitor_id": 3, "notification_id": 5}],
        "proxy": [
            {
                "id": 1,
                "protocol": "socks5",
                "host": "10.0.0.9",
                "port": 1080,
                "auth": 1,
                "username": "u",
                "password": "s3cret",
            }
        ],
        "tag": [{"id": 1, "name": "US"}],
        "monitor_tag": [{"monitor_id": 2, "tag_id": 1}],
        "group": [{"id": 1, "name": "Web"}],
        "monitor_group": [{"monitor_id": 3, "group_id": 1}],
        "status_page": [{"id": 1, "slug": "s", "title": "Our status"}],
        "setting": [{"key": "serverTimezone", "value": '"Asia/Shanghai"'}],
        "maintenance": [
            {
                "id": 1,
                "title": "Move",
                "strategy": "single",
                "start_date": "2030-01-02 03:00:00",
                "end_date": "2030-01-02 05:00:00",
                "timezone": "Europe/Berlin",
            },
            {
                "id": 2,
                "title": "Weekly",
                "strategy": "recurring-weekday",
                "start_time": "23:30",
                "end_time": "01:00",
                "weekdays": "[1,4]",
                "timezone": "SAME_AS_SERVER",
            },
        ],
        "monitor_maintenance": [{"monitor_id": 2, "maintenance_id": 1}],
    }
    documents = []
    for version in (1, 2):
        folder = tmp_path / str(version)
        folder.mkdir()
        database(folder / "kuma.db", version, **rows)
        done = run(folder, "import", "kuma.db")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert run(folder, "validate").returncode == 0
        documents.append(tomllib.loads((folder / "monitor.toml").read_text()))
    assert (
        documents[0]
        == documents[1]
        == {
            "service": {
                "relay": {
                    "name": "Relay",
                    "key": "${RELAY_KEY}",
                    "endpoints": {
                        "direct": {
                            "url": "https://a.example",
                            "proxy": "${PROXY_10_0_0_9}",
                            "tags": ["US"],
                        }
                    },
                    "probes": {"models": "1m"},
                },
                "web": {
                    "name": "Web",
                    "endpoints": {
                        "page": {
                            "url": "https://b.example",
                            "headers": {"Authorization": "${WEB_AUTHORIZATION}"},
                        }
                    },
                    "probes": {"http": {"every": "2m", "timeout": "30s"}},
                },
            },
            "page": {"title": "Our status"},
            "alerts": {"after": 3},
            "channel": {"ops": {"url": "wecombot://${OPS_TOKEN}", "services": ["web"]}},
            "maintenance": {
                "move": {
                    "title": "Move",
                    "from": "2030-01-02T03:00:00",
                    "until": "2030-01-02T05:00:00",
                    "timezone": "Europe/Berlin",
                    "endpoints": ["relay/direct"],
                },
                "weekly": {
                    "title": "Weekly",
                    "every": "mon,thu 23:30",
                    "for": "90m",
                    "timezone": "Asia/Shanghai",
                },
            },
        }
    )


def test_files_that_are_there_stay_as_they_are_unless_forced(tmp_path: Path) -> None:
    text = backup([monitor(1, name="a", url="https://a.example/v1/models", headers=BEARER)])
    (tmp_path / "backup.json").write_text(text)
    (tmp_path / "monitor.toml").write_text("mine")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "A_EXAMPLE_KEY").write_text("another")
    done = run(tmp_path, "import", "backup.json")
    assert (done.returncode, (tmp_path / "monitor.toml").read_text()) == (1, "mine")
    assert "--force" in done.stderr
    done = run(tmp_path, "import", "backup.json", "--output", "other.toml")
    assert done.returncode == 1
    assert "holds something else" in done.stderr
    assert not (tmp_path / "other.toml").exists()
    assert run(tmp_path, "import", "backup.json", "--force").returncode == 0
    assert (tmp_path / "credentials" / "A_EXAMPLE_KEY").read_text() == f"{KEY}\n"
    printed = run(tmp_path, "import", "backup.json", "--output", "-")
    assert tomllib.loads(printed.stdout)["service"]["a-example"]["key"] == "${A_EXAMPLE_KEY}"
    assert "secrets are to be given as A_EXAMPLE_KEY" in printed.stderr
    assert KEY not in printed.stdout + printed.stderr


def test_logins_of_addresses_and_secrets_of_bodies_stand_in_no_file_and_are_not_said(
    tmp_path: Path,
) -> None:
    form = "user=bob&password=s3cret-of-a-form"
    asked = [
        monitor(1, name="ftp", url="ftp://bob:s3cret-of-ftp@a.example/"),
        monitor(2, name="ftp://bob:s3cret@b.example/?token=s3cret", url="ftp://b.example/"),
        monitor(3, url="https://c.example", method="POST", body='{"user": "b", "pass": "s3cret"}'),
        monitor(4, url="https://d.example", method="POST", body=form),
        monitor(5, url="https://e.example", method="POST", body='{"max_tokens": 1}'),
    ]
    (tmp_path / "backup.json").write_text(backup(asked))
    document, said = written(tmp_path, "backup.json")
    probes = {name: table["probes"]["http"] for name, table in document["service"].items()}
    assert probes["c-example"]["body"] == "${C_EXAMPLE_BODY}"
    assert probes["d-example"]["body"] == "${D_EXAMPLE_BODY}"
    assert probes["e-example"]["body"] == '{"max_tokens": 1}'
    assert (tmp_path / "credentials" / "D_EXAMPLE_BODY").read_text() == f"{form}\n"
    assert any('"ftp://***@a.example/" is not carried over' in line for line in said)


def test_a_file_that_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "backup.json").write_text(backup([monitor(1, name="a", url="https://a.example/")]))
    (tmp_path / "monitor.toml").write_text("mine")
    limited = f"ulimit -f 0; exec '{command_cast.MONITOR}' import backup.json --force"
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {limited}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "cannot be written" in done.stderr) == (1, True), done.stderr
    assert (tmp_path / "monitor.toml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.json", "monitor.toml"]


LIKELY = {name: st.nothing() for name in [*monitor(1), "jsonPath", "expectedValue", "config"]} | {
    "type": st.sampled_from(["http", "keyword", "json-query", "port", "group"]),
    "url": st.sampled_from(
        ["https://a.example/", "https://a.example/v1/models", "http://b.example:8/x?y"]
    )
    | st.from_regex(r"https?://[^\s]{1,20}", fullmatch=True),
    "method": st.sampled_from(["GET", "POST", "PATCH"]) | st.text(max_size=5),
    "headers": st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=3).map(
        json.dumps
    ),
    "keyword": st.text(max_size=20),
    "body": st.sampled_from(['{"model": "m"}', '{"model": "${X}"}', ""]) | st.text(max_size=20),
    "name": st.text(max_size=100),
}


@settings(deadline=None)
@given(st.lists(like(LIKELY).map(lambda some: monitor(1) | some), max_size=4) | anything())
def test_whatever_stands_in_a_backup_what_is_written_validates(monitors: Any) -> None:
    document = {"monitorList": monitors, "notificationList": monitors, "proxyList": monitors}
    must_validate(read_kuma(document, "f"))
