"""One simulated endpoint as an HTTP application: its APIs, and the faults of its turn."""

from collections.abc import Awaitable, Callable
from random import Random

from aiohttp import web

from monitor.demo import chat_api, gemini_api, messages_api, plain_api, responses_api
from monitor.demo.canned import canned
from monitor.demo.faults import Act
from monitor.demo.manners import Manner, home_page
from monitor.demo.models import model_list
from monitor.demo.refusals import Json, RefusedError, bad_request, wrong_key
from monitor.demo.reply import Reply, Voice
from monitor.demo.saying import Pace, misbehave, say

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Acting = Callable[[], Act | None]
"""What this endpoint does wrong at this moment."""

_LARGEST = 4 * 1024 * 1024


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
        for path, handler in (
            ("/v1/chat/completions", self._chat),
            ("/v1/completions", self._completions),
            ("/v1/responses", self._responses),
            ("/v1/messages", self._messages),
            ("/v1beta/models/{call}", self._gemini),
            ("/v1/models/{call}", self._gemini),
            ("/v1/embeddings", self._embeddings),
            ("/v1/moderations", self._moderations),
            ("/v1/images/generations", self._images),
            ("/v1/audio/speech", self._speech),
            ("/v1/audio/transcriptions", self._transcriptions),
        ):
            app.router.add_post(path, handler)
        app.on_response_prepare.append(self._dress)
        return app

    async def _dress(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._manner.heads(self._rng))

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What stands before the API: a gateway that fails, the key, and errors as JSON."""
        act = self._acting()
        found = canned(act, self._manner.server)
        if found is not None:
            return web.Response(
                status=found.status, text=found.body, content_type=found.kind, headers=found.headers
            )
        instead = await misbehave(request, act)
        if instead is not None:
            return instead
        try:
            if request.path != "/":
                self._check_key(request)
            return await handler(request)
        except RefusedError as refused:
            return _refusal(refused, request)
        except web.HTTPException as error:
            message = f"Invalid URL ({request.method} {request.path[:80]})"
            kind = "invalid_request_error"
            return _refusal(
                RefusedError(error.status, message, kind=kind, code="unknown_url"), request
            )

    def _check_key(self, request: web.Request) -> None:
        """Each API carries it in a header of its own; a bearer key opens all."""
        heads = request.headers
        given = {
            heads.get("Authorization", "").removeprefix("Bearer "),
            heads.get("x-api-key"),
            heads.get("x-goog-api-key"),
        }
        if self._key not in given:
            raise wrong_key()

    async def _home(self, _: web.Request) -> web.Response:
        return web.Response(text=home_page(self._manner.name), content_type="text/html")

    # --- answered at once -------------------------------------------------------------------------

    async def _models(self, _: web.Request) -> web.Response:
        await self._pace().think(0.1)
        return web.json_response(model_list())

    async def _embeddings(self, request: web.Request) -> web.Response:
        return await self._at_once(plain_api.embeddings(await _json(request)))

    async def _moderations(self, request: web.Request) -> web.Response:
        return await self._at_once(plain_api.moderation(await _json(request), self._rng))

    async def _images(self, request: web.Request) -> web.Response:
        body = await _json(request)
        whole = plain_api.image(body, self._rng)
        if body.get("stream") is not True:
            return await self._at_once(whole)
        await self._pace().think(0.3)
        return _events(plain_api.image_events(whole))

    async def _at_once(self, answer: Json) -> web.Response:
        await self._pace().think(0.3)
        return web.json_response(answer)

    async def _speech(self, request: web.Request) -> web.Response:
        body = await _json(request)
        kind, sound = plain_api.speech(body)
        await self._pace().think(0.5)
        if body.get("stream_format") == "sse":
            return _events(plain_api.speech_events(sound))
        return web.Response(body=sound, content_type=kind)

    async def _transcriptions(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        sound = file.file.read() if isinstance(file, web.FileField) else b""
        whole = plain_api.transcription(form.get("model"), sound)
        await self._pace().think(0.5)
        if form.get("stream") != "true":
            return web.json_response(whole)
        return _events(plain_api.transcript_events(whole))

    # --- said word by word ------------------------------------------------------------------------

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        voice = chat_api.ChatVoice(include_usage=chat_api.includes_usage(body))
        return await self._say(request, body, chat_api.chat(body, self._rng), voice)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        voice = chat_api.CompletionVoice(include_usage=chat_api.includes_usage(body))
        return await self._say(request, body, chat_api.completion(body, self._rng), voice)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        reply = responses_api.response(body, self._rng)
        return await self._say(request, body, reply, responses_api.ResponsesVoice())

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        if "anthropic-version" not in request.headers:
            raise bad_request("anthropic-version: header is required", "anthropic-version")
        reply = messages_api.message(body, self._rng)
        return await self._say(request, body, reply, messages_api.MessagesVoice())

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        model, _, method = request.match_info["call"].partition(":")
        if method not in {"generateContent", "streamGenerateContent"}:
            raise web.HTTPNotFound
        reply = gemini_api.content(model, await _json(request), self._rng)
        streams = {"stream": method == "streamGenerateContent"}
        return await self._say(request, streams, reply, gemini_api.GeminiVoice())

    async def _say(
        self, request: web.Request, body: Json, reply: Reply, voice: Voice
    ) -> web.StreamResponse:
        act = self._acting()
        streams = body.get("stream") is True and act is not Act.PLAIN
        return await say(request, reply, voice, self._pace(), act, streams=streams)

    def _pace(self) -> Pace:
        return Pace(self._manner, self._rng)


def _refusal(refused: RefusedError, request: web.Request) -> web.Response:
    status, body = refused.answer(request.path)
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
