"""The simulated service over real sockets: honest while it is well, wrong as named when it is not."""

import asyncio
import base64
import json
import math
import ssl
import struct
from typing import Any

import aiohttp
import pytest
from demo_cast import Demo

from monitor.demo.faults import ENDPOINT_IDS, SimulatedFault
from monitor.demo.faulty_listener import POLL_S
from monitor.model import FailureKind

QUESTION = {"role": "user", "content": "Count from 11 to 90, please."}
CHAT = "/v1/chat/completions"


async def call(
    demo: Demo, path: str, body: Any = None, *, endpoint: str = "us-direct", key: str | None = None
) -> tuple[int, str, bytes]:
    """(status, content type, body)"""
    context = ssl.create_default_context(cafile=demo.ca_file)
    headers = {"Authorization": f"Bearer {demo.addresses.key if key is None else key}"}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            "GET" if data is None else "POST",
            demo.addresses.endpoints[endpoint] + path,
            data=data,
            headers=headers,
            ssl=context,
        ) as response,
    ):
        return response.status, response.content_type, await response.read()


def events(body: bytes) -> list[str]:
    return [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]


async def test_a_stream_says_the_right_answer_piece_by_piece_with_usage_and_an_end(
    demo: Demo,
) -> None:
    body = {
        "model": "demo-mini",
        "messages": [QUESTION],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    status, content_type, raw = await call(demo, CHAT, body)
    *chunks, done = events(raw)
    parsed = [json.loads(chunk) for chunk in chunks]
    texts = [each["choices"][0]["delta"].get("content", "") for each in parsed if each["choices"]]
    assert (status, content_type, done) == (200, "text/event-stream", "[DONE]")
    assert "".join(texts).split() == [str(number) for number in range(11, 91)]
    assert [each["choices"][0]["finish_reason"] for each in parsed[-2:-1]] == ["stop"]
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"] == {
        "prompt_tokens": 21,
        "completion_tokens": 80,
        "total_tokens": 101,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def test_a_plain_answer_is_capped_and_says_so(demo: Demo) -> None:
    body = {"model": "demo-mini", "messages": [QUESTION], "max_tokens": 3}
    status, content_type, raw = await call(demo, CHAT, body)
    answer = json.loads(raw)
    assert (status, content_type) == (200, "application/json")
    assert answer["choices"][0]["message"]["content"] == "11 12 13"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


async def test_embeddings_of_one_text_are_always_the_same_and_of_length_one(demo: Demo) -> None:
    body = {"model": "demo-embedding", "input": ["ping", "pong", "ping"], "dimensions": 8}
    _, _, raw = await call(demo, "/v1/embeddings", body)
    first, second, third = (vector["embedding"] for vector in json.loads(raw)["data"])
    assert first == third != second
    assert math.hypot(*first) == pytest.approx(1)
    _, _, packed = await call(demo, "/v1/embeddings", {**body, "encoding_format": "base64"})
    coded = base64.b64decode(json.loads(packed)["data"][0]["embedding"])
    assert struct.unpack("<8f", coded) == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (CHAT, {"model": "gpt-x", "messages": [QUESTION]}, 404, "model_not_found"),
        (CHAT, {"messages": [QUESTION]}, 400, "invalid_value"),
        (CHAT, {"model": "demo-mini", "messages": []}, 400, "invalid_value"),
        (
            CHAT,
            {"model": "demo-mini", "messages": [QUESTION], "max_tokens": 0},
            400,
            "invalid_value",
        ),
        (CHAT, {"model": "demo-embedding", "messages": [QUESTION]}, 404, "model_not_found"),
        (CHAT, b"{", 400, "invalid_value"),
        (CHAT, b"[]", 400, "invalid_value"),
        ("/v1/embeddings", {"model": "demo-embedding", "input": []}, 400, "invalid_value"),
        ("/v1/nothing", {}, 404, "unknown_url"),
    ],
)
async def test_a_bad_request_is_refused_in_json(
    demo: Demo, path: str, body: Any, status: int, code: str
) -> None:
    got, content_type, raw = await call(demo, path, body)
    assert (got, content_type, json.loads(raw)["error"]["code"]) == (
        status,
        "application/json",
        code,
    )


async def test_a_wrong_key_is_refused_and_the_front_page_needs_none(demo: Demo) -> None:
    status, _, raw = await call(demo, "/v1/models", key="another")
    assert (status, json.loads(raw)["error"]["code"]) == (401, "invalid_api_key")
    status, content_type, raw = await call(demo, "/", key="")
    assert (status, content_type) == (200, "text/html")
    assert b"Demo LLM" in raw


