"""A bot is there where a channel asks for it, and its room is not even imported elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys
from pathlib import Path
from random import Random
from types import SimpleNamespace
from monitor.clock import SystemClock
from monitor.config import parse
from monitor.daemon.components import TelegramBots

async def main():
    bots = TelegramBots(lambda *_: SimpleNamespace(current_chat=int), SystemClock(), Random(1))
    for more in ("", "commands = true"):
        text = '[service.s]\\nendpoints = { a = "http://h" }\\n[channel.c]\\nurl = "tgram://1:a/5"\\n'
        bots.change(parse(text + more, path=Path("monitor.toml"), env={}), None)
        print(sum(name.startswith("monitor.telegram") for name in sys.modules))
    await bots.close()

asyncio.run(main())
"""


@pytest.mark.slow
def test_the_room_is_imported_when_a_channel_takes_commands_and_not_before(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    without, with_commands = map(int, done.stdout.split())
    assert (without, with_commands > 5) == (0, True)
