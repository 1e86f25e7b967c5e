"""`monitor audit`: the whole set once against a simulated relay, over real sockets; healthy, faulty, hostile."""

import asyncio
import json
import os
import pty
import select
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import command_cast
import pytest
import trustme
from aiohttp import web
from drawn_words import drawn
from listening import listening

from monitor import __version__
from monitor.cli.audit_html import page
from monitor.cli.audit_plan import expected, likely_model, own_model, planned
from monitor.cli.audit_report import document, headline, parts
from monitor.cli.audit_run import Audit, AuditRun, StepFinding
from monitor.cli.console import SafeConsole
from monitor.clock import SystemClock
from monitor.cycle import as_measured
from monitor.demo.api_common import CHAT_MODELS, MODELS
from monitor.demo.endpoint_app import EndpointApp
from monitor.demo.endpoints import ENDPOINTS, SimulatedEndpoint
from monitor.demo.faults import SimulatedFault
from monitor.model import Endpoint, FailureKind, Redactor, Secret
from monitor.probes import PROBES
from monitor.probes.answer.identity_reference import IdentityReference, reference_document
from monitor.probes.answer.one_word import sample
from monitor.probes.wire.client import Client

MINI = CHAT_MODELS[0]
KEY = "a-key-of-relays"
WELL = {StepFinding.WORKS, StepFinding.DESCRIBED}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Relay:
    """The simulated service; it answers at once, notes what is asked, and lacks the paths that begin as `lacks` says."""

    def __init__(self, endpoint: SimulatedEndpoint) -> None:
        self.fault: SimulatedFault | None = None
        self.lacks: dict[str, int] = {}
        self.busy = 0
        """How many paid requests are refused yet."""
        self.asked: list[str] = []
        self.url = ""
        self.app = EndpointApp(endpoint, KEY, lambda: self.fault, Random(5)).build()
        self.app.middlewares.insert(0, self._note)

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.busy and request.method == "POST":
            self.busy -= 1
            return web.json_response({"error": {"message": "Slow down"}}, status=429)
        for path, status in self.lacks.items():
            if request.path.startswith(path):
                return web.json_response({"error": {"message": "no"}}, status=status)
        return await handler(request)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay(replace(ENDPOINTS[0], first_token_s=0.0, tokens_per_s=1e6))
    async with listening(relay.app) as relay.url:
        yield relay


async def audited(
    url: str,
    model: str = MINI,
    reference: IdentityReference | None = None,
    words: int = 6,
    only: Sequence[str] = tuple(PROBES),
) -> Audit:
    steps = planned(model, pause=timedelta(milliseconds=1), words=words)
    endpoint = Endpoint(id="e", service="s", url=url, name=url, key=Secret(KEY))
    async with Client() as client:
        run = AuditRun(
            endpoint=endpoint,
            model=model,
            steps=[step for step in steps if step.probe.kind in only],
            client=client,
            clock=SystemClock(),
            explain=as_measured,
            redact=Redactor([Secret(KEY)]),
            reference=reference,
            rng=Random(3),
            pause_s=0.0,
        )
        return await run.run()


def findings(audit: Audit) -> dict[str, StepFinding]:
    return {step.step.name: step.finding for step in audit.steps}


def wrong(audit: Audit) -> dict[str, FailureKind]:
    return {step.step.name: step.failure.kind for step in audit.broken if step.failure}


def report(audit: Audit) -> str:
    console = SafeConsole(width=10_000, color_system=None, record=True, quiet=True)
    with console.capture() as said:
        console.quiet = False
        for part in parts(audit):
            console.print(part, highlight=False)
    return said.get()


def recorded(model: str) -> IdentityReference:
    words = sample(drawn(model, 144, 3))
    return IdentityReference(
        recorded=datetime(2026, 11, 1, tzinfo=UTC),
        model=model,
        host="api.example.com",
        temperature=1.0,
        max_tokens=16,
        counts={cell: Counter(said) for cell, said in words.items()},
    )


async def test_a_healthy_relay_is_found_well_in_everything_that_is_for_audits(relay: Relay) -> None:
    audit = await audited(relay.url)
    assert set(findings(audit).values()) == WELL
    assert audit.is_well
    assert {step.step.probe.kind for step in audit.steps} == {
        name for name, kind in PROBES.items() if kind.audited
    }
    assert audit.answered == (MINI,)
    said = report(audit)
    assert f"asked for {MINI}; {MINI} answered" in said
    assert "12.50 USD left on this key" in said
    assert KEY not in said
    assert said.splitlines()[-1] == headline(audit)
    assert headline(audit).startswith("Nothing wrong was found: ")