async def test_each_edge_shows_itself_in_its_headers(demo: Demo) -> None:
    context = ssl.create_default_context(cafile=demo.ca_file)
    seen = {}
    async with aiohttp.ClientSession() as session:
        for name, url in demo.addresses.endpoints.items():
            async with session.get(f"{url}/", ssl=context) as response:
                seen[name] = response.headers["Server"], "CF-RAY" in response.headers
    assert seen == {
        "us-direct": ("uvicorn", False),
        "cf-cdn": ("cloudflare", True),
        "cf-worker": ("cloudflare", True),
        "fast-cdn": ("Tengine", False),
        "proxy-1": ("nginx", False),
        "proxy-2": ("nginx/1.26.2", False),
    }


async def test_every_check_of_the_demo_is_up_while_nothing_is_wrong(demo: Demo) -> None:
    keys = [check.key for check in demo.config.checks]
    results = await asyncio.gather(*map(demo.probe, keys))
    assert {result.check: result.failure for result in results} == dict.fromkeys(keys)
    speeds = [result.stream.tokens_per_s for result in results if result.stream]
    firsts = [result.timings.ttft for result in results if result.timings.ttft]
    assert len(speeds) == len(firsts) == len(ENDPOINT_IDS)
    assert all(speed and 45 < speed < 100 for speed in speeds)
    assert all(120 < first < 1000 for first in firsts)


@pytest.mark.parametrize(
    ("fault", "probe", "kind"),
    [
        (SimulatedFault.BAD_GATEWAY, "models", FailureKind.BAD_GATEWAY),
        (SimulatedFault.REFUSED, "models", FailureKind.TCP_REFUSED),
        (SimulatedFault.RESET, "models", FailureKind.TLS_RESET),
        (SimulatedFault.EXPIRED, "embeddings", FailureKind.CERT_EXPIRED),
        (SimulatedFault.WRONG_NAME, "models", FailureKind.CERT_HOSTNAME),
        (SimulatedFault.CUT, "chat", FailureKind.TRUNCATED),
        (SimulatedFault.KEY_REJECTED, "models", FailureKind.AUTH_INVALID),
        (SimulatedFault.KEY_REJECTED, "embeddings", FailureKind.AUTH_INVALID),
    ],
)
async def test_a_fault_is_seen_for_what_it_is_and_passes_with_its_turn(
    demo: Demo, fault: SimulatedFault, probe: str, kind: FailureKind
) -> None:
    key = f"demo/cf-cdn/{probe}"
    assert (await demo.probe(key)).failure is None
    demo.forced.faults["cf-cdn"] = fault
    await asyncio.sleep(2.5 * POLL_S)
    failure = (await demo.probe(key)).failure
    assert failure is not None
    assert failure.kind is kind
    assert (await demo.probe("demo/us-direct/models")).failure is None
    demo.forced.faults.clear()
    await asyncio.sleep(2.5 * POLL_S)
    assert (await demo.probe(key)).failure is None


@pytest.mark.slow
async def test_a_slow_first_token_is_slow(demo: Demo) -> None:
    demo.forced.faults["us-direct"] = SimulatedFault.SLOW
    result = await demo.probe("demo/us-direct/chat")
    assert result.failure is not None
    assert result.failure.kind is FailureKind.SLOW
    assert result.timings.ttft is not None
    assert result.timings.ttft > 6500


@pytest.mark.slow
async def test_a_buffered_stream_is_believed_to_be_fake_with_the_third(demo: Demo) -> None:
    demo.forced.faults["cf-worker"] = SimulatedFault.BUFFERED
    kinds = [(await demo.probe("demo/cf-worker/chat")).failure for _ in range(3)]
    assert [failure and failure.kind for failure in kinds] == [
        None,
        None,
        FailureKind.FAKE_STREAMING,
    ]
    demo.forced.faults.clear()
    assert (await demo.probe("demo/cf-worker/chat")).failure is None


async def test_the_channel_takes_messages_and_lists_them(demo: Demo) -> None:
    message = {"title": "down", "message": "why", "type": "info", "version": "1.0"}
    async with aiohttp.ClientSession() as session:
        async with session.post(demo.addresses.channel, json=message) as response:
            assert response.status == 200
        async with session.post(demo.addresses.channel, data=b"x") as response:
            assert response.status == 400
        async with session.get(demo.addresses.channel) as response:
            assert await response.json() == [{"title": "down", "message": "why", "type": "info"}]
