"""A probe asks as the operator's own client does: its system text, its headers, its parameters."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from listening import listening
from relay import plain, relaying
from run_check import run_check

from monitor.config import parse
from monitor.demo.replies import answer
from monitor.model import ConfigError, FailureKind, Habit, Redactor
from monitor.probes import PROBES
from monitor.probes.kinds.api_call import PaidCall
from monitor.probes.kinds.conversation import Conversation
from monitor.probes.wire.client import Client

PAID = sorted(name for name, kind in PROBES.items() if issubclass(kind, PaidCall))
TALKING = sorted(name for name, kind in PROBES.items() if issubclass(kind, Conversation))
REFUSAL = plain({"error": {"message": "no"}}, 403)
PATH = Path("/etc/monitor/monitor.toml")


async def asked(kind: str, **settings: Any) -> Any:
    async with relaying() as relay:
        relay.answering = REFUSAL
        await relay.ask(kind, **settings)
    return relay.asked[0]


@pytest.mark.parametrize("kind", PAID)
async def test_headers_path_and_parameters_of_the_operators_are_sent(kind: str) -> None:
    request = await asked(
        kind,
        headers={"user-agent": "their-client/1", "Authorization": "Bearer other"},
        path="/their/way",
        body={"user": "their user", "metadata": {"a": [1, True]}},
    )
    assert request.path == "/their/way"
    assert request.headers["User-Agent"] == "their-client/1"
    assert request.headers["Authorization"] == "Bearer other"
    if kind != "transcriptions":  # a form, below
        assert request.json.items() >= {"user": "their user", "metadata": {"a": [1, True]}}.items()


async def test_a_form_carries_them_too() -> None:
    parts: list[bytes] = []

    async def answering(request: Any, _: Any) -> Any:
        parts.append(await request.read())
        return await REFUSAL(request, _)

    async with relaying() as relay:
        relay.answering = answering
        await relay.ask("transcriptions", body={'na"me': "x", "include": ["logprobs"]})
    assert b'name="na%22me"\r\n\r\nx' in parts[0]
    assert b'name="include"\r\n\r\n["logprobs"]' in parts[0]


def system_in(kind: str, body: Any) -> str:
    """Return the system text where the protocol of a kind has it."""
    if kind == "messages":
        return str(body["system"])
    if kind == "responses":
        return str(body["instructions"])
    if kind == "gemini":
        return str(body["systemInstruction"]["parts"][0]["text"])
    if kind == "completions":
        return str(body["prompt"])
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    return str(body["messages"][0]["content"])


@pytest.mark.parametrize("kind", TALKING)
async def test_a_system_text_stands_where_the_protocol_has_it(kind: str) -> None:
    request = await asked(kind, system="You are their client.")
    text = system_in(kind, request.json)
    assert text.startswith("You are their client.")
    assert (text == "You are their client.") is (kind not in {"completions", "identity"})


async def test_tables_are_merged_and_other_values_replaced() -> None:
    body = {"generationConfig": {"topK": 1, "temperature": 0.5}, "safetySettings": []}
    request = await asked("gemini", body=body)
    config = request.json["generationConfig"]
    assert config == {
        "maxOutputTokens": 320,
        "temperature": 0.5,
        "thinkingConfig": {"thinkingBudget": 0},
        "topK": 1,
    }
    assert request.json["safetySettings"] == []


async def test_what_the_operator_asks_for_is_not_left_out_where_it_is_refused() -> None:
    error = {"error": {"message": "temperature is not supported", "param": "temperature"}}
    async with relaying() as relay:
        relay.answering = plain(error, 400)
        finding = await relay.ask("chat", body={"temperature": 0.3})
    assert [request.json["temperature"] for request in relay.asked] == [0.3]
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.REQUEST_REJECTED
    assert finding.habit.refused == frozenset()


async def test_a_relay_for_one_client_alone_refuses_us_until_we_ask_as_that_client() -> None:
    async def answering(request: web.Request, asked: Any) -> web.StreamResponse:
        system, question = asked.json["messages"][0], asked.json["messages"][-1]
        is_theirs = request.headers["User-Agent"].startswith("their-client/")
        if not is_theirs or system["role"] != "system" or "effort" not in asked.json:
            error = {"message": "This group only allows Codex clients", "type": "forbidden_error"}
            return await plain({"error": error}, 403)(request, asked)
        said = {"role": "assistant", "content": answer(question["content"])}
        choices = [{"index": 0, "message": said, "finish_reason": "stop"}]
        return await plain({"choices": choices, "model": "model-x"})(request, asked)

    async with relaying() as relay:
        relay.answering = answering
        refused = await relay.ask("chat", stream=False)
        headers, body = {"User-Agent": "their-client/2"}, {"effort": "low"}
        taken = await relay.ask("chat", stream=False, system="Hi.", headers=headers, body=body)
    assert refused.failure is not None
    assert refused.failure.kind is FailureKind.CLIENT_REFUSED
    assert taken.failure is None


def complaint(probe: str) -> str:
    toml = f"""
