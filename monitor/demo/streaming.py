"""Sends a reply at the pace of a model, with the faults that an answer can have on its way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from aiohttp import web

from monitor.demo.endpoints import SimulatedEndpoint
from monitor.demo.faults import SLOW_S, SimulatedFault
from monitor.demo.replies import ApiFormat, Reply, with_fault

_BROKEN_EVENT = b'data: {"id": "cut in tw\n\n'
_FOREVER_S = 3600.0
_BLOCK = bytes(64 * 1024)
_MAX_BLOCKS = 2000
"""125 MB: more than any client reads, and an end for one that never stops."""
_HALF_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
_MID_STREAM = {
    SimulatedFault.CUT,
    SimulatedFault.STALLED,
    SimulatedFault.BROKEN,
    SimulatedFault.NO_TOKEN,
}


@dataclass(frozen=True, slots=True)
class TokenPace:
    """Says how fast an endpoint's model answers."""

    endpoint: SimulatedEndpoint
    rng: Random

    async def think(self, share: float) -> None:
        """Wait a share of the time to a first token, for a call that needs no tokens."""
        await asyncio.sleep(self.endpoint.token_times(1, self.rng)[0] * share)

    def token_times(self, count: int, fault: SimulatedFault | None) -> list[float]:
        """Return the seconds from the request to each token, and to the end."""
        delay = SLOW_S if fault is SimulatedFault.SLOW else 0.0
        return [delay + at for at in self.endpoint.token_times(count + 1, self.rng)]


async def break_connection(
    request: web.Request, fault: SimulatedFault | None
) -> web.StreamResponse | None:
    """Break the answer below HTTP if `fault` does so, and return what is left of it; else None."""
    match fault:
        case SimulatedFault.SILENT:
            await asyncio.sleep(_FOREVER_S)
        case SimulatedFault.HANGS_UP:
            _close(request)
        case SimulatedFault.GARBAGE:
            _write(request, b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            _close(request)
        case SimulatedFault.HALF:
            _write(request, _HALF_ANSWER)
            await asyncio.sleep(_FOREVER_S)
        case SimulatedFault.ENDLESS:
            return await _send_endless(request)
        case _:
            return None
    return web.Response()


def _write(request: web.Request, data: bytes) -> None:
    if request.transport is not None:
        request.transport.write(data)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


async def _send_endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(_MAX_BLOCKS):
        await response.write(_BLOCK)
        await asyncio.sleep(0)  # a write to a client that has gone neither waits nor fails
    return response


async def send_reply(
    request: web.Request,
    reply: Reply,
    api: ApiFormat,
    pace: TokenPace,
    fault: SimulatedFault | None,
    *,
    streams: bool,
) -> web.StreamResponse:
    """Send a reply as one document or as a stream. Its fault is settled when it begins."""
    reply = with_fault(reply, fault)
    times = pace.token_times(len(reply.pieces), fault)
    if not streams:
        await asyncio.sleep(times[-1])
        return web.json_response(api.document(reply))
    kind = "text/plain" if fault is SimulatedFault.MISLABELLED else "text/event-stream"
    response = web.StreamResponse(
        headers={"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    if fault is SimulatedFault.BUFFERED:
        await asyncio.sleep(times[-1])
        await response.write(_whole_stream(reply, api))
        return response
    is_complete = await _send_paced(response, reply, api, times, fault)
    if not is_complete and request.transport is not None:
        request.transport.abort()
    return response


def _whole_stream(reply: Reply, api: ApiFormat) -> bytes:
    chunks = b"".join(api.chunk(reply, number) for number in range(len(reply.pieces)))
    return api.opening(reply) + chunks + api.ending(reply)


async def _send_paced(
    response: web.StreamResponse,
    reply: Reply,
    api: ApiFormat,
    times: Sequence[float],
    fault: SimulatedFault | None,
) -> bool:
    """Send each piece at its time. Return False where the fault broke off the stream."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await response.write(api.opening(reply))
    if fault is SimulatedFault.MALFORMED:
        await response.write(_BROKEN_EVENT)
    for number, at in enumerate(times):
        await asyncio.sleep(max(0.0, begin + at - loop.time()))
        if number >= len(reply.pieces) // 2 and fault in _MID_STREAM:
            return await _break_off(response, reply, api, fault)
        if number < len(reply.pieces):
            await response.write(api.chunk(reply, number))
    await response.write(api.ending(reply))
    return True


async def _break_off(
    response: web.StreamResponse, reply: Reply, api: ApiFormat, fault: SimulatedFault | None
) -> bool:
    if fault is SimulatedFault.BROKEN:
        await response.write(api.error(reply))
        return True
    if fault is not SimulatedFault.CUT:
        await asyncio.sleep(_FOREVER_S)
    return False
