"""Every command that reads or tells a store does so on PostgreSQL too, and shows no password."""

import asyncio
import os
import re
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from postgres import postgres
from store_cast import INCIDENT, entry, failed, opened, streamed

from monitor.clock import SystemClock
from monitor.store import Store

pytestmark = pytest.mark.slow
PASSWORD = "not-to-be-seen-anywhere"
OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


async def filled(url: str) -> None:
    clock = SystemClock()
    async with opened(url, clock) as store:
        store.recall()
        for step in range(20):
            store.record(entry(streamed(clock.now() - timedelta(minutes=20 - step))))
        store.record(entry(failed(clock.now()), incidents=(INCIDENT,)))
        store.heartbeat(clock.now())
        await store.flush()


def test_the_documented_lines_make_a_role_and_a_database_that_a_daemon_can_fill() -> None:
    lines = re.findall(r"^runuser -u postgres -- (create.*)$", OPERATING, re.MULTILINE)
    assert [line.split()[0] for line in lines] == ["createuser", "createdb"]
    with postgres() as server:
        env = {"PATH": f"{server.programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        env |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "monitor"}
        for line in lines:  # the server of tests has a "monitor" already, which owns it
            subprocess.run(
                line.replace("monitor", "keeper").split(),
                input=f"{PASSWORD}\n" * 2,
                text=True,
                check=True,
                env=env,
                start_new_session=True,  # without a terminal the password is read from here
            )
        asyncio.run(filled(server.url("keeper", user="keeper")))
        with closing(
            Store.read_only(server.url("keeper", user="keeper"), vantage="local")
        ) as reader:
            assert [incident.id for incident in reader.incidents()] == [INCIDENT.id]


def test_commands_work_on_a_server_and_show_no_password(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"
    with postgres() as server:
        url = server.fresh()
        asyncio.run(filled(url))
        secret = url.replace("monitor@", "monitor:${STORE_PASSWORD}@")
        path.write_text(
            f'[monitor]\nlisten = ""\nstore = "{secret}"\n[service.a]\nkey = "k"\nmodel = "m"\n'
            'endpoints = { direct = "http://127.0.0.1:9" }\nprobes = { chat = "5m", models = "1m" }\n'
        )

        def run(*arguments: str, code: int = 0, password: str | None = PASSWORD) -> str:
            env = {name: text for name, text in os.environ.items() if name != "STORE_PASSWORD"}
            done = subprocess.run(
                [sys.executable, "-m", "monitor", *arguments, "--config", str(path)],
                capture_output=True,
                text=True,
                check=False,
                cwd=tmp_path,
                env=env | ({} if password is None else {"STORE_PASSWORD": password}),
            )
            assert done.returncode == code, done.stderr
            said = done.stdout + done.stderr
            assert PASSWORD not in said
            return said

        assert "a/direct/chat" in run("status")
        assert "20" in run("history", "a/direct/chat")
        assert "bad_gateway" in run("history", "a/direct/chat") or "502" in run("incidents")
        assert "7" in run("incidents", "7")
        assert "Report of " in run("report")
        assert run("export").count("a/direct/chat") == 21
        assert "a/direct/chat" in run("top", "--once")
        run("render")
        run("silence", "a", "--for", "2h")
        assert "No daemon" in run("status")
        assert "no daemon writes postgresql://monitor@" in run("reload", code=1)
        assert "run: pg_dump" in run("backup", "copy.db", code=1)
        assert "${STORE_PASSWORD} is not set" in run("status", code=78, password=None)
        server.stop()
        assert "the store cannot be read: the server is away" in run("status", code=1)
        assert not (tmp_path / "monitor.db").exists()
        server.start()
    with pytest.raises(Exception, match="the server is away"):
        Store.holder(url)