[service.s]
key = "${{KEY}}"
model = "m"
endpoints = {{ e = "https://a.example" }}
[service.s.probes]
p = {{ {probe} }}
"""
    with pytest.raises(ConfigError) as caught:
        parse(toml, path=PATH, env={"KEY": "a-key"})
    assert len(caught.value.complaints) == 1
    return str(caught.value.complaints[0])


CONTROLLED = [
    (name, path)
    for name in PAID
    if issubclass(kind := PROBES[name], PaidCall)
    for path in kind.controlled
]


@pytest.mark.parametrize(("kind", "path"), CONTROLLED)
def test_what_the_probe_must_control_is_refused_with_its_place_and_a_remedy(
    kind: str, path: str
) -> None:
    *tables, name = path.split(".")
    value = f"{{ {name} = 1 }}"
    for table in tables:
        value = f"{{ {table} = {value} }}"
    told = complaint(f'kind = "{kind}", body = {value}')
    begin = f"service.s.probes.p.body: sets `{path}`, which the probe itself must control; "
    assert told.removeprefix(begin) in {
        "leave it out",
        *(f"write `{key}` beside it" for key in ("model", "text", "stream", "max_tokens")),
        *(f"write `{key}` beside it" for key in ("size", "quality", "voice")),
    }


@pytest.mark.parametrize(
    ("probe", "what"),
    [
        (
            'kind = "gemini", body = { generationConfig = 1 }',
            "body: sets `generationConfig.maxOutputTokens`, which the probe itself must control",
        ),
        (
            'kind = "chat", body = "x"',
            'body: want a table such as { metadata = { user_id = "monitor" } }',
        ),
        (
            'kind = "chat", body = { a = [2026-12-01] }',
            'body: holds 2026-12-01, which JSON does not have; write it in quotes: "2026-12-01"',
        ),
        (
            'kind = "chat", body = { a = { b = inf } }',
            "body: holds the number inf, which JSON does not have",
        ),
        (
            'kind = "messages", system = "x", body = { system = "y" }',
            "got `system` and `system` in `body`, want one of the two",
        ),
        ('kind = "chat", system = ""', 'system: got "", want at least 1 character'),
        ('kind = "embeddings", system = "x"', "system: unknown key"),
        (
            'kind = "chat", headers = { host = "b.example" }',
            "headers.host: host is set by the program for each request; remove it",
        ),
        (
            'kind = "chat", headers = { Content-Length = "1" }',
            "headers.Content-Length: Content-Length is set by the program for each request; remove it",
        ),
        (
            'kind = "chat", headers = { X-A = "a\\r\\nb" }',
            "headers.X-A: want a header value of one line",
        ),
        (
            'kind = "chat", headers = { "X A" = "a" }',
            "headers.X A: want header names such as X-Relay-Group",
        ),
        ('kind = "models", headers = { X-A = "a" }', "headers: unknown key"),
    ],
)
def test_what_cannot_be_sent_is_refused(probe: str, what: str) -> None:
    told = complaint(probe).removeprefix("service.s.probes.p").lstrip(".: ")
    assert told.startswith(what)


def test_the_headers_of_a_service_are_those_of_its_base_urls_and_win_over_none_of_theirs() -> None:
    toml = """
[service.s]
model = "m"
headers = { X-Group = "usual" }
probes = { chat = "5m" }
[service.s.endpoints]
e = { url = "https://a.example", headers = { X-Group = "own" } }
"""
    (check,) = parse(toml, path=PATH, env={}).checks
    assert isinstance(check.probe, PaidCall)
    assert [value.reveal() for _, value in check.endpoint.headers] == ["own"]
    assert check.probe.own_headers() == ()


def test_the_budget_reserves_what_is_added() -> None:
    usual, more = (
        PROBES["chat"](),
        PROBES["chat"](system="x" * 1000, body={"metadata": {"user": "y" * 500}}),
    )
    added = more.reserve(Habit()).tokens - usual.reserve(Habit()).tokens
    assert 1500 < added < 1600


async def test_a_secret_in_a_header_or_a_body_is_never_shown_again(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        words = f"{request.headers['X-Token']} {(await request.json())['pass']} {request.headers['X-File']}"
        return web.json_response({"error": {"message": f"no {words}"}}, status=400)

    (tmp_path / "token").write_text("canary-of-a-file\n")
    (tmp_path / "token").chmod(0o600)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", echo)
    async with listening(app) as url, Client() as client:
        toml = f"""
[service.s]
key = "${{KEY}}"
model = "m"
endpoints = {{ e = "{url}" }}
[service.s.probes.chat]
headers = {{ X-Token = "${{TOKEN}}", X-File = "file:token" }}
body = {{ pass = "${{PASS}}" }}
"""
        env = {"KEY": "a-key-of-ours", "TOKEN": "canary-of-a-header", "PASS": "canary-of-a-body"}
        config = parse(toml, path=tmp_path / "monitor.toml", env=env)
        attempted = await run_check(config.checks[0], client, redact=Redactor(config.secrets))
    assert attempted.result.failure is not None
    assert attempted.result.failure.message == 'got HTTP 400: "no *** *** ***", want 200'
    assert "canary" not in json.dumps(str(attempted))
    assert "canary" not in repr(config.checks)
