"""The official clients of OpenAI, Anthropic and Google understand the simulated service: it is honest."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.demo.api_common import MODELS
from monitor.demo.launcher import Simulation
from monitor.demo.plain_api import painted
from monitor.probes.kinds.transcriptions import tone

PYTHON = os.environ.get("FOREIGN_PYTHON")
SCRIPT = Path(__file__).parent / "official_clients.py"
NUMBERS = " ".join(map(str, range(11, 91)))
TRANSCRIPT = "A tone, and then silence."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="FOREIGN_PYTHON does not name a Python with them"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("official")
    (folder / "red.png").write_bytes(painted((250, 10, 10), 64))
    (folder / "tone.wav").write_bytes(tone(Random(1)))
    with Simulation(folder, clock=SystemClock(), port=0, is_calm=True) as simulation:
        done = subprocess.run(
            [
                str(PYTHON),
                SCRIPT,
                simulation.addresses.endpoints["us-direct"],
                folder / "red.png",
                folder / "tone.wav",
            ],
            env={
                "PATH": os.environ["PATH"],
                "KEY": simulation.addresses.key,
                "SSL_CERT_FILE": str(simulation.ca_file),
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        yield json.loads(done.stdout)


def test_openais_client_reads_every_answer(seen: dict[str, Any]) -> None:
    assert seen["models"] == list(MODELS)
    assert (seen["chat"], seen["chat usage"]) == (NUMBERS, 101)
    assert (seen["chat stream"], seen["chat stream usage"]) == (NUMBERS, 101)
    assert seen["completions"].startswith(" 5 6 7")
    assert seen["completions stream"] == seen["completions"]
    assert (seen["responses"], seen["responses stream"]) == (NUMBERS, NUMBERS)
    assert seen["responses stream usage"] == 101
    assert {"response.created", "response.completed", "response.output_text.delta"} <= set(
        seen["responses stream events"]
    )
    assert (seen["embeddings"], seen["moderations"]) == (8, [False, True])
    assert (seen["images"], seen["speech"]) == (b"\x89PNG\r\n\x1a\n".hex(), "fffb")
    assert (seen["images stream"], seen["images stream usage"]) == (seen["images"], 280)
    assert (seen["speech stream"], seen["speech stream end"]) == ("fffb", "speech.audio.done")
    assert (seen["transcriptions"], seen["transcriptions stream"]) == (TRANSCRIPT, TRANSCRIPT)
    assert seen["vision"] == "red"


def test_anthropics_client_reads_every_answer(seen: dict[str, Any]) -> None:
    assert (seen["messages"], seen["messages end"]) == (NUMBERS, "end_turn")
    assert (seen["messages stream"], seen["messages stream usage"]) == (NUMBERS, 80)


def test_googles_client_reads_every_answer(seen: dict[str, Any]) -> None:
    assert (seen["gemini"], seen["gemini stream"]) == (NUMBERS, NUMBERS)
    assert seen["gemini stream end"] == "STOP"


def test_every_client_reads_a_tool_call_and_hands_in_its_result(seen: dict[str, Any]) -> None:
    called = ["look_up", {"word": "kwxbz"}]
    assert seen["chat tool"] == [*called, "tool_calls"]
    assert seen["messages tool"] == [*called, "tool_use"]
    assert (seen["responses tool"], seen["gemini tool"]) == (called, called)
    for api in ("chat", "responses", "messages", "gemini"):
        assert seen[f"{api} tool stream"] == called
        assert seen[f"{api} tool result"] == "The tool says 4711."


def test_every_client_reads_how_much_came_from_the_cache(seen: dict[str, Any]) -> None:
    apis = ("chat", "responses", "messages", "gemini")
    assert seen["cached"] == {api: [0, 1024] for api in apis}


def test_every_client_names_what_was_wrong(seen: dict[str, Any]) -> None:
    assert seen["errors"] == {
        "openai key": "AuthenticationError 401",
        "openai model": "NotFoundError 404",
        "anthropic key": "AuthenticationError 401",
        "anthropic model": "NotFoundError 404",
        "gemini key": "ClientError 400",
        "gemini model": "ClientError 404",
    }
