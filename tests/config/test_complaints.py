"""Mistakes that people really make: each gets a sentence of its own, with its place and its remedy."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config import Config, find, load, parse
from monitor.model import ConfigError

PATH = Path("/etc/monitor/monitor.toml")
ONE = '[service.a]\nendpoints = { x = "https://a.example" }\n'
KEY = '[service.a]\nkey = "${KEY}"\nendpoints = { x = "https://a.example" }\n'


def read(text: str, env: dict[str, str] | None = None) -> Config:
    return parse(text, path=PATH, env=env or {})


def complaints(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, env)
    return [str(complaint) for complaint in caught.value.complaints]


def warnings(text: str) -> list[str]:
    return [str(warning) for warning in read(text).warnings]


# --- webhooks -------------------------------------------------------------------------------------

MAKE_ONE = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("c2hvcnQ=", f'want "whsec_" and base64 behind it; {MAKE_ONE}'),
        ("whsec_no base64", f'has no base64 behind "whsec_"; {MAKE_ONE}'),
        ("whsec_c2hv", f"has 3 bytes, want 24 to 64; {MAKE_ONE}"),
        ("whsec_" + "A" * 88, f"has 66 bytes, want 24 to 64; {MAKE_ONE}"),
    ],
)
def test_a_signing_secret_that_nobody_could_verify_is_refused_and_never_shown(
    secret: str, what: str
) -> None:
    hook = '[webhook.g]\nurl = "http://127.0.0.1/x"\nsecret = "${S}"\n'
    assert complaints(ONE + hook, {"S": secret}) == [f"webhook.g.secret: {what}"]


def test_a_webhook_of_a_service_that_is_not_there_is_a_complaint() -> None:
    hook = '[webhook.g]\nurl = "http://127.0.0.1/x"\nsecret = "${S}"\nservices = ["b"]\n'
    good = {"S": "whsec_" + "A" * 32}
    what = 'unknown service "b"; known are a'
    assert complaints(ONE + hook, good) == [f"webhook.g.services: {what}"]
    assert read(ONE + hook.replace('"b"', '"a"'), good).webhooks[0].target == "webhook.g"


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("sk-0123456789\u200b", "has an invisible character (U+200B) in it; copy the key again"),
        ("\ufeffsk-0123456789", "has an invisible character (U+FEFF) in it; copy the key again"),
        ("sk-01234\u00a056789", "has an invisible character (U+00A0) in it; copy the key again"),
        (
            "sk-01234\uff1256789",
            "has a character (U+FF12) in it that no key has; copy the key again",
        ),
        ("sk-01234 56789", "has a space in it, want the key alone"),
        (
            "Bearer sk-0123456789",
            'begins with "Bearer ", which every call adds by itself; want the key alone',
        ),
        ("bearer\tsk", "has a line break or a control character in it, want one line"),
        (
            "Authorization: Bearer sk-0123456789",
            'begins with "Bearer ", which every call adds by itself; want the key alone',
        ),
        (
            "OPENAI_API_KEY=sk-0123456789",
            "begins with the name of a variable and =; want the key alone",
        ),
        ("${OPENAI}", "is itself a reference that nobody resolved; want the key"),
        ("sk-01***89", "is masked with ***; copy the whole key"),
        (
            '"sk-0123456789"',
            "stands in quotes, which would be sent as part of it; want the key alone",
        ),
    ],
)
def test_a_key_that_no_server_can_take_is_refused_by_the_name_of_its_variable(
    key: str, what: str
) -> None:
    assert complaints(KEY, {"KEY": key}) == [f"service.a.key: ${{KEY}} {what}"]


@pytest.mark.parametrize("around", ["{}\r\n", " {} ", "\t{}\n"])
def test_space_around_a_key_is_cut(around: str) -> None:
    key = read(KEY, {"KEY": around.format("sk-0123456789")}).services[0].endpoints[0].key
    assert key is not None
    assert key.reveal() == "sk-0123456789"


def test_a_key_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\ufeffsk-0123456789\r\n", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    text = ONE.replace("[service.a]", '[service.a]\nkey = "file:key"')
    key = parse(text, path=tmp_path / "monitor.toml", env={}).services[0].endpoints[0].key
    assert key is not None
    assert key.reveal() == "sk-0123456789"


# --- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("12345:abc/42", "is no address, want an Apprise URL such as tgram://TOKEN/CHAT"),
        ("telegram://12345:abc/42", "begins with telegram://, want tgram://TOKEN/CHAT"),
        ("smtp://mail.example", "begins with smtp://, want mailto://USER:PASSWORD@HOST"),
        ("tgram://-100123/42", "has no Telegram token behind tgram://"),
        ("tgram://123456789/42", "has no Telegram token behind tgram://"),
        ("tgram://@my_channel/42", "has no Telegram token behind tgram://"),
        ("tgram://12345:ab\u200bc/42", "has an invisible character in it; copy it again"),
    ],
)
def test_an_address_of_a_channel_that_cannot_be_meant_is_refused(url: str, what: str) -> None:
    (complaint,) = complaints(f'{ONE}[channel.phone]\nurl = "{url}"\n')
    assert complaint.startswith(f"channel.phone.url: {what}")


@pytest.mark.parametrize(
    "url",
    [
        "tgram://1234567:a-b_c/42",
        "tgram://bot1234567:abc/-100/",
        "tgram://1:a?format=text",
        "json://h",
    ],
)
def test_an_address_of_a_channel_that_may_be_meant_is_taken(url: str) -> None:
    assert read(f'{ONE}[channel.phone]\nurl = "{url}"\n').channels[0].url.reveal() == url


TWO_LISTENERS = """url = "tgram://1:a/5"
commands = true
[channel.two]
url = "tgram://bot1%3Aa/6"
commands = true"""
CANNOT_LISTEN = {
    'url = "json://h"\ncommands = true': (
        "phone.commands: belongs to tgram://TOKEN/CHAT alone, and `url` begins with json://"
    ),
    'url = "tgram://1:a/5"\ncommands = true\nallow = []': (
        "phone.allow: is empty, so nobody could command; leave it out, and the chats of `url` may"
    ),
    'url = "tgram://1:a/5"\nallow = [5]': "phone.allow: needs `commands = true` beside it",
    'url = "tgram://1:a/5"\nsubscribers = true': (
        "phone.subscribers: needs `commands = true` beside it"
    ),
    'url = "tgram://1:a/?format=text"\ncommands = true': (
        "phone.url: cannot take commands: names no chat, want tgram://TOKEN/CHAT"
    ),
    'url = "tgram://1:a/5:general"\ncommands = true': (
        "phone.url: cannot take commands: want chats as numbers or @names, and topics as numbers:"
        " CHAT:TOPIC"
    ),
    TWO_LISTENERS: (
        "two.commands: is set for this bot in [channel.phone] already, and a bot has one listener;"
        " leave it out here, and list the chats of both there in `allow`"
    ),
}


@pytest.mark.parametrize(("keys", "what"), CANNOT_LISTEN.items())
def test_a_bot_that_cannot_listen_as_the_file_asks_is_refused(keys: str, what: str) -> None:
    assert complaints(f"{ONE}[channel.phone]\n{keys}\n") == [f"channel.{what}"]


# --- the file itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_refused_as_that(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "monitor.toml"
    file.write_bytes(ONE.encode(encoding))
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value) == f"{file}: is UTF-16, not UTF-8 text; save it as UTF-8"


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    file.write_bytes("# a\n# Größe\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value) == f"{file}: is not UTF-8 text (see line 2); save it as UTF-8"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_in_a_folder_that_is_not_for_us_is_found_and_complained_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"monitor.toml: cannot be read: Permission denied"):
        load(find(None), {})


def test_typographic_quotes_are_named() -> None:
    (complaint,) = complaints("[page]\ntitle = \u201cStatus\u201d\n")
    assert complaint.startswith("line 2, column 9: invalid value")
    assert complaint.endswith("this is not valid TOML; it has typographic quotes, want plain ones")


@pytest.mark.parametrize("value", ["20m", "True", "tgram://TOKEN/4242"])
def test_a_value_without_its_quotes_is_told_to_want_them_and_not_shown(value: str) -> None:
    (complaint,) = complaints(f"[channel.a]\nurl = {value}\n")
    assert 'want quotes around texts and durations, such as "15m"' in complaint
    assert value not in complaint


def test_complaints_stand_under_the_name_of_their_file() -> None:
    with pytest.raises(ConfigError) as caught:
        read("[page]\ntitel = 1\n")
    assert caught.value.report == (
        "/etc/monitor/monitor.toml has 2 problems:\n"
        'page.titel: unknown key; did you mean "title"?\n'
        "service: is missing; add a table such as [service.ohmygpt] with endpoints"
    )


@pytest.mark.parametrize(
    ("endpoints", "got"),
    [('["https://a.example"]', "a list"), ('"https://a.example"', "one address")],
)
def test_endpoints_without_ids_are_refused(endpoints: str, got: str) -> None:
    assert complaints(f"[service.a]\nendpoints = {endpoints}\n") == [
        f'service.a.endpoints: got {got}, want an id for each, as in {{ direct = "https://..." }}'
    ]


def test_probes_without_intervals_are_refused() -> None:
    assert complaints(f'{ONE}probes = ["chat"]\n') == [
        'service.a.probes: got a list, want an interval for each, as in { models = "1m", chat = "5m" }'
    ]


def test_a_mistyped_key_is_named_beside_what_it_leaves_missing() -> None:
    assert complaints('[service.a]\nendpoint = { x = "https://a.example" }\n') == [
        'service.a.endpoint: unknown key; did you mean "endpoints"?',
        "service.a.endpoints: is missing",
    ]
    assert complaints('[service.a]\nurl = "https://a.example"\n') == [
        "service.a.endpoints: is missing",
        'service.a.url: belongs to an endpoint: endpoints = { direct = "https://..." }',
    ]


def test_a_model_with_an_invisible_character_is_refused() -> None:
    assert complaints(f'{ONE}model = "gpt\u200b-4"\n') == [
        "service.a.model: has an invisible character (U+200B) in it; type it anew"
    ]


def test_a_path_is_shown_where_a_store_is_wanted() -> None:
    (complaint,) = complaints(f'{ONE}[monitor]\nstore = "/var/lib/monitor.db"\n')
    assert complaint.startswith('monitor.store: got "/var/lib/monitor.db", want "sqlite:///PATH"')


# --- what is allowed and hardly meant -------------------------------------------------------------


def test_a_paid_probe_every_second_is_a_warning_unless_a_budget_holds_it() -> None:
    text = f'{ONE}model = "m"\nprobes = {{ chat = "1s" }}\n'
    assert warnings(text) == [
        'service.a.probes.chat.every: means 86,400 paid runs a day of each base URL; want at least "1m", or a budget_per_day of the service'
    ]
    assert warnings(f'{text}budget_per_day = "9k tokens"\n') == []
    assert warnings(f'{ONE}probes = {{ http = "1s" }}\n') == []


def test_a_timeout_above_the_interval_is_a_warning() -> None:
    text = f'{ONE}probes = {{ http = {{ every = "10s", timeout = "30s" }} }}\n'
    what = "is 30s, more than every = 10s: a slow run makes the next ones miss their turn"
    assert warnings(text) == [f"service.a.probes.http.timeout: {what}"]
    text = f'{ONE}timeout = "30s"\nprobes = {{ http = "10s" }}\n'
    assert warnings(text) == [f"service.a.timeout: {what}"]
    assert warnings(f'{ONE}probes = {{ http = {{ every = "5s" }} }}\n') == []


def test_where_every_channel_waits_for_escalation_is_a_warning() -> None:
    late = '[channel.{}]\nurl = "json://127.0.0.1"\nescalate_after = "15m"\n'
    what = "on every channel means that nobody hears of an incident at once; leave one without it"
    assert warnings(ONE + late.format("x")) == [f"channel.x.escalate_after: {what}"]
    assert warnings(ONE + late.format("x") + '[channel.y]\nurl = "json://127.0.0.1"\n') == []


def test_a_channel_that_nobody_has_tried_is_a_warning() -> None:
    channel = '[channel.x]\nurl = "{}://127.0.0.1/topic"\n'
    what = "nobody has tried whether mqtt:// carries an alert; see what `monitor test-alert` does"
    assert warnings(ONE + channel.format("mqtt")) == [f"channel.x.url: {what}"]
    assert warnings(ONE + channel.format("jsons")) == []


def test_a_check_that_runs_too_seldom_for_a_burn_rate_is_a_warning() -> None:
    text = f'{ONE}probes = {{ http = "5m", models = "6m" }}\n[alerts.burn_rate]\n'
    what = "fewer than 3 runs within 5m; make `short` longer, or ask more often"
    nothing = f"alerts.burn_rate.short: says nothing of a/x/http and 1 more: {what}"
    assert warnings(text) == [nothing]
    assert warnings(f'{text}short = "18m"\n') == []


def test_one_base_url_under_two_ids_is_a_warning_unless_they_differ() -> None:
    text = (
        '[service.a.endpoints]\nx = "https://a.example/v1"\ny = {{ url = "https://a.example"{} }}\n'
    )
    assert warnings(text.format("")) == [
        'service.a.endpoints.y: is the same base URL as "x", so it is probed twice'
    ]
    assert warnings(text.format(', headers = { X-Group = "vip" }')) == []
    assert warnings(text.format(', proxy = "http://127.0.0.1:3128"')) == []
    assert warnings(text.format(", retired = true")) == []


def test_no_warning_quotes_what_came_from_the_environment() -> None:
    secret = "https://a.example/canary-canary/v1/chat/completions"
    config = parse(
        '[service.a]\nendpoints = { x = "${URL}" }\n', path=PATH, env={"URL": secret}, strict=False
    )
    assert config.warnings
    assert "canary" not in str(config.warnings)


# --- maintenance across a change of the clocks ----------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "until", "start", "end"),
    [
        ("01:30", "02:30", (0, 30), (1, 30)),  # 02:30 is skipped: it comes an hour later
        ("02:15", "02:45", (1, 15), (1, 45)),
        ("02:30", "03:45", (1, 30), (1, 45)),
    ],
)
def test_a_window_whose_times_are_skipped_comes_later_and_keeps_its_order(
    begins: str, until: str, start: tuple[int, int], end: tuple[int, int]
) -> None:
    text = (
        f"{ONE}[maintenance.m]\nfrom = 2027-03-28T{begins}:00\nuntil = 2027-03-28T{until}:00\n"
        'timezone = "Europe/Berlin"\n'
    )
    window = read(text).maintenance[0].once
    assert window is not None
    assert window.start == datetime(2027, 3, 28, *start, tzinfo=UTC)
    assert window.end == datetime(2027, 3, 28, *end, tzinfo=UTC)


def test_daily_maintenance_whose_time_is_skipped_begins_an_hour_later_that_night_only() -> None:
    text = f'{ONE}[maintenance.m]\nevery = "day 02:30"\nfor = "20m"\ntimezone = "Europe/Berlin"\n'
    planned = read(text).maintenance[0]
    windows = planned.windows(
        datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 3, 29, 12, tzinfo=UTC)
    )
    assert [(window.start.day, window.start.hour, window.start.minute) for window in windows] == [
        (28, 1, 30),
        (29, 0, 30),
    ]


# --- files that the page shows --------------------------------------------------------------------


def test_a_stylesheet_that_cannot_be_read_is_a_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.css").write_text("")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        parse(f'{ONE}[page]\ncss = "mine.css"\n', path=tmp_path / "monitor.toml", env={})
    assert str(caught.value) == f"page.css: {tmp_path}/mine.css cannot be read: Permission denied"


def test_space_around_a_value_of_the_environment_is_cut() -> None:
    text = '[service.a]\nendpoints = { x = "${URL}" }\n'
    assert (
        read(text, {"URL": "https://a.example\r"}).services[0].endpoints[0].url
        == "https://a.example"
    )
