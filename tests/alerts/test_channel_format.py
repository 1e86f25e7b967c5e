"""Formats of channels: nothing is lost or too long, no markup breaks, and endpoint text calls nobody."""

import json
import re
import subprocess
import sys
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from requests.adapters import HTTPAdapter

from monitor.alerts import Notifier, channel_format
from monitor.alerts.channel_format import (
    ChannelFormat,
    Markup,
    address,
    escape_markdown,
    with_options,
)
from monitor.model import (
    Channel,
    Message,
    NotDeliveredError,
    NotificationType,
    Redactor,
    Secret,
    Severity,
)
from monitor.model.mentions import break_mentions

LINK = "https://status.example/incidents/12/"
DOWN = Message(
    "🔴 OhMyGPT, CDN: down",
    f"Use instead: Direct https://direct.example/v1_b?a=1&b=2 (first token 420 ms)\nSeen: got 502 (bad_gateway)\n{LINK}",
    what=NotificationType.OPENED,
    severity=Severity.DOWN,
    event="local/ohmygpt/12",
    incidents=(12,),
    link=LINK,
    short="🔴 OhMyGPT, CDN: down. Use instead: Direct https://direct.example/v1_b",
)
NASTY = [
    "@everyone",
    "@here",
    "x@everyone",
    "<!channel>",
    "<!here|x>",
    "<@U123>",
    "<@&1>",
    "<#C1>",
    "@all",
    "@**all**",
    '<at user_id="all">',
    "<users/all>",
    "(met)all(met)",
    "[CQ:at,qq=all]",
    "**b**",
    "_i_",
    "~s~",
    "`c`",
    "[a](http://evil.example)",
    "<b>",
    "</b>",
    "&lt;",
    "&",
    "# h",
    "> q",
    "- l",
    "1. l",
    "1) l",
    "---",
    "===",
    "```",
    "~~~",
    "    code",
    "|t|",
    "\\",
    "https://e.example/*_",
    "http://x/a_b",
    "<https://e.example|x>",
]
HOSTILE = st.lists(
    st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cc", "Cs"]))),
    max_size=6,
).map(" ".join)
LINES = st.lists(HOSTILE, min_size=1, max_size=5).map("\n".join)
CALLS = re.compile(
    r"<[!@#]|<at\b|<users/|(?<!\w)@\w|@\w*(?:everyone|here|channel|all)\b|\(met\)|\[CQ:",
    re.IGNORECASE,
)


def channel(url: str) -> Channel:
    return Channel(id="x", url=Secret(url))


