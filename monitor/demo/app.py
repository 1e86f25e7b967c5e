"""One simulated endpoint as an HTTP application: the API, its pacing, and the faults of its turn."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from aiohttp import web

from monitor.demo.faults import SLOW_S, Act
from monitor.demo.manners import Manner, bad_gateway_page, home_page
from monitor.demo.openai_api import (
    Json,
    RefusedError,
    Reply,
    bad_request,
    embeddings_of,
    model_list,
    reply_to,
    wrong_key,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Acting = Callable[[], Act | None]
"""What this endpoint does wrong at this moment."""

_LARGEST = 256 * 1024
_DONE = b"data: [DONE]\n\n"


class EndpointApp:
    def __init__(self, manner: Manner, key: str, acting: Acting, rng: Random) -> None:
        self._manner = manner
        self._key = key
        self._acting = acting
        self._rng = rng

    def build(self) -> web.Application:
        app = web.Application(middlewares=[self._edge], client_max_size=_LARGEST)
        app.router.add_get("/", self._home)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.on_response_prepare.append(self._dress)
        return app

    async def _dress(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._manner.heads(self._rng))

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What stands before the API: the gateway that fails, the key, and errors as JSON."""
        if self._acting() is Act.BAD_GATEWAY:
            page = bad_gateway_page(self._manner.server)
            return web.Response(status=502, text=page, content_type="text/html")
        try:
            if request.path != "/":
                self._check_key(request)
            return await handler(request)
        except RefusedError as refused:
            return web.json_response(refused.body, status=refused.status)
        except web.HTTPException as error:
            message = f"Invalid URL ({request.method} {request.path[:80]})"
            body = RefusedError(
                error.status, message, kind="invalid_request_error", code="unknown_url"
            ).body
            return web.json_response(body, status=error.status)

    def _check_key(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {self._key}" or self._acting() is Act.KEY_REJECTED:
            raise wrong_key()

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(text=home_page(self._manner.name), content_type="text/html")

    async def _models(self, _: web.Request) -> web.Response:
        await self._think(0.1)
        return web.json_response(model_list())

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await _json(request)
        await self._think(0.3)
        return web.json_response(embeddings_of(body))

    async def _think(self, share: float) -> None:
        """A call that needs no tokens takes a share of the time to a first one."""
        await asyncio.sleep(self._manner.beats(1, self._rng)[0] * share)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        reply = reply_to(await _json(request), self._rng)
        beats = self._manner.beats(len(reply.pieces), self._rng)
        if self._acting() is Act.SLOW:
            beats = [SLOW_S + beat for beat in beats]
        if not reply.stream:
            await asyncio.sleep(beats[-1])
            return web.json_response(reply.whole())
        return await self._stream(request, reply, beats)

    async def _stream(
        self, request: web.Request, reply: Reply, beats: Sequence[float]
    ) -> web.StreamResponse:
        """Which fault a stream has is settled when it begins."""
        act = self._acting()
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
            }
        )
        await response.prepare(request)
        if act is Act.BUFFERED:
            await asyncio.sleep(beats[-1])
            await response.write(b"".join(map(_event, _chunks(reply))) + _DONE)
            return response
        whole = await _paced(response, reply, beats, cut=act is Act.CUT)
        if not whole and request.transport is not None:
            request.transport.abort()
        return response


async def _paced(
    response: web.StreamResponse, reply: Reply, beats: Sequence[float], *, cut: bool
) -> bool:
    """Each piece at its moment. False where it stopped in the middle, as it was told to."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await response.write(_event(reply.opening()))
    for number, beat in enumerate(beats):
        await asyncio.sleep(max(0.0, begin + beat - loop.time()))
        if cut and number >= len(beats) // 2:
            return False
        await response.write(_event(reply.piece(number)))
    await response.write(b"".join(map(_event, reply.ending())) + _DONE)
    return True


def _chunks(reply: Reply) -> list[Json]:
    return [reply.opening(), *map(reply.piece, range(len(reply.pieces))), *reply.ending()]


def _event(chunk: Json) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


async def _json(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        raise bad_request("the body is not valid JSON", "") from None
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object", "")
    return body