@pytest.mark.parametrize(
    ("fault", "want"),
    [
        (SimulatedFault.UNCACHED, {"cache (chat)": FailureKind.CACHE_MISSING}),
        (
            SimulatedFault.TOOLLESS,
            {
                f"tools ({api})": FailureKind.TOOL_CALL_MISSING
                for api in ("chat", "responses", "messages", "gemini")
            },
        ),
        (
            SimulatedFault.OTHER_MODEL,
            dict.fromkeys(("chat", "messages", "responses", "gemini"), FailureKind.MODEL_MISMATCH),
        ),
    ],
)
async def test_what_is_wrong_is_found_and_nothing_else(
    relay: Relay, fault: SimulatedFault, want: dict[str, FailureKind]
) -> None:
    relay.fault = fault
    audit = await audited(relay.url)
    assert wrong(audit) == want
    assert not audit.is_well
    (kind,) = set(want.values())
    assert f"{', '.join(want)}: {kind.row.label} ({kind.value})" in report(audit)
    assert "Whose fault: the base URL or what is behind it." in report(audit)


@pytest.mark.parametrize(
    ("fault", "steps", "kind"),
    [
        (SimulatedFault.CUT, ("chat", "messages", "responses", "gemini"), FailureKind.TRUNCATED),
        (SimulatedFault.SCHEMALESS, ("structured",), FailureKind.SCHEMA_IGNORED),
        (SimulatedFault.TOOL_CALL_CUT, ("tools (chat)",), FailureKind.TOOL_CALL_BROKEN),
        (SimulatedFault.SERVER_ERROR, ("chat",), FailureKind.SERVER_ERROR),
    ],
)
async def test_each_sort_of_fault_is_found_where_it_shows(
    relay: Relay, fault: SimulatedFault, steps: Sequence[str], kind: FailureKind
) -> None:
    relay.fault = fault
    for _ in range(3):  # a machine that lags judges nothing
        audit = await audited(relay.url)
        if not any(step.finding is StepFinding.UNKNOWN for step in audit.steps):
            break
    assert {name: found for name, found in wrong(audit).items() if name in steps} == (
        dict.fromkeys(steps, kind)
    ), {step.step.name: (step.finding, step.failure) for step in audit.steps}
    assert not audit.is_well


async def test_a_refused_key_is_one_sentence_and_nothing_further_is_asked(relay: Relay) -> None:
    relay.fault = SimulatedFault.KEY_REJECTED
    audit = await audited(relay.url)
    assert relay.asked == ["/", "/v1/models"]
    assert headline(audit).startswith("The key is refused: got HTTP 401")
    assert not audit.is_well
    assert report(audit).splitlines()[-1] == headline(audit)


async def test_an_empty_account_ends_it_at_the_first_question_that_is_paid(relay: Relay) -> None:
    relay.fault = SimulatedFault.OUT_OF_MONEY
    audit = await audited(relay.url)
    assert relay.asked == ["/", "/v1/models", "/v1/chat/completions"]
    assert headline(audit).startswith("Quota used up: ")


async def test_what_cannot_be_asked_is_asked_nothing_more() -> None:
    audit = await audited("http://127.0.0.1:9")
    assert [step.step.name for step in audit.steps] == ["http"]
    assert headline(audit).startswith("It cannot be asked: ")


async def test_apis_that_a_relay_does_not_speak_are_no_fault(relay: Relay) -> None:
    relay.lacks = {"/v1/messages": 401, "/v1/responses": 405, "/v1beta": 404, "/api/": 404}
    audit = await audited(relay.url)
    found = findings(audit)
    absent = {name for name, finding in found.items() if finding is StepFinding.NOT_OFFERED}
    assert absent == {"messages", "responses", "gemini", "balance"}
    unasked = {name for name, finding in found.items() if finding is StepFinding.NOT_ASKED}
    assert unasked == {"tools (messages)", "tools (responses)", "tools (gemini)"}
    assert audit.is_well


