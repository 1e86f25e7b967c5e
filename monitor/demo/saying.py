"""Saying a reply at the pace of a model, and the faults that an answer on its way can have."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from aiohttp import web

from monitor.demo.faults import SLOW_S, Act
from monitor.demo.manners import Manner
from monitor.demo.reply import Reply, Voice, spoilt

_FOR_EVER_S = 3600.0
_BLOCK = bytes(64 * 1024)
_BLOCKS = 2000
"""125 MB: more than anybody reads, and an end for who never stops reading."""
_HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


@dataclass(frozen=True, slots=True)
class Pace:
    manner: Manner
    rng: Random

    async def think(self, share: float) -> None:
        """A call that needs no tokens takes a share of the time to a first one."""
        await asyncio.sleep(self.manner.beats(1, self.rng)[0] * share)

    def beats(self, count: int, act: Act | None) -> list[float]:
        """Seconds from the request to each token, and to the end."""
        late = SLOW_S if act is Act.SLOW else 0.0
        return [late + beat for beat in self.manner.beats(count + 1, self.rng)]


async def misbehave(request: web.Request, act: Act | None) -> web.StreamResponse | None:
    """What breaks an answer below HTTP, whatever was asked; None where nothing does."""
    match act:
        case Act.SILENT:
            await asyncio.sleep(_FOR_EVER_S)
        case Act.HANGS_UP:
            _end(request)
        case Act.GARBAGE:
            _raw(request, b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            _end(request)
        case Act.HALF:
            _raw(request, _HALF)
            await asyncio.sleep(_FOR_EVER_S)
        case Act.ENDLESS:
            return await _endless(request)
        case _:
            return None
    return web.Response()


def _raw(request: web.Request, data: bytes) -> None:
    if request.transport is not None:
        request.transport.write(data)


def _end(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(_BLOCKS):
        await response.write(_BLOCK)
        await asyncio.sleep(0)  # a write to a caller who has gone does not wait, nor notice it
    return response


async def say(
    request: web.Request,
    reply: Reply,
    voice: Voice,
    pace: Pace,
    act: Act | None,
    *,
    streams: bool,
) -> web.StreamResponse:
    """Which fault an answer has is settled when it begins."""
    reply = spoilt(reply, act)
    beats = pace.beats(len(reply.pieces), act)
    if not streams:
        await asyncio.sleep(beats[-1])
        return web.json_response(voice.whole(reply))
    kind = "text/plain" if act is Act.MISLABELLED else "text/event-stream"
    response = web.StreamResponse(
        headers={"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    if act is Act.BUFFERED:
        await asyncio.sleep(beats[-1])
        await response.write(_all(reply, voice))
    elif not await _paced(response, reply, voice, beats, act) and request.transport is not None:
        request.transport.abort()
    return response


def _all(reply: Reply, voice: Voice) -> bytes:
    pieces = b"".join(voice.piece(reply, number) for number in range(len(reply.pieces)))
    return voice.opening(reply) + pieces + voice.ending(reply)


async def _paced(
    response: web.StreamResponse,
    reply: Reply,
    voice: Voice,
    beats: Sequence[float],
    act: Act | None,
) -> bool:
    """Each piece at its moment. False where it stopped in the middle, as it was told to."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await response.write(voice.opening(reply))
    for number, beat in enumerate(beats):
        await asyncio.sleep(max(0.0, begin + beat - loop.time()))
        if number >= len(reply.pieces) // 2 and act in _MIDDLE:
            return await _stop(response, reply, voice, act)
        if number < len(reply.pieces):
            await response.write(voice.piece(reply, number))
    await response.write(voice.ending(reply))
    return True


_MIDDLE = {Act.CUT, Act.STALLED, Act.BROKEN, Act.NO_TOKEN}


async def _stop(response: web.StreamResponse, reply: Reply, voice: Voice, act: Act | None) -> bool:
    if act is Act.BROKEN:
        await response.write(voice.broken(reply))
        return True
    if act is not Act.CUT:
        await asyncio.sleep(_FOR_EVER_S)
    return False