class Tags(HTMLParser):
    """Collects tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {dict(attrs).get('href', '')}".strip())

    def handle_data(self, data: str) -> None:
        self.text += data


@given(HOSTILE)
def test_no_text_calls_anybody(text: str) -> None:
    assert CALLS.findall(break_mentions(text)) == []
    assert break_mentions(text).replace("\u2060", "") == text.replace("\u2060", "")


@given(LINES)
def test_in_markdown_every_text_is_only_text(text: str) -> None:
    tokens = (
        MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(escape_markdown(text))
    )
    blocks = {token.type for token in tokens}
    assert blocks <= {"paragraph_open", "inline", "paragraph_close"}
    inline = {child.type for token in tokens for child in token.children or ()}
    assert inline <= {"text", "softbreak", "hardbreak"}


@given(LINES)
def test_in_html_every_text_is_only_text_and_our_own_link_is_one(text: str) -> None:
    mail = ChannelFormat("mailto", 250, 32_768, Markup.HTML)
    body = mail.render(Message("t", f"{text}\n{LINK}", link=LINK)).body
    read = Tags(body)
    assert set(read.tags) <= {"br", f"a {LINK}"}
    assert read.text.split("\n")[-1] == LINK
    assert read.text.count("\n") == read.tags.count("br")


FORMATS = [
    ChannelFormat("tgram", 0, 4096, Markup.TEXT),
    ChannelFormat("discord", 250, 2000, Markup.MARKDOWN),
    ChannelFormat("mailto", 250, 32_768, Markup.HTML),
    ChannelFormat("wecombot", 0, 2048, Markup.TEXT),
    ChannelFormat("rocket", 0, 1000, Markup.MARKDOWN),
    ChannelFormat("sms", 0, 160, Markup.TEXT),
    ChannelFormat("pagerduty", 0, 1024, Markup.TEXT),
]


@given(st.sampled_from(FORMATS), HOSTILE, st.lists(HOSTILE, max_size=80))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_every_part_is_what_the_channel_takes_and_nothing_is_lost(
    kind: ChannelFormat, title: str, lines: list[str]
) -> None:
    message = Message(" ".join(title.split()) or "t", "\n".join(lines), what=DOWN.what)
    parts = kind.parts(message)
    assert 1 <= len(parts) <= 4
    for part in parts:
        rendered = kind.render(part)
        sent = f"{rendered.title}\n{rendered.body}"
        size = len(sent.encode()) if kind.scheme == "wecombot" else len(sent)
        if kind.scheme == "tgram":
            size = len(sent.encode("utf-16-le")) // 2
        assert size <= kind.body + 1
    told = "\n".join(part.body for part in parts)
    if kind.body > 400 and "…" not in told:
        assert told.splitlines() == message.body.splitlines()


def test_parts_are_numbered_and_what_is_too_long_for_four_ends_with_an_ellipsis() -> None:
    rocket = FORMATS[4]
    lines = "\n".join(f"line {number} {'x' * 90}" for number in range(12))
    assert [part.title for part in rocket.parts(Message("t", lines))] == ["t (1/2)", "t (2/2)"]
    many = rocket.parts(Message("t", "\n".join([lines] * 5)))
    assert [part.title for part in many] == [f"t ({place}/4)" for place in (1, 2, 3, 4)]
    assert many[-1].body.endswith("…")


def test_sms_is_one_line_without_a_mark_and_never_half_an_address() -> None:
    sms = ChannelFormat("bulksms", 0, 160, Markup.TEXT)
    assert sms.parts(DOWN)[0].body == DOWN.short.removeprefix("🔴 ")
    tight = ChannelFormat("aprs", 0, 50, Markup.TEXT)
    assert tight.parts(DOWN)[0].body == "OhMyGPT, CDN: down"
    assert {part.title for part in (*sms.parts(DOWN), *tight.parts(DOWN))} == {""}


def test_an_event_is_one_part_and_what_is_over_when_told_is_two_happenings() -> None:
    pagerduty = FORMATS[6]
    long = Message("t", "\n".join(["x" * 100] * 40), what=DOWN.what, event="e")
    (part,) = pagerduty.parts(long)
    assert part.body.endswith("\n…")
    once = Message("t", "b", event="e")
    assert [part.what for part in pagerduty.parts(once)] == [
        NotificationType.OPENED,
        NotificationType.RESOLVED,
    ]


@pytest.mark.parametrize(
    ("what", "severity", "incidents", "kind", "on_call"),
    [
        (NotificationType.OPENED, Severity.DOWN, (1,), "failure", "failure"),
        (NotificationType.REMINDER, Severity.DEGRADED, (1,), "warning", "warning"),
        (NotificationType.FLAPPING, Severity.ACCOUNT, (1,), "warning", "warning"),
        (NotificationType.OPENED, Severity.MONITOR, (1,), "warning", "warning"),
        (NotificationType.RESOLVED, Severity.DOWN, (1,), "success", "success"),
        (NotificationType.CALM, Severity.DOWN, (1,), "success", "success"),
        (NotificationType.UNWATCHED, Severity.DOWN, (1,), "info", "success"),
        (NotificationType.NOTICE, Severity.MONITOR, (), "info", "warning"),
        (NotificationType.OPENED, Severity.MONITOR, (), "info", "warning"),
        (NotificationType.RESOLVED, Severity.MONITOR, (), "success", "success"),
    ],
)
def test_what_it_means_is_apprises_notification_type(
    what: NotificationType, severity: Severity, incidents: tuple[int, ...], kind: str, on_call: str
) -> None:
    message = Message("t", "b", what=what, severity=severity, incidents=incidents)
    assert FORMATS[0].render(message).kind == kind
    assert FORMATS[6].render(message).kind == on_call


OVER = Message("t", "b", what=NotificationType.RESOLVED, severity=Severity.DOWN, incidents=(12,))


@pytest.mark.parametrize(
    ("url", "down", "over"),
    [
        ("json://h/p?a=b", "json://h/p?a=b", "json://h/p?a=b"),
        ("ntfys://h/t", f"ntfys://h/t?priority=high&click={LINK}", "ntfys://h/t?priority=default"),
        ("ntfy://t?priority=max", f"ntfy://t?priority=max&click={LINK}", "ntfy://t?priority=max"),
        ("pover://u@t", f"pover://u@t?priority=1&url={LINK}", "pover://u@t?priority=0"),
        ("gotify://h/t", "gotify://h/t?priority=8", "gotify://h/t?priority=5"),
        (
            "bark://h/k",
            f"bark://h/k?level=timeSensitive&click={LINK}",
            "bark://h/k?level=active",
        ),
        (
            "pagerduty://i@k?dedup=mine&action=trigger",
            f"pagerduty://i@k?dedup=local:ohmygpt:12&action=map&click={LINK}",
            "pagerduty://i@k?dedup=mine&action=trigger",
        ),
        (
            "opsgenie://k",
            "opsgenie://k?alias=local:ohmygpt:12&action=map&priority=p1",
            "opsgenie://k?priority=p3",
        ),
    ],
)
def test_priority_link_and_key_are_options_of_the_address(url: str, down: str, over: str) -> None:
    plain = address(channel(url), DOWN).replace("%3A", ":").replace("%2F", "/")
    assert plain == down
    assert address(channel(url), OVER) == over


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=9)))
def test_an_option_reads_back_as_it_was_put_in(options: dict[str, str]) -> None:
    url = with_options("json://h/?a=1&d=2", options)
    read = parse_qs(url.partition("?")[2], keep_blank_values=True)
    assert read == {"a": ["1"], "d": ["2"]} | {name: [value] for name, value in options.items()}


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What real plugins send, without a network."""
    sent: list[dict[str, Any]] = []

    def send(_: Any, request: Any, **__: Any) -> requests.Response:
        sent.append(json.loads(request.body))
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response._content = b'{"ok": true, "errcode": 0, "code": 0, "StatusCode": 0}'
        return response

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return sent