async def test_a_relay_with_another_api_alone_is_asked_through_that(relay: Relay) -> None:
    relay.lacks = {"/v1/chat": 404, "/v1/responses": 404, "/v1beta": 404}
    audit = await audited(relay.url)
    found = findings(audit)
    assert found["messages"] is found["tools (messages)"] is StepFinding.WORKS
    assert found["structured"] is found["identity"] is StepFinding.NOT_ASKED
    assert found["cache (messages)"] is StepFinding.WORKS
    assert audit.is_well


async def test_a_model_that_nobody_has_ends_it_with_the_name_that_is_nearest(relay: Relay) -> None:
    audit = await audited(relay.url, "demo-mimi")
    says = headline(audit)
    assert says.startswith("No API of this base URL answers as demo-mimi: got HTTP 404")
    assert says.endswith('the nearest in its list of models is "demo-mini".')


async def test_a_web_page_in_place_of_an_api_is_said_to_be_one(relay: Relay) -> None:
    relay.fault = SimulatedFault.PANEL
    audit = await audited(relay.url)
    assert headline(audit).endswith(
        'got an HTML page titled "Relay panel", want the API\'s JSON; is the base URL right?'
    )
    assert findings(audit)["models"] is StepFinding.NOT_OFFERED


async def test_a_server_that_is_busy_for_a_moment_is_asked_again(relay: Relay) -> None:
    relay.busy = 2
    audit = await audited(relay.url)
    assert audit.is_well
    assert [step.runs for step in audit.steps if step.step.name == "chat"] == [3]


async def test_answers_are_compared_with_a_reference_where_there_is_one(relay: Relay) -> None:
    same = await audited(relay.url, reference=recorded("gpt-4o-mini"), words=60)
    assert findings(same)["identity"] is StepFinding.WORKS
    other = await audited(relay.url, reference=recorded("claude-sonnet-4.5"), words=60)
    assert wrong(other) == {"identity": FailureKind.MODEL_SUSPECT}
    assert "The answers differ as much as between two models." in report(other)
    assert not other.is_well
    told = document(other, with_balance=False)["identity"]
    assert told["comparison"]["differs"] is True
    few = await audited(relay.url, reference=recorded("claude-sonnet-4.5"))
    assert findings(few)["identity"] is StepFinding.UNKNOWN
    assert "Could not be judged: identity." in headline(few)


async def silent(request: web.Request) -> web.StreamResponse:
    """Answer without a count of tokens; one word of three is missing."""
    if request.path.endswith("/models"):
        return web.json_response({"object": "list", "data": [{"id": MINI}]})
    if not request.path.endswith("/chat/completions"):
        return web.json_response({"error": {"message": "no"}}, status=404)
    asked = (await request.json())["messages"][-1]["content"]
    text = "" if "colour" in asked or "city" in asked else "blue"
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    answer = {"id": "x", "object": "chat.completion", "model": MINI, "choices": [choice]}
    return web.json_response(answer)


async def test_what_a_base_url_does_not_tell_is_not_judged_and_never_called_wrong() -> None:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", silent)
    async with listening(app) as url:
        audit = await audited(
            url, only=("models", "chat", "cache", "identity", "tokenizer"), words=24
        )
    found = findings(audit)
    asked = ("cache (chat)", "identity", "tokenizer (chat)")
    assert [found[name] for name in asked] == [StepFinding.UNKNOWN] * 3
    assert set(wrong(audit)) == {"chat"}
    assert headline(audit).endswith(f"Could not be judged: {', '.join(asked)}.")


async def test_the_document_tells_of_the_account_only_where_that_is_wanted(relay: Relay) -> None:
    audit = await audited(relay.url)
    public = document(audit, with_balance=False)
    assert '"amount"' not in json.dumps(public)
    assert KEY not in json.dumps(public)
    steps = {step["step"]: step for step in document(audit, with_balance=True)["steps"]}
    assert steps["balance"]["balance"] == {"amount": 12.5, "currency": "USD", "of_key": True}
    assert (public["format"], public["version"], public["well"]) == ("monitor-audit", 1, True)


