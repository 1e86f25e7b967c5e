"""What people read, whole, in both languages: never more than was measured."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from alerts_cast import BEGUN, START
from timelines import MINUTE

from monitor.alerts import Alternatives, Context, incidents
from monitor.alerts.alternatives import Alternative, Others
from monitor.alerts.digest import digest, together
from monitor.alerts.message import latest, phrase
from monitor.alerts.message_parts import concerned, moment, rows, state, whose
from monitor.language import language
from monitor.model import (
    UNWATCHED,
    Failure,
    FailureKind,
    FlapSeries,
    Incident,
    Message,
    NotificationType,
    OutboxMessage,
    Severity,
    Unmeasured,
)
from monitor.model.failure import Fault

NOW = START + 240 * MINUTE
BEST = Alternatives(
    (
        Alternative("Direct", "https://direct.example", 420),
        Alternative("Tokyo", "https://tokyo.example", 1234, is_first_token=False),
    )
)
REMINDER = NotificationType.REMINDER


def row(
    what: NotificationType, incident: int | None, severity: Severity = Severity.DOWN
) -> OutboxMessage:
    return OutboxMessage(
        channel="phone",
        what=what,
        severity=severity,
        incident=incident,
        created=NOW,
        not_before=NOW,
    )


def read(
    incident: Incident,
    what: NotificationType = NotificationType.OPENED,
    code: str = "en",
    alternatives: Alternatives = BEST,
    unmeasured: dict[str, Unmeasured] | None = None,
) -> list[str]:
    context = Context(
        now=NOW,
        services={"s": "OhMyGPT"},
        endpoints={"s/a": ("CDN", "https://cdn.example"), "s/b": ("Worker", "https://w.example")},
        alternatives=alternatives,
        unmeasured=unmeasured or {},
        language=language(code),
    )
    message = phrase(row(what, 1, incident.severity), incident, context)
    return [message.title, *message.body.splitlines()]


def test_an_outage() -> None:
    assert read(BEGUN) == [
        "🔴 OhMyGPT, CDN: down",
        "Use https://direct.example (TTFT 420 ms)",
        "Bad gateway since 24 Nov 12:00 UTC, 4h. Fault: base URL. [#1]",
        "Seen: HTTP 502, want 200",
    ]
    assert read(BEGUN, code="zh-CN") == [
        "🔴 OhMyGPT · CDN：不可用",
        "改用：https://direct.example（首字\xa0420ms）",
        "原因：网关错误。自 11-24 12:00 UTC 起，已4小时。责任：端点侧。[#1]",
        "现象：返回 HTTP 502，应为 200",
    ]


def mixed(first: Failure, second: Failure, severity: Severity = Severity.DOWN) -> Incident:
    """Return an incident in which the base URL a fails with the first, and b with the second, which came later."""
    opening = replace(BEGUN.timeline[0], kind=first.kind, text=first.message)
    one = replace(BEGUN, severity=severity, failure=first, timeline=(opening,))
    return replace(incidents.join(one, "s/b/chat", START, second), failure=second)


EXPIRED = Failure(FailureKind.CERT_EXPIRED, "got a certificate that ended on 2026-11-20")
REFUSED = Failure(FailureKind.TCP_REFUSED, "got connection refused")


def test_of_base_urls_that_fail_for_different_reasons_it_says_which_one_does_what() -> None:
    both = mixed(EXPIRED, REFUSED)
    assert read(both) == [
        "🔴 OhMyGPT, CDN and Worker: down",
        "Use https://direct.example (TTFT 420 ms)",
        "CDN: Do not send your key there.",
        (
            "CDN: certificate expired and Worker: connection refused since 24 Nov 12:00 UTC, 4h. "
            "Fault: base URL. [#1]"
        ),
    ]
    assert read(both, code="zh-CN") == [
        "🔴 OhMyGPT · CDN 和 Worker：不可用",
        "改用：https://direct.example（首字\xa0420ms）",
        "CDN：请勿向其发送密钥。",
        "原因：CDN：证书已过期和\xa0Worker：连接被拒绝。自 11-24 12:00 UTC 起，已4小时。责任：端点侧。[#1]",
    ]
    left = incidents.leave(both, "s/a/chat", START + MINUTE)
    assert read(left) == [
        "🔴 OhMyGPT, Worker: down",
        "Use https://direct.example (TTFT 420 ms)",
        "Connection refused since 24 Nov 12:00 UTC, 4h. Fault: base URL. [#1]",
        "Seen: connection refused",
    ]


def test_a_key_and_an_account_that_fail_at_different_base_urls_have_each_their_remedy() -> None:
    rejected = Failure(FailureKind.AUTH_INVALID, "got HTTP 401, want 200")
    used_up = Failure(FailureKind.QUOTA_EXHAUSTED, "got HTTP 429: no credit")
    assert read(mixed(rejected, used_up, Severity.ACCOUNT)) == [
        "🔑 OhMyGPT: refused over key or account",
        "CDN: Check the balance and the key's permissions.",
        "Worker: Top up the account.",
        (
            "CDN: key rejected and Worker: quota used up since 24 Nov 12:00 UTC, 4h. "
            "Fault: account or key. [#1]"
        ),
    ]
    forbidden = Failure(FailureKind.PERMISSION_DENIED, "got HTTP 403, want 200")
    assert read(mixed(rejected, forbidden, Severity.ACCOUNT))[1:2] == [
        "Check the balance and the key's permissions."
    ]


def test_what_is_down_from_some_places_says_from_where_and_what_works_there() -> None:
    seen = replace(
        BEGUN,
        severity=Severity.PARTIAL,
        bad_from={"s/a/chat": ("cn",)},
        partial=frozenset({"s/a/chat"}),
    )
    cast = {
        "now": NOW,
        "services": {"s": "OhMyGPT"},
        "endpoints": {"s/a": ("CDN", "https://cdn.example")},
        "alternatives": BEST,
        "well_from": ("fra", "hk"),
        "use_from": "cn",
    }
    names = {"cn": "Shanghai", "fra": "Frankfurt", "hk": "Hong Kong"}
    chinese = {"cn": "上海", "fra": "法兰克福", "hk": "香港"}
    english_context = Context(**cast, places=names)
    chinese_context = Context(**cast, places=chinese, language=language("zh-CN"))

    def told(context: Context) -> list[str]:
        message = phrase(row(NotificationType.OPENED, 1, Severity.PARTIAL), seen, context)
        return [message.title, *message.body.splitlines()]

    assert told(english_context) == [
        "🟠 OhMyGPT, CDN: down from Shanghai",
        "From Shanghai: Use https://direct.example (TTFT 420 ms)",
        "Bad gateway since 24 Nov 12:00 UTC, 4h. Fault: base URL. [#1]",
        "Works from Frankfurt, Hong Kong.",
        "Seen: HTTP 502, want 200",
    ]
    assert told(chinese_context) == [
        "🟠 OhMyGPT · CDN：在上海不可用",
        "上海改用：https://direct.example（首字\xa0420ms）",
        "原因：网关错误。自 11-24 12:00 UTC 起，已4小时。责任：端点侧。[#1]",
        "在法兰克福、香港正常。",
        "现象：返回 HTTP 502，应为 200",
    ]


def test_where_nothing_comes_back_the_way_is_at_fault_if_others_get_their_answers() -> None:
    lonely, among_others = Context(now=NOW), Context(now=NOW, well_from=("fra",))
    kinds = (FailureKind.CONNECT_TIMEOUT,)
    assert (whose(kinds, lonely), whose(kinds, among_others)) == ("base URL", "network path")
    assert whose((FailureKind.TCP_REFUSED,), among_others) == "base URL"


@pytest.mark.parametrize(
    ("bad_from", "english", "chinese"),
    [
        (
            {"a": ("cn", "fra"), "b": ("fra", "cn")},
            ["down from all places"],
            ["所有监测点均不可用"],
        ),
        (
            {"a": ("cn", "fra"), "b": ("cn",)},
            ["down", "a: down from all places", "b: down from Shanghai"],
            ["不可用", "a：所有监测点均不可用", "b：在上海不可用"],
        ),
    ],
)
def test_from_where_it_is_down_is_said_of_each_base_url_where_that_is_not_the_same_of_all(
    bad_from: dict[str, tuple[str, ...]], english: list[str], chinese: list[str]
) -> None:
    checks = {f"s/{endpoint}/chat": places for endpoint, places in bad_from.items()}
    seen = replace(BEGUN, checks=(*checks,), active=frozenset(checks), bad_from=checks)
    for code, names, words in (
        ("en", {"cn": "Shanghai", "fra": "Frankfurt"}, english),
        ("zh-CN", {"cn": "上海", "fra": "法兰克福"}, chinese),
    ):
        context = Context(now=NOW, places=names, language=language(code))
        assert [state(seen, context), *concerned(seen, context)] == words


@pytest.mark.parametrize(
    ("others", "english", "chinese"),
    [
        (Others.NONE, "This service has no other base URL.", "该服务没有其他端点。"),
        (
            Others.DOWN,
            "No other base URL works from here now.",
            "其他端点目前从这里都不可用。",
        ),
        (
            Others.FAULTY,
            "Every other base URL has a fault now.",
            "其他端点目前都有问题。",
        ),
        (
            Others.UNKNOWN,
            "No other base URL is known to work now.",
            "暂不确定其他端点是否可用。",
        ),
    ],
)
def test_where_none_can_be_named_it_says_what_is_known(
    others: Others, english: str, chinese: str
) -> None:
    nothing = Alternatives(others=others)
    assert read(BEGUN, alternatives=nothing)[1] == english
    assert read(BEGUN, code="zh-CN", alternatives=nothing)[1] == chinese


@pytest.mark.parametrize("kind", FailureKind)
def test_to_use_another_base_url_is_said_once(kind: FailureKind) -> None:
    for code, advice in (("en", "another base url"), ("zh-CN", "其他端点")):
        lines = read(replace(BEGUN, failure=Failure(kind, "seen")), code=code)
        assert [line for line in lines[2:] if advice in line.lower()] == []


GAP = {"s/a/chat": Unmeasured(START + 3 * MINUTE, FailureKind.BUDGET_PAUSED)}


def test_what_is_not_measured_any_more_is_not_still_down() -> None:
    nothing = Alternatives()
    assert read(BEGUN, REMINDER, alternatives=nothing, unmeasured=GAP) == [
        "👁 OhMyGPT, CDN: was down, not measured now",
        "No other base URL is known to work now.",
        "Not measured since 24 Nov 12:03 UTC (3h57m): paused by budget.",
        "Before: down since 24 Nov 12:00 UTC, bad gateway. [#1]",
    ]
    assert read(BEGUN, REMINDER, "zh-CN", nothing, GAP) == [
        "👁 OhMyGPT · CDN：此前不可用，目前未能检测",
        "暂不确定其他端点是否可用。",
        "未能检测，始于 11-24 12:03 UTC（已 3小时57分钟）：因预算暂停。",
        "此前：自 11-24 12:00 UTC 起不可用，网关错误。[#1]",
    ]
    for what in (NotificationType.OPENED, NotificationType.UPDATE, REMINDER):
        text = "\n".join(read(BEGUN, what, unmeasured=GAP))
        assert "still" not in text
        assert "was down, not measured now" in text


def test_where_the_first_run_that_could_not_tell_is_not_known_no_time_is_given() -> None:
    gap = {"s/a/chat": Unmeasured(None, FailureKind.OFFLINE)}
    assert read(BEGUN, REMINDER, unmeasured=gap)[2] == ("Not measured now: monitor offline.")


def test_what_is_still_down_in_part_says_which_part_is_not_measured() -> None:
    wider = incidents.join(BEGUN, "s/b/chat", START, BEGUN.failure)
    lines = read(wider, REMINDER, unmeasured=GAP)
    assert lines[0] == "🔴 OhMyGPT, CDN and Worker: still down"
    assert lines[3] == "Not measured now: CDN"
    assert read(wider, REMINDER, "zh-CN", unmeasured=GAP)[3] == "目前未能检测：CDN"


def test_what_leaves_the_configuration_is_no_longer_watched_and_never_recovered() -> None:
    gone = incidents.leave(BEGUN, "s/a/chat", START + 60 * MINUTE, UNWATCHED)
    assert read(gone, NotificationType.RESOLVED) == [
        "👁 OhMyGPT, CDN: no longer watched",
        "Whether it works again is not known.",
        "It was down from 24 Nov 12:00 UTC on: bad gateway. It left the configuration at 24 Nov 13:00 UTC. [#1]",
    ]
    assert read(gone, NotificationType.RESOLVED, "zh-CN") == [
        "👁 OhMyGPT · CDN：不再监控",
        "是否已恢复，不得而知。",
        "自 11-24 12:00 UTC 起不可用：网关错误。11-24 13:00 UTC 从配置中移除。[#1]",
    ]


def test_where_one_base_url_of_an_account_leaves_the_service_is_still_watched() -> None:
    account = replace(BEGUN, severity=Severity.ACCOUNT)
    assert read(account)[0] == "🔑 OhMyGPT: refused over key or account"
    gone = incidents.leave(account, "s/a/chat", START + 60 * MINUTE, UNWATCHED)
    assert read(gone, NotificationType.RESOLVED) == [
        "👁 OhMyGPT, CDN: no longer watched",
        "Whether it works again is not known.",
        "It was refused over key or account from 24 Nov 12:00 UTC on: bad gateway. It left the configuration at 24 Nov 13:00 UTC. [#1]",
    ]


def test_an_end_in_which_one_of_two_left_the_configuration_says_so() -> None:
    both = incidents.join(BEGUN, "s/b/chat", START, BEGUN.failure)
    one = incidents.leave(both, "s/b/chat", START + 10 * MINUTE, UNWATCHED)
    over = incidents.leave(one, "s/a/chat", START + 20 * MINUTE)
    lines = read(over, NotificationType.RESOLVED)
    assert lines[0] == "✅ OhMyGPT, CDN: recovered, was down for 20m"
    assert "No longer watched, so not known: Worker" in lines
    back = incidents.join(one, "s/b/chat", START + 15 * MINUTE, BEGUN.failure)
    assert back.unwatched == set()


def test_what_began_and_ended_within_a_minute_names_it_once() -> None:
    over = incidents.leave(BEGUN, "s/a/chat", START + MINUTE / 3)
    assert read(over, NotificationType.RESOLVED)[:2] == [
        "✅ OhMyGPT, CDN: recovered, was down for 20s",
        "At 24 Nov 12:00 UTC. [#1]",
    ]


def test_a_list_says_the_same_in_short() -> None:
    gone = incidents.leave(replace(BEGUN, id=2), "s/a/chat", START + 60 * MINUTE, UNWATCHED)
    context = Context(now=NOW, unmeasured=GAP)
    text = digest([row(REMINDER, 1)], [BEGUN, gone], {1: context, 2: Context(now=NOW)}, context)
    assert text.body.splitlines() == [
        "[#1] s, a: was down, not measured now. From 24 Nov 12:00 UTC on, bad gateway",
        "[#2] s, a: no longer watched, was down. From 24 Nov 12:00 UTC on, bad gateway",
    ]


def test_a_certificate_that_ends_soon_sends_nobody_elsewhere() -> None:
    soon = replace(
        BEGUN,
        severity=Severity.DEGRADED,
        cause="certificate",
        failure=Failure(FailureKind.CERT_EXPIRING, "got 3 days, want 14"),
    )
    lines = read(soon)
    assert lines[1] == "The owner should renew it."
    assert lines[2].startswith("Certificate ends soon since ")


def test_what_flaps_says_what_to_use_first() -> None:
    series = FlapSeries(since=START, incidents=4, downtime=timedelta(minutes=20))
    lines = read(replace(BEGUN, series=series), NotificationType.FLAPPING)
    assert lines[0] == "🟠 OhMyGPT, CDN: flapping"
    assert lines[1].startswith("Use https://direct.example")
    assert lines[2] == ("It comes and goes. Now: down. Bad gateway. Fault: base URL. [#1]")


def test_a_reminder_of_what_nobody_heard_of_is_its_begin() -> None:
    """A channel that was out of reach for hours."""
    context = Context(now=NOW)
    begin = phrase(row(NotificationType.OPENED, 1), BEGUN, context)
    assert latest([row(NotificationType.OPENED, 1), row(REMINDER, 1)], BEGUN, context) == begin
    assert latest([row(REMINDER, 1)], BEGUN, context).what is REMINDER


OVER = incidents.leave(BEGUN, "s/a/chat", START + 10 * MINUTE)
GONE = incidents.leave(BEGUN, "s/a/chat", START + 10 * MINUTE, UNWATCHED)
PAGE = "https://status.example"


@pytest.mark.parametrize(
    ("what", "incident", "meaning"),
    [
        (NotificationType.OPENED, BEGUN, NotificationType.OPENED),
        (REMINDER, BEGUN, REMINDER),
        (NotificationType.ACKNOWLEDGED, BEGUN, NotificationType.ACKNOWLEDGED),
        (NotificationType.RESOLVED, OVER, NotificationType.RESOLVED),
        (NotificationType.CALM, OVER, NotificationType.CALM),
        (NotificationType.FLAPPING, OVER, NotificationType.FLAPPING),  # it may be back at any time
        (NotificationType.OPENED, OVER, NotificationType.RESOLVED),  # over by the time of telling
        (NotificationType.ACKNOWLEDGED, OVER, NotificationType.RESOLVED),
        (NotificationType.RESOLVED, GONE, NotificationType.UNWATCHED),
    ],
)
def test_a_message_carries_what_it_means_and_of_what(
    what: NotificationType, incident: Incident, meaning: NotificationType
) -> None:
    context = Context(now=NOW, vantage="tokyo", page_url=PAGE)
    message = phrase(row(what, 1), incident, context)
    assert message == Message(
        message.title,
        message.body,
        what=meaning,
        severity=Severity.DOWN,
        event="tokyo/s/1",
        incidents=(1,),
        link=f"{PAGE}/incidents/1/",
        short=message.short,
    )


def test_incidents_of_one_series_are_one_event() -> None:
    series = FlapSeries(since=START, incidents=5, event=4)
    context = Context(now=NOW)
    fifth = replace(BEGUN, id=5, series=series)
    assert phrase(row(NotificationType.CALM, 5), fifth, context).event == "local/s/4"
    assert phrase(row(REMINDER, 5), fifth, context).event == "local/s/4"


def test_a_notice_is_an_event_of_its_own_and_trouble_with_an_end_keeps_its_name() -> None:
    once = replace(row(NotificationType.NOTICE, None), id=34, text="monitor: crashed")
    assert phrase(once, None, Context(now=NOW)) == Message(
        "monitor: crashed", "[n34]", what=NotificationType.NOTICE, event="local/n34"
    )
    lasting = replace(once, what=NotificationType.OPENED, event="store")
    ended = replace(lasting, id=35, what=NotificationType.RESOLVED)
    told = [phrase(row, None, Context(now=NOW)) for row in (lasting, ended)]
    assert [(message.what, message.event) for message in told] == [
        (NotificationType.OPENED, "local/store"),
        (NotificationType.RESOLVED, "local/store"),
    ]


def test_a_list_means_the_worst_that_goes_on_and_is_no_event() -> None:
    slow = replace(BEGUN, id=2, severity=Severity.DEGRADED)
    contexts = {number: Context(now=NOW) for number in (1, 2)}

    def listed(*told: Incident) -> tuple[NotificationType, Severity, str, tuple[int, ...]]:
        message = digest([row(REMINDER, 1)], told, contexts, Context(now=NOW))
        return message.what, message.severity, message.event, message.incidents

    assert listed(slow, BEGUN) == (NotificationType.OPENED, Severity.DOWN, "", (2, 1))
    assert listed(OVER, slow) == (NotificationType.OPENED, Severity.DEGRADED, "", (1, 2))
    assert listed(OVER) == (NotificationType.RESOLVED, Severity.DOWN, "", (1,))
    assert listed() == (NotificationType.NOTICE, Severity.MONITOR, "", ())


def test_news_of_one_beside_the_reminder_of_another_is_no_reminder() -> None:
    """Readers are told of no reminder, and of flapping only what flaps."""
    over = replace(OVER, id=2)
    contexts = {number: Context(now=NOW) for number in (1, 2)}

    def meaning(first: NotificationType, second: NotificationType) -> NotificationType:
        return together([row(first, 1), row(second, 2)], [BEGUN, over], contexts).what

    assert meaning(REMINDER, NotificationType.RESOLVED) is NotificationType.UPDATE
    assert meaning(NotificationType.FLAPPING, NotificationType.RESOLVED) is NotificationType.UPDATE
    assert meaning(REMINDER, REMINDER) is REMINDER
    grown = [row(NotificationType.UPDATE, 1), row(REMINDER, 1)]
    assert latest(grown, BEGUN, contexts[1]).what is NotificationType.UPDATE


def test_that_somebody_knows_is_told_in_their_words() -> None:
    known = incidents.acked(BEGUN, START + MINUTE, "on it")
    assert read(known, NotificationType.ACKNOWLEDGED) == [
        "OhMyGPT, CDN: acknowledged",
        "on it",
        "Since 24 Nov 12:00 UTC. [#1]",
    ]
    assert read(known, NotificationType.ACKNOWLEDGED, "zh-CN") == [
        "OhMyGPT · CDN：已确认",
        "on it",
        "自 11-24 12:00 UTC 起。[#1]",
    ]


# --- as wide as a phone ----------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
@pytest.mark.parametrize("code", ["en", "zh-CN"])
def test_one_incident_takes_six_lines_of_a_phone(code: str, zone: str) -> None:
    """Seven or eight where a remedy and a reason have long names, and the other time stands beside it."""
    said = (
        '"There is no available channel for the model gpt-4o-mini in the group default, try later"'
    )
    severities = {Fault.ACCOUNT: Severity.ACCOUNT, Fault.MONITOR: Severity.MONITOR}
    taken: Counter[int] = Counter()
    for kind in FailureKind:
        incident = replace(
            BEGUN,
            failure=Failure(kind, f"got HTTP 503: {said}, want 200"),
            severity=severities.get(kind.fault, Severity.DOWN),
        )
        context = Context(
            now=NOW,
            services={"s": "OhMyGPT"},
            endpoints={"s/a": ("Cloudflare CDN", "https://cdn.example")},
            alternatives=BEST,
            page_url="https://status.example.com",
            language=language(code),
            timezone=ZoneInfo(zone),
        )
        message = phrase(row(NotificationType.OPENED, 1), incident, context)
        taken[sum(map(rows, (message.title, *message.body.splitlines())))] += 1
    assert sum(kinds for lines, kinds in taken.items() if lines <= 6) > 0.75 * len(FailureKind)
    assert max(taken) <= 8


def test_a_line_is_as_wide_as_a_phone() -> None:
    texts = (
        "",
        "a" * 42,
        "a" * 43,
        "网" * 21,
        "网" * 22,
        "two words " * 4,
        f"{'a' * 40} bcd",
        f"{'网' * 20}bcd",
    )
    assert [rows(text) for text in texts] == [1, 1, 2, 1, 2, 1, 2, 2]


def test_times_are_those_of_the_reader_with_utc_beside_them() -> None:
    at = datetime(2026, 11, 30, 20, 44, tzinfo=UTC)
    told = {}
    for code in ("en", "zh-CN"):
        for zone in ("UTC", "Asia/Shanghai", "America/New_York"):
            context = Context(now=at, language=language(code), timezone=ZoneInfo(zone))
            told[code, zone] = moment(at, context)
    assert told == {
        ("en", "UTC"): "30 Nov 20:44 UTC",
        ("en", "Asia/Shanghai"): "01 Dec 04:44 (30 Nov 20:44 UTC)",
        ("en", "America/New_York"): "30 Nov 15:44 (20:44 UTC)",
        ("zh-CN", "UTC"): "11-30 20:44 UTC",
        ("zh-CN", "Asia/Shanghai"): "12-01 04:44（UTC 11-30 20:44）",
        ("zh-CN", "America/New_York"): "11-30 15:44（UTC 20:44）",
    }