PLUGINS = {
    "discord": f"discord://{'1' * 18}/{'a' * 24}",
    "mmost": f"mmost://h/{'t' * 24}",
    "slack": f"slack://T1JJ3T3L2/A1BRTD4JD/{'T' * 24}/#general",
    "gchat": f"gchat://space/{'k' * 10}/{'t' * 10}",
    "rocket": f"rockets://{'a' * 20}/{'b' * 24}@h/#general",
    "dingtalk": f"dingtalk://{'a' * 20}",
    "feishu": f"feishu://{'a' * 20}",
    "wecombot": f"wecombot://{'a' * 20}",
    "telegram": f"tgram://123456789:{'a' * 32}/1/",
}


@given(title=HOSTILE, body=LINES)
@example(title="", body="write to support@123456789.example")
@settings(
    max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@pytest.mark.parametrize("name", PLUGINS)
async def test_what_real_plugins_send_calls_nobody(
    name: str, bodies: list[dict[str, Any]], title: str, body: str
) -> None:
    bodies.clear()
    notifier = notifiers.setdefault(name, Notifier((channel(PLUGINS[name]),), Redactor(())))
    hostile = Message(f"x {' '.join(title.split())}", f"x {body}", what=DOWN.what, incidents=(1,))
    with suppress(NotDeliveredError):  # what this answer means to each is not asked here
        await notifier.tell("x", hostile)
    assert bodies
    for sent in bodies:
        assert "allow_mentions" not in sent
        text = json.dumps(sent, ensure_ascii=False)
        assert CALLS.findall(text.replace('"#general"', "")) == []


notifiers: dict[str, Notifier] = {}


def test_apprise_knows_every_option_that_a_message_asks_for() -> None:
    """In a process of its own: all plugins are loaded."""
    script = """
from apprise import NotificationManager
from monitor.alerts import channel_format as known

manager = NotificationManager()
manager.load_modules()

def allowed(scheme, name):
    argument = manager[scheme].template_args[name]
    argument = manager[scheme].template_args.get(argument.get("alias_of"), argument)
    values = argument.get("values")
    return values and {str(value).lower() for value in values}

for scheme, options in known._EVENTS.items():
    if options.key != "entity_id":
        allowed(scheme, options.key)
    assert {"map", options.acknowledge or "map"} <= allowed(scheme, "action"), scheme
for scheme, option in known._PRIORITIES.items():
    values = allowed(scheme, option.name)
    asked = {option.down.lower(), option.other.lower()}
    assert not values or asked <= values | {"p1", "p3"}, (scheme, values)
for scheme, name in known._LINKS.items():
    allowed(scheme, name)
for scheme in {*known._TRUTHS, *known._MARKDOWN}:
    assert scheme in manager, scheme
"""
    subprocess.run([sys.executable, "-c", script], check=True)


MONITOR = Path(channel_format.__file__).parents[1]
KNOW_MORE = {
    "alerts/acceptance.py": "how a service refuses",
    "alerts/channel_proofs.py": "which schemas nobody has tried",
    "imports/apprise_address.py": "how an address is made of another program's settings",
    "imports/gatus.py": "what Gatus calls services",
    "imports/kuma.py": "what Uptime Kuma calls services",
}
"""Modules that may name several channels, and what they know that is no format."""


def test_nobody_else_knows_channels() -> None:
    known = {
        *channel_format._EVENTS,
        *channel_format._PRIORITIES,
        *channel_format._LINKS,
        *channel_format._MARKDOWN,
        *channel_format._TRUTHS,
    }
    naming = {
        path.relative_to(MONITOR).as_posix(): names
        for path in MONITOR.rglob("*.py")
        if path != Path(channel_format.__file__)
        if len(names := known & {*re.findall(r'"(\w+)"', path.read_text())}) >= 2
    }
    assert {path: names for path, names in naming.items() if path not in KNOW_MORE} == {}
    assert {*KNOW_MORE} <= {*naming}, "an exception that is not needed any more"
