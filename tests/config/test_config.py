"""The configuration: what is good is understood, what is bad is all said at once."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import Config, Secrets, find, load, parse
from monitor.language import language
from monitor.model import (
    ConfigError,
    DailyBudget,
    PageSettings,
    Price,
    Proxy,
    Redactor,
    Secret,
    Severity,
)
from monitor.probes.kinds.chat import ChatProbe

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BAD = sorted((HERE / "bad").glob("*.toml"))
KEY = "canary" * 3
ENV = {"OHMYGPT_API_KEY": KEY, "TELEGRAM_TOKEN": "1234567:abc", "TELEGRAM_CHAT": "42"}
ONE = '[service.a]\nendpoints = { x = "https://a.example" }\n'


def read(
    text: str, env: dict[str, str] | None = None, folder: Path = Path("/etc/monitor")
) -> Config:
    return parse(text, path=folder / "monitor.toml", env=env or {})


def complaints(
    text: str, env: dict[str, str] | None = None, folder: Path = Path("/etc/monitor")
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, env, folder)
    return str(caught.value).splitlines()


def test_what_is_retired_stands_in_its_service_and_is_not_probed() -> None:
    found = read(
        '[service.a]\nprobes = { http = "1m" }\n[service.a.endpoints]\nx = "https://a.example"\n'
        'y = { url = "https://b.example", retired = true }\n'
    )
    assert [(endpoint.id, endpoint.retired) for endpoint in found.services[0].endpoints] == [
        ("x", False),
        ("y", True),
    ]
    assert [check.key for check in found.checks] == ["a/x/http"]


@pytest.mark.parametrize(
    ("keys", "english", "chinese"),
    [
        ("", {"local": "the monitor's location"}, {"local": "监控所在地"}),
        ('vantage = "fra"', {"fra": "fra"}, {"fra": "fra"}),
        ('vantage_name = "Frankfurt"', {"local": "Frankfurt"}, {"local": "Frankfurt"}),
        (
            'vantage = "fra"\nvantage_name = { en = "Frankfurt", zh-CN = "法兰克福" }',
            {"fra": "Frankfurt"},
            {"fra": "法兰克福"},
        ),
    ],
)
def test_people_read_a_name_of_each_vantage_and_never_local(
    keys: str, english: dict[str, str], chinese: dict[str, str]
) -> None:
    other = f'[vantage.cn]\nname = "Shanghai"\nkey = "ed25519:{"A" * 43}="\n'
    config = read(f"[monitor]\n{keys}\n{other}{ONE}")
    assert config.places(language("en")) == {**english, "cn": "Shanghai"}
    assert config.places(language("zh-CN")) == {**chinese, "cn": "Shanghai"}


def test_each_check_knows_the_models_that_others_of_its_endpoint_ask() -> None:
    found = read(
        '[service.a]\nmodel = "m"\nkey = "${OHMYGPT_API_KEY}"\nendpoints = { x = "https://a.example" }\n'
        '[service.a.probes]\nmodels = "1m"\nchat = "5m"\n'
        'big = { kind = "chat", model = "n", aliases = "any" }\n',
        ENV,
    )
    assert {check.probe.id: set(check.asked_models) for check in found.checks} == {
        "models": {"m", "n"},
        "chat": {"n"},
        "big": {"m"},
    }
    (big,) = (check.probe for check in found.checks if check.probe.id == "big")
    assert isinstance(big, ChatProbe)
    assert big.aliases == {"any"}


def test_a_size_of_the_store_is_bytes() -> None:
    assert read(ONE + '[history]\nmax_size = "500MB"\n').history.max_size == 500_000_000
    assert complaints(ONE + '[history]\nmax_size = "5MB"\n') == [
        "history.max_size: got 5MB, want at least 20MB"
    ]
    assert complaints(ONE + "[history]\nmax_size = 5\n") == [
        'history.max_size: got 5, want a size such as "500MB" or "2GB"'
    ]


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_bad_config_is_refused_with_every_complaint(path: Path) -> None:
    lines = path.read_text().splitlines()
    expected = [
        line.removeprefix("# complaint: ") for line in lines if line.startswith("# complaint: ")
    ]

    assert complaints(path.read_text(), folder=HERE) == [
        each.replace("{folder}", str(HERE)) for each in expected
    ]


def test_a_proxy_is_understood_and_its_login_is_a_secret() -> None:
    config = read(
        """
        [service.a]
        proxy = "http://somebody:${PROXY_PASSWORD}@proxy.example:3128"
        endpoints = { x = "https://a.example", y = { url = "https://b.example", proxy = "socks5h://[::1]:1080" } }
        """,
        {"PROXY_PASSWORD": "open%20sesame"},
    )
    x, y = config.services[0].endpoints
    login = Secret("somebody:open sesame")
    assert x.proxy == Proxy(socks=False, host="proxy.example", port=3128, login=login)
    assert y.proxy == Proxy(socks=True, host="::1", port=1080)
    redact = Redactor(config.secrets)
    assert redact("open sesame, c29tZWJvZHk6b3BlbiBzZXNhbWU=") == "***, ***="


def test_socks_without_its_extra_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)
    text = '[service.a]\nendpoints = { x = { url = "https://a.example", proxy = "socks5://10.0.0.1:1080" } }\n'
    how = f'{sys.executable} -m pip install "monitor[socks]"'
    assert complaints(text) == [
        f"service.a.endpoints.x.proxy: needs an extra for SOCKS; run: {how}"
    ]
    assert read(text.replace("socks5", "http")).services[0].endpoints[0].proxy is not None


def test_the_smallest_config_gives_models_and_chat_for_every_endpoint() -> None:
    config = load(HERE / "good" / "smallest.toml", ENV)

    assert [(check.key, check.model) for check in config.checks] == [
        ("ohmygpt/direct/models", "gpt-4o-mini"),
        ("ohmygpt/direct/chat", "gpt-4o-mini"),
        ("ohmygpt/cdn/models", "gpt-4o-mini"),
        ("ohmygpt/cdn/chat", "gpt-4o-mini"),
    ]
    assert [check.probe.every for check in config.checks[:2]] == [
        timedelta(minutes=1),
        timedelta(minutes=5),
    ]
    assert config.services[0].endpoints[0].key is not None
    assert config.services[0].endpoints[0].key.reveal() == KEY
    assert [(channel.id, channel.only) for channel in config.channels] == [
        ("telegram", frozenset(Severity))
    ]
    assert config.listen == ("127.0.0.1", 8080)


def test_the_repositorys_own_config_starts_as_it_is_without_a_key() -> None:
    config = load(ROOT / "monitor.toml", {})

    assert len(config.checks) == 6 * 2 + 2
    assert {check.endpoint.key for check in config.checks} == {None}
    assert config.budgets == {"ohmygpt": DailyBudget(tokens=500_000)}
    assert config.services[0].endpoints[3].name == "优化 CDN"


def test_without_key_and_model_a_service_is_asked_for_its_home_page() -> None:
    assert [check.key for check in read(ONE).checks] == ["a/x/http"]


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "https://a.example/", "https://a.example/v1", "https://a.example/v1/"],
)
def test_a_base_url_may_end_in_v1_or_not(url: str) -> None:
    config = read(f'[service.a]\nendpoints = {{ x = "{url}" }}')
    assert config.services[0].endpoints[0].url == "https://a.example"


def test_a_service_gives_defaults_to_its_endpoints_and_probes() -> None:
    config = read(
        '[service.a]\nmodel = "m"\ntimeout = "7s"\nmax_tokens = 9\ncut_after = "100s"\n'
        'endpoints = { x = "https://a.example", y = { url = "https://b.example", cut_after = "2m" } }\n'
        'probes = { models = "1m", chat = { timeout = "9s" } }\n'
    )
    x, y = config.services[0].endpoints
    models, chat = config.checks[0].probe, config.checks[1].probe

    assert (x.cut_after, y.cut_after) == (timedelta(seconds=100), timedelta(minutes=2))
    assert (models.timeout, chat.timeout) == (timedelta(seconds=7), timedelta(seconds=9))
    assert isinstance(chat, ChatProbe)
    assert chat.max_tokens == 9


def test_a_probe_may_have_another_id_than_its_kind() -> None:
    config = read(
        ONE + 'model = "m"\nprobes = { deep = { kind = "chat", every = "1h" }, chat = "5m" }\n'
    )
    assert [(check.key, check.probe.kind) for check in config.checks] == [
        ("a/x/deep", "chat"),
        ("a/x/chat", "chat"),
    ]


def test_prices_and_a_budget_in_money() -> None:
    config = read(
        ONE + 'model = "m"\nbudget_per_day = "0.50 USD"\n[price.m]\nin = 0.15\nout = 0.6\n'
    )
    assert config.prices == {"m": Price(0.15, 0.6, "USD")}
    assert config.budgets == {"a": DailyBudget(money=0.5)}


def test_relative_paths_start_at_the_state_directory_else_at_the_configs_folder() -> None:
    assert read(ONE).store == "sqlite:////etc/monitor/monitor.db"
    config = read(ONE, {"STATE_DIRECTORY": "/var/lib/monitor"})
    assert config.store == "sqlite:////var/lib/monitor/monitor.db"
    assert config.page == PageSettings(dir=Path("/var/lib/monitor/page"))


def test_where_it_listens_may_be_said_by_the_environment_which_wins() -> None:
    file = f'[monitor]\nlisten = "127.0.0.1:9000"\n{ONE}'
    at = {"MONITOR_LISTEN": " 0.0.0.0:8080 "}
    assert read(ONE, at).listen == ("0.0.0.0", 8080)
    assert (read(file, at).listen, read(file).listen) == (("0.0.0.0", 8080), ("127.0.0.1", 9000))
    assert read(file, {"MONITOR_LISTEN": ""}).listen == ("127.0.0.1", 9000)
    hub = f'[vantage.cn]\nkey = "ed25519:{"A" * 43}="\n[monitor]\nlisten = ""\n{ONE}'
    assert read(hub, at).listen == ("0.0.0.0", 8080)


def test_a_file_that_the_environment_overrules_is_warned_of() -> None:
    at = {"MONITOR_LISTEN": "0.0.0.0:8080"}
    said = [str(warning) for warning in read(f'[monitor]\nlisten = ""\n{ONE}', at).warnings]
    assert said == [
        (
            'monitor.listen: is not heeded: MONITOR_LISTEN in the environment is "0.0.0.0:8080" and wins;'
            " remove one of them"
        )
    ]
    assert not read(f'[monitor]\nlisten = "0.0.0.0:8080"\n{ONE}', at).warnings
    assert not read(ONE, at).warnings


@pytest.mark.parametrize("text", ["[::]:8080", ":::8080", "localhost:8080", "my_host.lan:8080"])
def test_it_listens_at_an_address_or_a_name(text: str) -> None:
    host = text.removesuffix(":8080").strip("[]")
    assert read(ONE, {"MONITOR_LISTEN": text}).listen == (host, 8080)


@pytest.mark.parametrize(
    "text",
    [
        *("8080", ":8080", "0.0.0.0", "0.0.0.0:http", "0.0.0.0:99999"),
        *("http://0.0.0.0:8080", "localhost:80:80", "[::1", "[]:80", "a b:80", "[localhost]:80"),
    ],
)
def test_a_wrong_address_in_the_environment_is_a_complaint_beside_the_others(text: str) -> None:
    assert complaints(f'[page]\ndirr = "x"\n{ONE}', {"MONITOR_LISTEN": text}) == [
        (
            f'MONITOR_LISTEN in the environment: got "{text}", want "ADDRESS:PORT" such as "0.0.0.0:8080";'
            " unset it for what the file says"
        ),
        'page.dirr: unknown key; did you mean "dir"?',
    ]


def test_a_credential_wins_over_the_environment(tmp_path: Path) -> None:
    (tmp_path / "monitor_KEY").write_text("from-systemd\n")
    text = '[service.a]\nkey = "${KEY}"\nendpoints = { x = "https://a.example" }'
    key = (
        read(text, {"KEY": "from-env", "CREDENTIALS_DIRECTORY": str(tmp_path)})
        .services[0]
        .endpoints[0]
        .key
    )

    assert key is not None
    assert key.reveal() == "from-systemd"


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("secret-value\n")
    text = '[service.a]\nkey = "file:key"\nendpoints = { x = "https://a.example" }'
    file.chmod(0o644)
    assert complaints(text, folder=tmp_path) == [
        f"service.a.key: {file} can be read by others; run: chmod 600 {file}"
    ]

    file.chmod(0o600)
    key = read(text, folder=tmp_path).services[0].endpoints[0].key
    assert key is not None
    assert key.reveal() == "secret-value"


def test_no_complaint_and_no_repr_shows_a_secret() -> None:
    text = (
        f'[service.a]\nkey = "{KEY}{KEY}"\nheaders = {{ a = 3 }}\nendpoints = {{ x = "https://u:{KEY}@a.example" }}\n'
        f'[channel.c]\nurl = 7\n[channel.d]\nurl = "json://{KEY}"\nwrong = 1\n'
    )
    assert KEY not in "\n".join(complaints(text))
    assert KEY not in repr(load(HERE / "good" / "smallest.toml", ENV))


def test_every_secret_is_known_to_be_one() -> None:
    secrets = {secret.reveal() for secret in load(HERE / "good" / "smallest.toml", ENV).secrets}
    assert secrets == {KEY, "1234567:abc", "42", "tgram://1234567:abc/42"}


def test_no_file_at_all_is_a_complaint_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"there is no monitor.toml or /etc/monitor/monitor.toml; write one"
    ):
        find(None)
    with pytest.raises(
        ConfigError, match=r"nowhere.toml: cannot be read: No such file or directory"
    ):
        load(tmp_path / "nowhere.toml", {})


leaf = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.just("https://a.example")
)
names = st.sampled_from(
    [
        "service",
        "channel",
        "page",
        "alerts",
        "monitor",
        "history",
        "price",
        "a",
        "endpoints",
        "probes",
        "chat",
        "http",
        "key",
        "model",
        "every",
        "url",
        "after",
        "slow",
        "kind",
        "in",
        "out",
        "budget_per_day",
        "headers",
    ]
)
tree = st.recursive(
    leaf,
    lambda inner: st.dictionaries(names, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=15,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(names, tree, max_size=5))
def test_any_document_gives_a_config_or_complaints_and_nothing_else(
    document: dict[str, object],
) -> None:
    from monitor.config.build import build
    from monitor.config.env_references import References
    from monitor.config.parse_tables import ParsedTables

    references = References({}, None, Path("/nowhere"))
    tables = ParsedTables(references.complaints)
    resolved = references.resolve(document)
    tables.read_all(resolved)
    build(tables, Path("/nowhere/monitor.toml"), Path("/nowhere"), [])
    assert all(str(complaint) for complaint in tables.complaints)


def test_no_complaint_quotes_what_came_from_the_environment() -> None:
    text = (
        '[monitor]\nlisten = "${KEY}"\n[service.a]\nbudget_per_day = "${KEY}"\nendpoints = { x = "${KEY}" }\n'
        'probes = { http = "${KEY}" }\n[channel.c]\nurl = "json://127.0.0.1"\nonly = ["${KEY}"]\n'
    )
    assert KEY not in "\n".join(complaints(text, {"KEY": KEY}))


def test_who_speaks_to_nobody_needs_no_secrets() -> None:
    text = (
        '[monitor]\nheartbeat = "${PING}"\n[channel.a]\nurl = "tgram://${TOKEN}/1"\n'
        '[channel.b]\nurl = "json://b.example"\nproxy = "${WAY}"\n'
        '[webhook.c]\nurl = "https://c.example/${HOOK}"\nsecret = "${SIGN}"\n'
        '[service.a.endpoints]\nx = { url = "https://a.example", headers = { A = "${SECRET}", B = "b" } }\n'
    )
    assert sum("is not set" in complaint for complaint in complaints(text)) == 6
    found = parse(text, path=Path("/etc/monitor/monitor.toml"), env={}, secrets=Secrets.NONE)
    assert [(channel.id, channel.proxy) for channel in found.channels] == [("b", None)]
    assert found.webhooks == ()
    assert found.heartbeat is None
    [endpoint] = found.services[0].endpoints
    assert [name for name, _ in endpoint.headers] == ["B"]
    with pytest.raises(ConfigError, match=r"\$\{HOST\} is not set"):
        parse(
            '[service.a]\nendpoints = { x = "https://${HOST}" }\n',
            path=Path("monitor.toml"),
            env={},
            secrets=Secrets.NONE,
        )


def test_header_values_and_the_parts_of_a_channels_address_are_secrets() -> None:
    text = (
        '[service.a.endpoints]\nx = { url = "https://a.example", headers = { X-Group = "header-secret" } }\n'
        '[channel.c]\nurl = "json://user:password1@hooks.example/path-token-1/x?key=query-token-1"\n'
        '[webhook.w]\nurl = "https://w.example/path-token-2?key=query-token-2"\nsecret = "${SIGN}"\n'
    )
    sign = "whsec_" + "signing-".replace("-", "0") * 4
    redact = Redactor(read(text, {"SIGN": sign}).secrets)
    paths = ("path-token-1", "query-token-1", "path-token-2", "query-token-2")
    for secret in ("header-secret", "password1", *paths, sign, sign.removeprefix("whsec_")):
        assert redact(f"it is {secret}.") == "it is ***."
    assert redact("hooks.example") == "hooks.example"


def test_what_cannot_be_read_at_all_is_a_complaint(tmp_path: Path) -> None:
    assert complaints("a = " + "[" * 3000) == ["/etc/monitor/monitor.toml: is nested too deeply"]
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    (tmp_path / "key").chmod(0o600)
    text = '[service.a]\nkey = "file:key"\nendpoints = { x = "https://a.example" }'
    assert complaints(text, folder=tmp_path) == [
        f"service.a.key: {tmp_path / 'key'} is not UTF-8 text"
    ]
    long = f'[service.a]\nca_file = "{"x" * 5000}"\nendpoints = {{ x = "https://a.example" }}'
    assert complaints(long)[0].startswith("service.a.endpoints.x.ca_file: there is no file ")


def test_a_key_of_one_endpoint_is_a_key() -> None:
    text = '[service.a]\nendpoints = { x = { url = "https://a.example", key = "${KEY}" } }'
    assert [check.key for check in read(text).checks] == ["a/x/models"]


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    path.write_text(ONE, encoding="utf-8-sig")

    assert [check.key for check in load(path, {}).checks] == ["a/x/http"]


def test_a_key_of_two_lines_is_refused_and_not_shown() -> None:
    """It came from a file with a second line in it; no request could be sent with it."""
    text = ONE.replace("[service.a]", '[service.a]\nkey = "${KEY}"')

    assert complaints(text, {"KEY": f"{KEY}\nsecond"}) == [
        "service.a.key: ${KEY} has a line break or a control character in it, want one line"
    ]


def test_what_the_page_looks_like_is_read_now_rather_than_missed_later(tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text("a" * 300_001)
    text = ONE + '[page]\ncss = "own.css"\nlogo = "logo.svg"\n'
    assert complaints(text, folder=tmp_path) == [
        "page.css: own.css has 300001 bytes, want at most 300000",
        f"page.logo: there is no file {tmp_path / 'logo.svg'}",
    ]