class Tags(HTMLParser):
    """Collects the elements of a page, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def read_tags(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    return tags


async def test_the_page_can_be_given_away(relay: Relay) -> None:
    relay.fault = SimulatedFault.TOOLLESS
    audit = await audited(relay.url, reference=recorded("gpt-4o-mini"), words=60)
    text = page(audit)
    for said in (relay.url, MINI, f"monitor {__version__}", "No tool calls"):
        assert said in text
    assert f"{audit.at:%Y-%m-%d %H:%M:%S} UTC" in text
    for secret in ("12.50", "balance", KEY):
        assert secret not in text
    tags = read_tags(text)
    assert tags.names.isdisjoint({"script", "link", "img", "iframe", "object", "a", "form"})
    assert tags.attributes.isdisjoint({"src", "href", "style"})
    assert "url(" not in text
    assert "@import" not in text


async def test_the_page_keeps_the_words_of_a_refusal_to_itself(relay: Relay) -> None:
    relay.fault = SimulatedFault.OUT_OF_MONEY
    audit = await audited(relay.url)
    assert "剩余额度" in headline(audit)
    text = page(audit)
    assert "剩余额度" not in text
    assert "Quota used up: got HTTP 403: &#34;…&#34;" in text


HOSTILE = f'<script>alert("1")</script><img src=x onerror=x>\x1b[2J {KEY} "balance 3.50"'


async def hostile_answer(request: web.Request) -> web.StreamResponse:
    """Answer whatever is asked in every way at once: a list, a choice, an error's words."""
    message = {"role": "assistant", "content": HOSTILE, "tool_calls": [HOSTILE, 3, None]}
    choice = {"message": message, "finish_reason": HOSTILE}
    names = [{"id": f"{HOSTILE}-mini"}, {"id": 3}, None, {"id": f"embed {HOSTILE}"}]
    if request.path == "/v1/responses":
        return web.json_response({"error": {"message": HOSTILE, "code": HOSTILE}}, status=500)
    told = {"model": HOSTILE, "choices": [choice], "data": names, "content": [HOSTILE]}
    return web.json_response(told, headers={"X-Odd": "<b>"})


async def test_a_hostile_relay_gets_nothing_into_what_is_written() -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hostile_answer)
    async with listening(app) as url:
        audit = await audited(url, model="")
        named = await audited(url, model="m")
    assert audit.is_chosen
    well = read_tags(page(replace(named, steps=())))
    for found in (audit, named):
        assert not found.is_well
        text = page(found)
        assert read_tags(text).names <= well.names | {"h3"}
        assert read_tags(text).attributes <= well.attributes
        told = json.dumps(document(found, with_balance=True))
        for written in (text, told, report(found)):
            assert KEY not in written
            assert "\x1b" not in written


def test_the_whole_set_costs_what_its_help_says() -> None:
    cost = expected(planned("m"))
    assert 7_000 < cost.tokens < 8_000
    assert 85 < cost.questions < 95


def test_a_model_is_chosen_that_probably_converses_and_is_cheap() -> None:
    assert likely_model(MODELS) == "demo-mini"
    assert likely_model(["gpt-5", "claude-haiku-4", "tts-1", "text-embedding-3-small"]) == (
        "claude-haiku-4"
    )
    assert likely_model(["whisper-1"]) == ""
    assert own_model(["e", "embed-large", "embed-small"], "embed") == "embed-small"
    assert own_model([], "embed") == ""


async def command(*arguments: str, cwd: Path, key: str = KEY) -> CompletedProcess[str]:
    run = partial(command_cast.monitor, "audit", *arguments, cwd=cwd, env={"KEY": key})
    return await asyncio.to_thread(run)


