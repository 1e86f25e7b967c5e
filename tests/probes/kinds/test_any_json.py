"""Any part of any document that a probe reads may be anything that JSON can say, and more: no probe is upset by it.

The simulated service answers, and one part of one of its documents is replaced on the way.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle, repeat
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession, web
from listening import listening
from relay import KEY, Asked, Relay, relaying

from monitor.demo.api_common import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    IMAGE_MODEL,
    MODERATION_MODEL,
    RERANK_MODEL,
    TRANSCRIPTION_MODEL,
)
from monitor.demo.endpoint_app import EndpointApp
from monitor.demo.endpoints import ENDPOINTS
from monitor.probes import PROBES
from monitor.probes.probe import Finding
from monitor.store.small_tables import HABIT

MODELS = {
    "embeddings": EMBEDDING_MODEL,
    "images": IMAGE_MODEL,
    "moderations": MODERATION_MODEL,
    "rerank": RERANK_MODEL,
    "transcriptions": TRANSCRIPTION_MODEL,
}
NO_DOCUMENT = {"http", "realtime", "speech", "tcp", "tls"}
"""What reads no JSON, or an operator's own; `test_json_types.py` and `tests/hostile` have streams and the rest."""
KINDS = sorted(PROBES.keys() - NO_DOCUMENT)
NOT_PASSED = {"Host", "Content-Length"}
HUGE = "1" + 400 * "0"
"""More than a float holds."""
HOSTILE = (
    HUGE,
    "null",
    "true",
    "-1",
    "0.5",
    "1e-320",
    "1e400",
    "NaN",
    "-Infinity",
    "-1" + 4200 * "0",
    "1" + 5000 * "0",  # longer than Python reads
    '""',
    r'"\ud800"',
    r'"a\u0000\u001b[31m\u202e"',
    '"1' + 400 * "0" + '"',
    '"NaN"',
    '"' + 100_000 * "x" + '"',
    "[]",
    "{}",
    "[null, [], {}, NaN]",
    r'{"id": 1e400, "\udfff": "\udfff"}',
    500 * "[" + 500 * "]",
    50_000 * '{"data":' + "1" + 50_000 * "}",
    "",  # and what is no JSON at all
)
Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield where each part of a JSON value stands, the whole first."""
    yield at
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(min(len(value), 4)):
            yield from places(value[key], (*at, key))


def spoiled(value: Any, at: Place, text: str) -> str:
    """Return the JSON of a value with this text in the place of one of its parts."""
    if not at:
        return text
    key, *rest = at
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    inner = {
        name: spoiled(part, tuple(rest), text) if name == key else json.dumps(part)
        for name, part in parts
    }
    if isinstance(value, list):
        return f"[{', '.join(inner.values())}]"
    return f"{{{', '.join(f'{json.dumps(name)}: {part}' for name, part in inner.items())}}}"


@dataclass
class Spoiler:
    """Stands before the simulated service."""

    relay: Relay
    session: ClientSession
    upstream: str
    documents: list[Any] = field(default_factory=list)
    """The JSON documents of this run, as the service gave them."""
    number: int = -1
    """Which of them is spoiled, in which place and how."""
    at: Place = ()
    text: str = ""

    async def answer(self, request: web.Request, _: Asked) -> web.StreamResponse:
        passed = {name: text for name, text in request.headers.items() if name not in NOT_PASSED}
        async with self.session.request(
            request.method,
            self.upstream + request.path_qs,
            headers=passed,
            data=await request.read(),
        ) as response:
            document = await response.json()
        text = json.dumps(document)
        if len(self.documents) == self.number and self.at in set(places(document)):
            text = spoiled(document, self.at, self.text)
        self.documents.append(document)
        return web.Response(text=text, status=response.status, content_type="application/json")

    async def run(self, kind: str) -> Finding:
        """Run a probe, and hold that what it has learned can be kept."""
        wanted = {"model": MODELS.get(kind, CHAT_MODEL), "stream": False}
        wanted |= {"pause": "1ms"} if kind == "cache" else {}
        settings = {name: wanted[name] for name in PROBES[kind].model_fields if name in wanted}
        self.documents = []
        finding = await self.relay.ask(kind, **settings)
        assert HABIT.validate_json(HABIT.dump_json(finding.habit)) == finding.habit
        return finding


@pytest.fixture
async def spoiler() -> AsyncIterator[Spoiler]:
    quick = replace(ENDPOINTS[0], first_token_s=0.0, tokens_per_s=1e6)
    app = EndpointApp(quick, KEY, lambda: None, Random(5)).build()
    async with listening(app) as upstream, relaying() as relay, ClientSession() as session:
        spoiler = Spoiler(relay, session, upstream)
        relay.answering = spoiler.answer
        yield spoiler


async def spoil(spoiler: Spoiler, kind: str, texts: Iterator[tuple[str, ...]]) -> None:
    """Run a probe of this kind with each part of its documents spoiled; `texts` are those for each place in turn."""
    whole = await spoiler.run(kind)
    assert whole.failure is None
    documents = spoiler.documents
    shapes = [set(places(document)) for document in documents]
    assert shapes, "want a kind that reads a document, or its place in NO_DOCUMENT"
    for number, shape in enumerate(shapes):
        for at in places(documents[number]) if shape not in shapes[:number] else ():
            for text in next(texts):
                await spoil_one(spoiler, kind, number, at, text)


async def spoil_one(spoiler: Spoiler, kind: str, number: int, at: Place, text: str) -> None:
    spoiler.number, spoiler.at, spoiler.text = number, at, text
    try:
        await spoiler.run(kind)
    except Exception as error:
        error.add_note(f"with {text[:40]} at {at} of answer {number}")
        raise
    finally:
        spoiler.number = -1


@pytest.mark.parametrize("kind", KINDS)
async def test_no_json_in_the_place_of_another_upsets_a_probe(spoiler: Spoiler, kind: str) -> None:
    """Each place has the huge number and another one here, and all of them in the proof."""
    await spoil(spoiler, kind, ((HUGE, text) for text in cycle(HOSTILE[1:])))


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
async def test_no_json_in_any_place_upsets_a_probe(spoiler: Spoiler, kind: str) -> None:
    await spoil(spoiler, kind, repeat(HOSTILE))
