"""Three hours of a whole daemon, in seconds: what it leaves in a store is what people read there."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from listening import listening
from virtual_time import VirtualClock, VirtualLoop, busy_with

from monitor.config import load
from monitor.daemon.app import Daemon

HOUR = 3600.0


class Relay:
    """Answers a chat in one piece, which is the wrong one, and for an hour not at all."""

    url = ""

    async def answer(self, _: web.Request) -> web.Response:
        if HOUR < asyncio.get_running_loop().time() < 2 * HOUR:
            return web.Response(status=502, text="<h1>502</h1>")
        pieces = [
            {"choices": [{"index": 0, "delta": {"content": "hello"}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}},
        ]
        text = "".join(f"data: {json.dumps({'model': 'm', **piece})}\n\n" for piece in pieces)
        return web.Response(text=f"{text}data: [DONE]\n\n", content_type="text/event-stream")


async def live(loop: VirtualLoop, clock: VirtualClock, folder: Path, url: str) -> None:
    """Three hours of a daemon, with an outage."""
    app, relay = web.Application(), Relay()
    app.router.add_post("/v1/chat/completions", relay.answer)
    async with listening(app) as relay.url:
        loop.rests()
        path = folder / "monitor.toml"
        path.write_text(
            f'[monitor]\nlisten = ""\nstore = "{url}"\n[service.relay]\nkey = "k"\nmodel = "m"\n'
            f'endpoints = {{ direct = "{relay.url}" }}\nprobes = {{ chat = "3m" }}\n'
        )
        daemon = Daemon(load(path, {}), clock=clock, publish_every=timedelta(days=99))
        loop.busy = busy_with(daemon)
        task = asyncio.create_task(daemon.run())
        await asyncio.sleep(3 * HOUR)
        daemon.stop.set()
        await task
        loop.busy = []
