"""One simulated endpoint as an HTTP application: its APIs, and the fault that it has at the moment."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

from aiohttp import web

from monitor.demo import conversation_apis as apis
from monitor.demo import plain_api
from monitor.demo.api_common import (
    CHAT_MODELS,
    REALTIME_MODEL,
    ApiError,
    Json,
    bad_request,
    known_model,
    model_list,
    wrong_key,
)
from monitor.demo.endpoints import SimulatedEndpoint
from monitor.demo.faults import CYCLE, SimulatedFault, error_page, home_page
from monitor.demo.realtime_api import (
    accept_for_another,
    realtime_error,
    session_created,
    upgrade_required,
)
from monitor.demo.replies import CACHED_TOKENS, ApiFormat, Reply
from monitor.demo.streaming import TokenPace, break_connection, send_reply
from monitor.demo.substitution import other_answers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CurrentFault = Callable[[], SimulatedFault | None]
"""Returns what this endpoint does wrong at this moment."""

_MAX_PROMPTS = 100
_MAX_BODY = 4 * 1024 * 1024


class EndpointApp:
    """Serves every API of the simulated service for one endpoint."""

    def __init__(
        self,
        endpoint: SimulatedEndpoint,
        key: str,
        current_fault: CurrentFault,
        rng: Random,
        *,
        seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`seconds` returns how far the script of faults has come; prices change with its cycles."""
        self._endpoint = endpoint
        self._key = key
        self._current_fault = current_fault
        self._rng = rng
        self._seconds = seconds
        self._prompts: deque[str] = deque(maxlen=_MAX_PROMPTS)

    def build(self) -> web.Application:
        app = web.Application(middlewares=[self._edge], client_max_size=_MAX_BODY)
        app.router.add_get("/", self._home)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/realtime", self._realtime)
        app.router.add_get("/api/usage/token/", self._token_usage)
        app.router.add_get("/api/pricing", self._pricing)
        for path, handler in (
            ("/v1/chat/completions", self._chat),
            ("/v1/completions", self._completions),
            ("/v1/responses", self._responses),
            ("/v1/messages", self._messages),
            ("/v1beta/models/{call}", self._gemini),
            ("/v1/models/{call}", self._gemini),
            ("/v1/embeddings", self._embeddings),
            ("/v1/moderations", self._moderations),
            ("/v1/rerank", self._rerank),
            ("/v1/images/generations", self._images),
            ("/v1/audio/speech", self._speech),
            ("/v1/audio/transcriptions", self._transcriptions),
        ):
            app.router.add_post(path, handler)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._endpoint.response_headers(self._rng))

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Do what stands before the API: apply the fault, check the key, and write errors as JSON."""
        fault = self._current_fault()
        page = error_page(fault, self._endpoint.server)
        if page is not None:
            return web.Response(
                status=page.status,
                text=page.body,
                content_type=page.media_type,
                headers=page.headers,
            )
        broken = await break_connection(request, fault)
        if broken is not None:
            return broken
        try:
            if request.path != "/":
                self._check_key(request)
            return await handler(request)
        except ApiError as error:
            return _error_response(error, request)
        except web.HTTPException as error:
            unknown = ApiError(
                error.status,
                f"Invalid URL ({request.method} {request.path[:80]})",
                kind="invalid_request_error",
                code="unknown_url",
            )
            return _error_response(unknown, request)

    def _check_key(self, request: web.Request) -> None:
        """Accept the key in the header of each API, and as a bearer token everywhere."""
        keys = {
            request.headers.get("Authorization", "").removeprefix("Bearer "),
            request.headers.get("x-api-key"),
            request.headers.get("x-goog-api-key"),
        }
        if self._key not in keys:
            raise wrong_key()

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(text=home_page(self._endpoint.name), content_type="text/html")

    # Calls that are answered at once

    async def _models(self, _: web.Request) -> web.Response:
        await self._pace().think(0.1)
        return web.json_response(model_list())

    async def _token_usage(self, _: web.Request) -> web.Response:
        return await self._send_at_once(plain_api.TOKEN_USAGE)

    async def _pricing(self, _: web.Request) -> web.Response:
        return await self._send_at_once(plain_api.pricing(int(self._seconds() // CYCLE)))

    async def _embeddings(self, request: web.Request) -> web.Response:
        return await self._send_at_once(plain_api.embeddings(await _json(request)))

    async def _moderations(self, request: web.Request) -> web.Response:
        return await self._send_at_once(plain_api.moderation(await _json(request), self._rng))

    async def _rerank(self, request: web.Request) -> web.Response:
        return await self._send_at_once(plain_api.reranking(await _json(request), self._rng))

    async def _images(self, request: web.Request) -> web.Response:
        body = await _json(request)
        document = plain_api.image(body, self._rng)
        if body.get("stream") is not True:
            return await self._send_at_once(document)
        await self._pace().think(0.3)
        return _events(plain_api.image_events(document))

    async def _send_at_once(self, answer: Json) -> web.Response:
        await self._pace().think(0.3)
        return web.json_response(answer)

    async def _speech(self, request: web.Request) -> web.Response:
        body = await _json(request)
        media_type, sound = plain_api.speech(body)
        await self._pace().think(0.5)
        if body.get("stream_format") == "sse":
            return _events(plain_api.speech_events(sound))
        return web.Response(body=sound, content_type=media_type)

    async def _transcriptions(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        sound = file.file.read() if isinstance(file, web.FileField) else b""
        document = plain_api.transcription(form.get("model"), sound)
        await self._pace().think(0.5)
        if form.get("stream") != "true":
            return web.json_response(document)
        return _events(plain_api.transcript_events(document))

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        """Greet whoever opens a WebSocket, and wait for the goodbye: nothing can be said there."""
        model, fault = request.query.get("model"), self._current_fault()
        known_model(model, REALTIME_MODEL)
        socket = web.WebSocketResponse()
        if fault is SimulatedFault.NO_UPGRADE or not socket.can_prepare(request).ok:
            raise upgrade_required()
        if fault is SimulatedFault.WRONG_ACCEPT:
            return await accept_for_another(request)
        await self._pace().think(0.3)
        await socket.prepare(request)
        is_error = fault is SimulatedFault.ERROR_EVENT
        await socket.send_json(realtime_error() if is_error else session_created(model))
        if not is_error:
            async for _ in socket:
                pass
        await socket.close()
        return socket

    # Calls whose answer can be streamed

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        api = apis.ChatFormat(include_usage=apis.includes_usage(body))
        return await self._send(request, body, self._reply(apis.chat, body), api)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        api = apis.CompletionFormat(include_usage=apis.includes_usage(body))
        return await self._send(request, body, self._reply(apis.completion, body), api)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        reply = self._reply(apis.response, body)
        return await self._send(request, body, reply, apis.ResponsesFormat())

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        if "anthropic-version" not in request.headers:
            raise bad_request("anthropic-version: header is required", "anthropic-version")
        reply = self._reply(apis.message, body)
        return await self._send(request, body, reply, apis.MessagesFormat())

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        model, _, method = request.match_info["call"].partition(":")
        if method not in {"generateContent", "streamGenerateContent"}:
            raise web.HTTPNotFound
        body = {**await _json(request), "model": model}
        reply = self._reply(apis.content, body)
        streams = {"stream": method == "streamGenerateContent"}
        return await self._send(request, streams, reply, apis.GeminiFormat())

    def _reply(self, make: Callable[[Json, Random], Reply], body: Json) -> Reply:
        asked, fault = body.get("model"), self._current_fault()
        counts_as_other = fault is SimulatedFault.OTHER_TOKENIZER
        is_other = counts_as_other or other_answers(fault, self._seconds(), self._rng)
        if not is_other or asked not in CHAT_MODELS:
            return make(body, self._rng)
        (other,) = set(CHAT_MODELS) - {asked}
        theirs = make({**body, "model": other}, self._rng)
        if counts_as_other:
            return replace(make(body, self._rng), tokens_in=theirs.tokens_in)
        return replace(theirs, model=asked)

    async def _send(
        self, request: web.Request, body: Json, reply: Reply, api: ApiFormat
    ) -> web.StreamResponse:
        fault = self._current_fault()
        if fault is SimulatedFault.TOOL_RESULT_REFUSED and reply.heeds_tool:
            raise bad_request("Input should be 'user' or 'assistant'", "messages.2.role")
        reply = self._from_cache(reply, fault)
        streams = body.get("stream") is True and fault is not SimulatedFault.PLAIN
        return await send_reply(request, reply, api, self._pace(), fault, streams=streams)

    def _from_cache(self, reply: Reply, fault: SimulatedFault | None) -> Reply:
        """Count what the cache knows of a question, and remember its beginning."""
        is_known = reply.prefix != "" and reply.prefix in self._prompts
        if reply.prefix and not is_known:
            self._prompts.append(reply.prefix)
        if fault is SimulatedFault.CACHE_HIDDEN:
            return replace(reply, cached=None)
        is_hit = is_known and fault is not SimulatedFault.UNCACHED
        return replace(reply, cached=CACHED_TOKENS if is_hit else 0)

    def _pace(self) -> TokenPace:
        return TokenPace(self._endpoint, self._rng)


def _error_response(error: ApiError, request: web.Request) -> web.Response:
    status, body = error.answer(request.path)
    return web.json_response(body, status=status)


def _events(events: bytes) -> web.Response:
    return web.Response(body=events, content_type="text/event-stream")


async def _json(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        raise bad_request("the body is not valid JSON", "") from None
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object", "")
    return body
