"""`monitor identity`: a reference recorded at the simulated service, over real sockets, and what it is good for."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import command_cast
import pytest
from cast import HandClock
from drawn_words import drawn
from listening import listening
from run_check import run_check

from monitor.config import Config, parse
from monitor.demo.api_common import CHAT_MODELS
from monitor.demo.endpoint_app import EndpointApp
from monitor.demo.endpoints import ENDPOINTS
from monitor.demo.faults import SimulatedFault
from monitor.model import ConfigError, FailureKind, Habit, Outcome, Result, RunRecord, WordHistory
from monitor.probes.answer.one_word import sample
from monitor.probes.wire.client import Client
from monitor.store import Store

MINI = CHAT_MODELS[0]
CHECK = "s/e/identity"


class Service:
    """The simulated service; it answers at once."""

    def __init__(self) -> None:
        self.fault: SimulatedFault | None = None
        self.url = ""
        quick = replace(ENDPOINTS[0], first_token_s=0.0, tokens_per_s=1e6)
        self.app = EndpointApp(quick, "the-key", lambda: self.fault, Random(5)).build()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with listening(service.app) as service.url:
        yield service


async def identity(*arguments: str, cwd: Path, key: str = "the-key") -> CompletedProcess[str]:
    run = partial(command_cast.monitor, "identity", *arguments, cwd=cwd, env={"KEY": key})
    return await asyncio.to_thread(run)


async def recorded(service: Service, cwd: Path, model: str, name: str) -> CompletedProcess[str]:
    arguments = ("--model", model, "--key-env", "KEY", "-o", name, "--answers", "96", "--yes")
    return await identity("record", service.url, *arguments, cwd=cwd)


def configured(folder: Path, url: str, more: str = "") -> Config:
    text = f"""
