"""Base URLs as people write them: what is meant is understood, what cannot be meant is refused with a remedy."""

from pathlib import Path

import pytest

from monitor.config import Config, parse
from monitor.model import ConfigError
from monitor.probes.kinds.api_call import api_url

PATH = Path("/etc/monitor/monitor.toml")


def read(url: str, *, strict: bool = True) -> Config:
    text = f'[service.a]\nprobes = {{ http = "1m" }}\nendpoints = {{ x = "{url}" }}\n'
    return parse(text, path=PATH, env={}, strict=strict)


def complaint(url: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(url)
    (complaint,) = caught.value.complaints
    assert complaint.where == "service.a.endpoints.x.url"
    return complaint.what


@pytest.mark.parametrize(
    ("url", "call"),
    [
        ("https://a.example", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1/", "https://a.example/v1/chat/completions"),
        ("https://a.example/openai/v1", "https://a.example/openai/v1/chat/completions"),
        ("https://a.example/api/paas/v4", "https://a.example/api/paas/v4/chat/completions"),
        ("https://a.example/api/v3/", "https://a.example/api/v3/chat/completions"),
        ("https://a.example/v1beta/openai", "https://a.example/v1beta/openai/chat/completions"),
        (
            "https://a.example/v1/acc/gw/openai",
            "https://a.example/v1/acc/gw/openai/chat/completions",
        ),
        ("https://a.example/v2/relay/v1", "https://a.example/v2/relay/v1/chat/completions"),
        ("https://a.example/v1-openai", "https://a.example/v1-openai/chat/completions"),
        ("https://a.example#", "https://a.example/chat/completions"),
        ("https://a.example/inference/#", "https://a.example/inference/chat/completions"),
        ("https://a.example/v1#", "https://a.example/v1/chat/completions"),
        ("https://a.example/dev1/v", "https://a.example/dev1/v/v1/chat/completions"),
    ],
)
def test_a_call_gets_the_version_that_the_base_url_does_not_name(url: str, call: str) -> None:
    (endpoint,) = read(url).services[0].endpoints
    assert api_url(endpoint, "/v1/chat/completions") == call
    assert "#" not in endpoint.url


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("https://a.example/v1/chat/completions", '"https://a.example/v1"'),
        ("https://a.example/api/paas/v4/chat/completions/", '"https://a.example/api/paas/v4"'),
        ("https://a.example/chat/completions", '"https://a.example#"'),
        ("https://a.example/v1/responses", '"https://a.example/v1"'),
        ("https://a.example/v1/models", '"https://a.example/v1"'),
        ("https://a.example/v1/audio/speech", '"https://a.example/v1"'),
        ("https://a.example/v1beta/models/m-1:generateContent", '"https://a.example/v1beta"'),
        (
            "https://a.example/openai/deployments/d/chat/completions?api-version=2026-01-01",
            '"https://a.example", and in the probe path = "/openai/deployments/d/chat/completions?api-version=2026-01-01"',
        ),
    ],
)
def test_the_address_of_a_call_is_refused_and_its_base_url_offered(url: str, want: str) -> None:
    assert complaint(url) == f"is the address of a call, want the base URL: {want}"


def test_a_daemon_takes_the_address_of_a_call_as_its_base_url_and_warns() -> None:
    """The operator's meaning is clear, so only `monitor validate` and `monitor init` insist."""
    config = read("https://a.example/chat/completions", strict=False)
    (endpoint,) = config.services[0].endpoints
    assert api_url(endpoint, "/v1/chat/completions") == "https://a.example/chat/completions"
    assert [warning.where for warning in config.warnings] == ["service.a.endpoints.x.url"]


def test_a_web_page_may_have_a_path_that_a_call_has_too() -> None:
    (endpoint,) = read("https://a.example/messages").services[0].endpoints
    assert endpoint.url == "https://a.example/messages"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (
            "api.a.example/v1",
            'got "api.a.example", want https:// (or http://) before it: "https://api.a.example"',
        ),
        (
            "localhost:3000",
            'got "localhost:3000", want https:// (or http://) before it: "https://localhost:3000"',
        ),
        ("https:/a.example", 'wants a scheme with "://", such as "https://a.example"'),
        ("https//a.example", 'wants a scheme with "://", such as "https://a.example"'),
        (
            "htps://a.example",
            'got the scheme "htps://", want https:// or http://; did you mean "https://"?',
        ),
        ("ftp://a.example", 'got the scheme "ftp://", want https:// or http://'),
        (
            "https://https://a.example",
            'begins with a scheme twice; want it once, such as "https://a.example"',
        ),
        (
            "https://a.example/v1https://a.example/v1",
            'is the same address twice; want "https://a.example" once',
        ),
        ("https://a.example/v1/v1", "ends in /v1 twice, want it once or not at all"),
        (
            "https://a.example, https://b.example",
            "holds several addresses, want one; each base URL gets an id of its own",
        ),
        (
            "https://a.exa\u200bmple",
            "has an invisible character (U+200B) in it; type the address anew",
        ),
        ("https://a.example:99999", 'got "https://a.example:99999", want a port from 1 to 65535'),
        ("http://2001:db8::1:80", "has an IPv6 address without [], want http://[2001:db8::1]"),
        ("https://a..example", 'got "https://a..example", want the name of a host in it'),
        (
            f"https://{'a' * 64}.example",
            f'got "https://{"a" * 64}.example", want the name of a host in it',
        ),
    ],
)
def test_each_mistake_has_a_sentence_of_its_own(url: str, what: str) -> None:
    assert complaint(url) == what


@pytest.mark.parametrize(
    "endpoints", ['{ x = ["https://a.example"] }', '{ x = { url = ["https://a.example"] } }']
)
def test_a_list_of_addresses_is_refused(endpoints: str) -> None:
    text = f'[service.a]\nprobes = {{ http = "1m" }}\nendpoints = {endpoints}\n'
    with pytest.raises(ConfigError, match=r"each (base URL )?gets an id of its own"):
        parse(text, path=PATH, env={})


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://stra\u00dfe.example/v1", "https://xn--strae-oqa.example"),
        ("https://\u4e2d\u8f6c.example:8443", "https://xn--fiqq40n.example:8443"),
        ("https://a.example./v1", "https://a.example"),
        ("http://my_relay.example", "http://my_relay.example"),
        ("https://[2001:db8::1]:8443/v1", "https://[2001:db8::1]:8443"),
        (" https://a.example/v1 ", "https://a.example"),
    ],
)
def test_every_probe_gets_the_host_as_browsers_ask_for_it(url: str, asked: str) -> None:
    (endpoint,) = read(url).services[0].endpoints
    assert endpoint.url == asked
