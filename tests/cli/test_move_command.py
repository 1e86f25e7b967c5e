"""`monitor move` copies the store and says which line to change."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cast import HandClock
from postgres import postgres
from store_cast import NOON, entry, opened, streamed

CONFIG = """[page]
title = "x"
[monitor]
listen = ""
store = "sqlite:///monitor.db"
[service.a]
key = "k"
model = "m"
endpoints = { direct = "http://127.0.0.1:9" }
"""


async def lived(url: str) -> None:
    async with opened(url, HandClock(NOON)) as store:
        store.record(entry(streamed()))
        await store.flush()


def moved(path: Path, url: str, *, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "move", url, "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"STORE_PASSWORD": "never to be seen"},
    )
    assert done.returncode == code, done.stderr
    assert "never" not in done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.toml"
    path.write_text(CONFIG)
    asyncio.run(lived(f"sqlite:///{tmp_path}/monitor.db"))
    return path


@pytest.mark.slow
def test_it_copies_and_says_which_line_to_change(path: Path) -> None:
    with postgres() as server:
        url = server.fresh().replace("monitor@", "monitor:${STORE_PASSWORD}@")
        # a server that trusts everybody takes any password, also one with blanks
        said = moved(path, url.replace("${STORE_PASSWORD}", "${STORE_WORD}"), code=78)
        assert "${STORE_WORD} is not set" in said
        said = moved(path, url.replace("${STORE_PASSWORD}", "never%20shown"))
        assert f"{path}, in the place of line 5:" in said
        assert f'store = "{url}"' in said
        assert "1 of runs" in said
        assert "there is a history in" in moved(path, url.replace("${STORE_PASSWORD}", "x"), code=1)


def test_another_file_is_a_place_too_and_what_is_no_place_is_refused(path: Path) -> None:
    assert 'store = "sqlite:///copy.db"' in moved(path, "sqlite:///copy.db")
    assert (path.parent / "copy.db").is_file()
    assert "monitor.store: got" in moved(path, "mysql://x/y", code=78)