[service.s]
key = "${{KEY}}"
model = "{MINI}"
endpoints = {{ e = "{url}" }}
probes = {{ models = "1m", identity = {{ every = "30m"{more} }} }}
"""
    path = folder / "monitor.toml"
    path.write_text(text)
    return parse(text, path=path, env={"KEY": "the-key"})


async def lived(folder: Path, url: str, words: WordHistory, clock: HandClock) -> None:
    """Write a configuration, and a store with what its check has learned."""
    config = configured(folder, url)
    store = Store(config.store, clock=clock, vantage=config.vantage)
    store.open()
    store.recall()
    result = Result(check=CHECK, vantage=config.vantage, at=clock.now(), outcome=Outcome.UP)
    store.record(RunRecord(result=result, kind="identity", habit=Habit(words=words)))
    await store.close()


async def test_a_reference_is_announced_recorded_and_can_be_checked(
    service: Service, tmp_path: Path
) -> None:
    done = await recorded(service, tmp_path, MINI, "mini.json")
    assert (done.returncode, done.stderr) == (0, "")
    announced, wrote = done.stdout.splitlines()
    host = service.url.removeprefix("http://")
    assert announced == f"96 questions for one word to {MINI} at {host}, about 3,360 tokens"
    assert wrote.startswith("wrote mini.json: 96 answers (0 of them empty), ")

    text = (tmp_path / "mini.json").read_text()
    document = json.loads(text)
    assert "the-key" not in text
    assert document["format"] == "monitor-identity-reference"
    assert document["model"] == MINI
    assert document["sampling"] == {"temperature": 1.0, "max_tokens": 16}
    assert [sum(cell["words"].values()) for cell in document["cells"].values()] == [16] * 6
    assert document["cells"]["colour"]["questions"][0] == "Name a colour."

    again = await recorded(service, tmp_path, MINI, "mini.json")
    assert again.returncode == 1
    assert again.stderr == "mini.json is there already; choose another name\n"


async def test_answers_are_as_far_apart_for_everybody_who_compares_the_files(
    service: Service, tmp_path: Path
) -> None:
    assert (await recorded(service, tmp_path, MINI, "one")).returncode == 0
    (tmp_path / "copy").write_bytes((tmp_path / "one").read_bytes())
    same = await identity("compare", "one", "copy", cwd=tmp_path)
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines()[-1].startswith("They differ no more than chance explains.")

    document = json.loads((tmp_path / "one").read_text())
    for cell, words in sample(drawn("claude-sonnet-4.5", 144, 4)).items():
        document["cells"][cell]["words"] = Counter(words)
    (tmp_path / "other").write_text(json.dumps(document))
    apart = await identity("compare", "one", "other", "--json", cwd=tmp_path)
    assert apart.returncode == 1
    assert (
        apart.stdout == (await identity("compare", "one", "other", "--json", cwd=tmp_path)).stdout
    )
    told = json.loads(apart.stdout)
    assert (told["differs"], told["verdict"]) == (
        True,
        "The answers differ as much as between two models.",
    )
    assert told["chance"] < 0.001
    assert len(told["cells"]) == 6


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (SimulatedFault.KEY_REJECTED, "the model cannot be asked: got HTTP 401"),
        (SimulatedFault.OTHER_CLIENTS, "the model cannot be asked: got HTTP 403"),
    ],
)
async def test_a_refusal_ends_it_with_a_sentence_and_without_a_file(
    service: Service, tmp_path: Path, fault: SimulatedFault, what: str
) -> None:
    service.fault = fault
    done = await recorded(service, tmp_path, MINI, "none.json")
    assert done.returncode == 1
    assert done.stderr.startswith(what)
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("--key-env", "OTHER"), 2, "OTHER is not set"),
        (("--answers", "5"), 2, "48"),
        ((), 1, "add --yes to spend these tokens"),
        (("-o", "no/such/folder"), 1, "there is no folder"),
    ],
)
async def test_what_cannot_be_recorded_is_said_before_anything_is_spent(
    service: Service, tmp_path: Path, arguments: Sequence[str], code: int, what: str
) -> None:
    usual = ("record", service.url, "--model", MINI, "-o", "x", "--key-env", "KEY")
    done = await identity(*usual, *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert what in done.stderr


async def test_a_check_is_shown_and_compared_with_a_reference(
    service: Service, tmp_path: Path, clock: HandClock
) -> None:
    assert (await recorded(service, tmp_path, MINI, "mini.json")).returncode == 0
    words = WordHistory(
        baseline=drawn("gpt-4o-mini", 144, 3),
        since=clock.now(),
        recent=drawn("claude-sonnet-4.5", 96, 4),
    )
    await lived(tmp_path, service.url, words, clock)
    shown = await identity("show", CHECK, cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0] == CHECK
    assert lines[1].endswith(": 144 words")
    assert lines[2] == "last answers: 96 of 96 that are compared"
    assert [line.split()[0] for line in lines[5:]] == [
        "number",
        "number-zh",
        "colour",
        "animal",
        "city",
        "letter",
    ]
    document = json.loads((await identity("show", CHECK, "--json", cwd=tmp_path)).stdout)
    assert sum(document["cells"]["city"]["last"].values()) == 16

    apart = await identity("compare", "mini.json", CHECK, cwd=tmp_path)
    assert apart.returncode == 1
    assert f"against {CHECK}, which asks for " in apart.stdout
    missing = await identity("compare", "mini.json", "mimi.json", cwd=tmp_path)
    assert missing.stderr == "mimi.json cannot be read: No such file or directory\n"
    other = await identity("compare", "mini.json", "s/e/models", cwd=tmp_path)
    assert other.stderr == "s/e/models is no check of kind identity, want one\n"
    assert (await identity("compare", "monitor.toml", CHECK, cwd=tmp_path)).stderr == (
        "monitor.toml is no JSON, want a file of `monitor identity record`\n"
    )


async def test_a_page_that_is_written_from_the_store_says_what_one_gets(
    service: Service, tmp_path: Path, clock: HandClock
) -> None:
    words = WordHistory(baseline=drawn("gpt-4o", 144, 3), since=clock.now(), recent=())
    await lived(tmp_path, service.url, words, clock)
    with (tmp_path / "monitor.toml").open("a") as file:
        file.write("[page]\ntrust = true\n")
    done = await asyncio.to_thread(
        partial(command_cast.monitor, "render", cwd=tmp_path, env={"KEY": "the-key"})
    )
    assert (done.returncode, done.stderr) == (0, "")
    status = json.loads((tmp_path / "page" / "status.json").read_text())
    (fact,) = status["services"][0]["endpoints"][0]["trust"]
    assert (fact["what"], fact["finding"], fact["answers"]) == ("model", "learning", 96)


async def test_a_check_with_a_reference_suspects_another_model_before_it_has_learned_anything(
    service: Service, tmp_path: Path
) -> None:
    assert (await recorded(service, tmp_path, MINI, "mini.json")).returncode == 0

    async def judged(recent: str) -> FailureKind | None:
        config = configured(tmp_path, service.url, ', reference = "mini.json"')
        check = next(check for check in config.checks if check.key == CHECK)
        habit = Habit(words=WordHistory(recent=drawn(recent, 96, 4)))
        async with Client() as client:
            attempted = await run_check(check, client, habit=habit)
        failure = attempted.result.failure
        if failure is not None:
            assert "the reference of demo-mini of 20" in failure.message
        return failure and failure.kind

    assert await judged("gpt-4o-mini") is None
    assert await judged("claude-sonnet-4.5") is FailureKind.MODEL_SUSPECT


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{}", "is no reference, want a file of `monitor identity record`"),
    ],
)
def test_a_reference_that_is_none_is_a_complaint_with_its_place(
    tmp_path: Path, content: str | None, what: str
) -> None:
    if content is not None:
        (tmp_path / "ref.json").write_text(content)
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, "https://a.example", ', reference = "ref.json"')
    (complaint,) = caught.value.complaints
    assert str(complaint) == f"service.s.probes.identity.reference: {tmp_path}/ref.json {what}"