async def test_the_command_announces_first_and_ends_with_one_when_something_is_wrong(
    relay: Relay, tmp_path: Path
) -> None:
    done = await command(relay.url, "--key-env", "KEY", "--yes", cwd=tmp_path, key="wrong-key-here")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].split() == ["what", "requests", "tokens"]
    assert "This is asked of a model that it lists" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("models: not judged")
    assert done.stdout.splitlines()[-1].startswith("The key is refused: got HTTP 401")


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("--key-env", "OTHER", "--yes"), 2, "OTHER is not set"),
        (("--key-env", "KEY"), 1, "add --yes to spend these tokens"),
        (("--yes",), 1, "name the variable that holds the key: --key-env NAME"),
        (("--key-env", "KEY", "--reference", "none.json"), 1, "none.json cannot be read"),
        (("--key-env", "KEY", "--ca-file", "none.pem"), 2, "there is no file none.pem"),
        (("--key-env", "KEY", "--yes", "--html", "no/such/folder"), 1, "there is no folder"),
        (("--key-env", "KEY", "--yes", "--with-balance"), 2, "wants --json"),
        (("--key", KEY, "--yes"), 2, "No such option"),
    ],
)
async def test_nothing_is_asked_where_something_is_missing(
    relay: Relay, tmp_path: Path, arguments: Sequence[str], code: int, what: str
) -> None:
    done = await command(relay.url, *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert what in done.stderr
    assert relay.asked == []


@pytest.mark.slow
async def test_the_command_writes_one_document_and_nothing_else(
    relay: Relay, tmp_path: Path
) -> None:
    (tmp_path / "mini.json").write_text(json.dumps(reference_document(recorded("gpt-4o-mini"))))
    options = (
        "--key-env",
        "KEY",
        "--yes",
        "--json",
        "--html",
        "a.html",
        "--reference",
        "mini.json",
    )
    done = await command(relay.url, "--model", MINI, *options, cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    told = json.loads(done.stdout)
    assert told["model"] == {"asked": MINI, "chosen": False, "answered": [MINI]}
    assert told["says"].startswith("Nothing wrong was found")
    assert len(done.stderr.splitlines()) == 2 * len(told["steps"]) + 2


async def test_a_private_ca_is_trusted_where_it_is_named_and_the_file_to_give_away_tells_nothing_of_the_way(
    tmp_path: Path,
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    expired = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)).configure_cert(
        expired
    )
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    arguments = ("--key-env", "KEY", "--yes")
    async with listening(Relay(ENDPOINTS[0]).app, context) as url:
        ask = partial(command, url, *arguments, cwd=tmp_path, key="wrong-key-here")
        named = await ask("--ca-file", "ca.pem")
        unnamed = await ask("--html", "a.html")
    assert "The key is refused: got HTTP 401" in named.stdout
    assert "It cannot be asked: got the server's own certificate alone" in unnamed.stdout
    assert "own network: " in unnamed.stdout
    assert "own network: " not in (tmp_path / "a.html").read_text()
    async with listening(Relay(ENDPOINTS[0]).app, expired) as url:
        options = (*arguments, "--ca-file", "ca.pem", "--html", "b.html")
        done = await command(url, *options, cwd=tmp_path)
    assert "It cannot be asked: got a certificate outside its dates" in done.stdout
    assert "own network: " in done.stdout
    assert "own network: " not in (tmp_path / "b.html").read_text()


async def test_an_address_with_a_password_is_refused(tmp_path: Path) -> None:
    done = await command("https://me:hush@a.example", "--key-env", "KEY", cwd=tmp_path)
    assert done.returncode == 2
    assert "hush" not in done.stderr


@pytest.mark.slow
async def test_a_stream_that_is_held_back_is_told_from_one_that_is_not() -> None:
    relay = Relay(replace(ENDPOINTS[0], first_token_s=0.4, tokens_per_s=150))
    only = ("http", "models", "chat")
    async with listening(relay.app) as url:
        good = await audited(url, only=only)
        relay.fault = SimulatedFault.BUFFERED
        bad = await audited(url, only=only)
    assert "streams as it is written, 1" in good.steps[-1].note
    assert wrong(bad) == {"chat": FailureKind.FAKE_STREAMING}
    assert bad.steps[-1].runs == 3


def at_a_terminal(url: str, folder: Path, *answers: str) -> tuple[int, str]:
    """Run the command where a person sits, who types an answer at each question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [command_cast.MONITOR, "audit", url],
        cwd=folder,
        env={"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, waiting = b"", [*answers]
    while select.select([ours], [], [], 20)[0]:
        try:
            said += os.read(ours, 4096)
        except OSError:  # it has ended
            break
        if waiting and said.rstrip().endswith(b":"):
            time.sleep(0.3)  # a hidden question throws away what was typed before it
            os.write(ours, waiting.pop(0).encode() + b"\n")
    os.close(ours)
    return process.wait(10), said.decode()


@pytest.mark.slow
async def test_at_a_terminal_the_key_is_typed_unseen_and_nothing_is_asked_before_a_yes(
    relay: Relay, tmp_path: Path
) -> None:
    ask = partial(asyncio.to_thread, at_a_terminal, relay.url, tmp_path)
    code, said = await ask("another-key-than-theirs", "n")
    assert (code, relay.asked) == (1, [])
    assert "Go on? [y/N]:" in said
    code, said = await ask("another-key-than-theirs", "y")
    assert (code, relay.asked) == (1, ["/", "/v1/models"])
    assert "The key is refused" in said
    assert "another-key-than-theirs" not in said
