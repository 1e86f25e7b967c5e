"""What the machine's daemon meets: a website and a Bot API, on fixed ports of a private network.

`python neighbours.py FOLDER` writes every message that arrives as a line of FOLDER/messages.
"""

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web

SITE, PHONE = 8001, 8002


async def serve(folder: Path) -> None:
    async def site(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def phone(request: web.Request) -> web.Response:
        text = str((await request.json())["text"])
        with (folder / "messages").open("a") as file:
            file.write(json.dumps(text) + "\n")
        return web.json_response({"ok": True, "result": {"message_id": 1}})

    for port, method, path, handler in (
        (SITE, "GET", "/{path:.*}", site),
        (PHONE, "POST", "/bot{token}/sendMessage", phone),
    ):
        app = web.Application()
        app.router.add_route(method, path, handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
