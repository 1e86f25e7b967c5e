"""The publish command: real commands, bounded in time and in what they say, in nobody's way."""

import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import HandClock, until

from monitor.daemon.publish_command import PublishCommand
from monitor.model import PageSettings, Publishing, Redactor, Secret, StoreError
from monitor.page import publish

NOW = datetime(2026, 11, 23, 13, 42, 5, tzinfo=UTC)
DOCS = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


class Desk:
    """A publish command, its clock, and what it reported."""

    def __init__(self, folder: Path, command: str, **settings: Any) -> None:
        self.clock = HandClock(NOW)
        self.reports: list[dict[str, Any]] = []
        self.settings = PageSettings(dir=folder, publish=Publishing(command=command, **settings))
        self.command = PublishCommand(
            self.settings,
            clock=self.clock,
            redact=Redactor([Secret("correct-horse-battery")]),
            report=self._report,
        )

    async def _report(self, name: str, text: str) -> None:
        assert name == "publish"
        self.reports.append(json.loads(text))

    async def reported(self, count: int) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while len(self.reports) < count:
                await asyncio.sleep(0.01)
        return self.reports[-1]

    async def run(self) -> dict[str, Any]:
        self.clock.tick(180)
        self.command.offer(changed=True)
        return await self.reported(len(self.reports) + 1)


async def test_it_runs_in_the_pages_folder_after_a_change_and_only_then(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "pwd >> log")
    desk.command.offer(changed=False)
    await asyncio.sleep(0.05)
    assert not (tmp_path / "log").exists()
    assert (await desk.run())["trouble"] == ""
    assert (tmp_path / "log").read_text() == f"{tmp_path}\n"


async def test_it_runs_at_most_so_often_and_carries_what_came_meanwhile(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "echo run >> log", every=timedelta(minutes=2))
    await desk.run()
    for _ in range(11):
        desk.clock.tick(10)
        desk.command.offer(changed=True)
    assert len(desk.reports) == 1
    desk.clock.tick(10)
    desk.command.offer(changed=False)
    await desk.reported(2)
    desk.clock.tick(3600)
    desk.command.offer(changed=False)
    await asyncio.sleep(0.05)
    assert (tmp_path / "log").read_text() == "run\n" * 2


async def test_two_never_run_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "mkdir busy && sleep 0.3 && rmdir busy")
    for _ in range(3):
        desk.clock.tick(180)
        desk.command.offer(changed=True)
        await asyncio.sleep(0.05)
    assert (await desk.reported(1))["trouble"] == ""
    await asyncio.sleep(0.1)
    assert len(desk.reports) == 1
    desk.command.offer(changed=False)
    assert (await desk.reported(2))["trouble"] == ""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_one_that_takes_too_long_is_ended_with_all_its_children(tmp_path: Path) -> None:
    command = "sh -c 'echo $$ > child; sleep 60' & trap '' TERM; sleep 60; sleep 60"
    desk = Desk(tmp_path, command, timeout=timedelta(seconds=0.5))
    assert (await desk.run())["trouble"] == "took longer than 0.5 s"
    assert not alive(int((tmp_path / "child").read_text()))


async def test_a_child_left_behind_holds_nothing_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "sleep 5 & echo $! > child; echo done")
    began = time.monotonic()
    assert (await desk.run())["trouble"] == ""
    assert time.monotonic() - began < 4
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_what_it_says_is_read_to_the_end_cut_and_without_secrets(tmp_path: Path) -> None:
    command = "head -c 5000000 /dev/zero | tr '\\0' x; printf 'key correct-horse-battery \\033[1m'; exit 3"
    desk = Desk(tmp_path, command)
    trouble = (await desk.run())["trouble"]
    assert trouble.startswith("exit status 3: xxx")
    assert trouble.endswith("xxkey *** [1m")
    assert len(trouble) < 400
    small = Desk(tmp_path, "echo key correct-horse-battery; exit 3")
    assert (await small.run())["trouble"] == "exit status 3: key ***"


async def test_a_failure_is_logged_once_until_it_changes_or_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(tmp_path, "echo sorry $(date +%N); exit $(cat code)")
    with caplog.at_level(logging.INFO):
        for code in ("7", "7", "7", "8", "0", "0"):
            (tmp_path / "code").write_text(code)
            await desk.run()
    said = [record.getMessage().split(" said=")[0] for record in caplog.records]
    assert [line for line in said if "publish_command" in line][:2] == [
        'event=publish_command_failed why="exit status 7"',
        'event=publish_command_failed why="exit status 8"',
    ]
    assert sum("publish_command_works" in line for line in said) == 1
    assert len([line for line in said if "publish_command" in line]) == 3


@pytest.mark.parametrize("command", ["/no/such/program", "exit 127"])
async def test_one_that_cannot_run_says_so(tmp_path: Path, command: str) -> None:
    assert "exit status 127" in (await Desk(tmp_path, command).run())["trouble"]


async def test_a_folder_that_is_gone_is_a_failure_like_another(tmp_path: Path) -> None:
    trouble = (await Desk(tmp_path / "gone", "true").run())["trouble"]
    assert trouble.startswith("could not start in ")


async def test_the_last_page_is_carried_after_a_run_that_hangs_is_cut_short(tmp_path: Path) -> None:
    (tmp_path / "hang").touch()
    desk = Desk(tmp_path, "test -e hang && touch hangs && sleep 60; cp page carried")
    desk.clock.tick(180)
    desk.command.offer(changed=True)
    await until((tmp_path / "hangs").exists)
    (tmp_path / "hang").unlink()
    (tmp_path / "page").write_text("monitoring stopped")
    async with asyncio.timeout(15):
        await desk.command.finish()
    assert (tmp_path / "carried").read_text() == "monitoring stopped"


async def test_a_store_that_is_broken_stops_nothing(tmp_path: Path) -> None:
    async def broken(name: str, text: str) -> None:
        raise StoreError(f"no room for {name} {text}")

    desk = Desk(tmp_path, "echo run >> log", every=timedelta(seconds=1))
    command = PublishCommand(desk.settings, clock=desk.clock, redact=Redactor(), report=broken)
    for _ in range(2):
        desk.clock.tick(2)
        command.offer(changed=True)
        async with asyncio.timeout(10):
            while command._running and not command._running.done():
                await asyncio.sleep(0.01)
    assert (tmp_path / "log").read_text() == "run\n" * 2


async def test_without_a_command_nothing_runs_and_a_reload_brings_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "true")
    desk.command.change(PageSettings(dir=tmp_path))
    desk.command.offer(changed=True)
    await desk.command.finish()
    assert desk.reports == []
    desk.command.change(desk.settings)
    assert (await desk.run())["trouble"] == ""


async def test_it_gets_what_a_copy_needs_and_none_of_our_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os,
        "environ",
        {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "SSH_AUTH_SOCK": "/run/y",
            "NOTIFY_SOCKET": "/run/x",
            "CREDENTIALS_DIRECTORY": "/run/c",
            "OHMYGPT_API_KEY": "ours",
            "CLOUD_KEY": "not this one",
        },
    )
    await Desk(tmp_path, "env > env", env=(("CLOUD_KEY", Secret("meant for it")),)).run()
    found = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    shell_made = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: found[name] for name in set(found) - shell_made} == {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C",
        "SSH_AUTH_SOCK": "/run/y",
        "CLOUD_KEY": "meant for it",
    }


def documented(word: str) -> str:
    """The command of the documentation's example that holds `word`."""
    for block in re.findall(r"```toml\n(\[page\].*?)```", DOCS, re.DOTALL):
        given = tomllib.loads(block)["page"]["publish"]
        command = given if isinstance(given, str) else given["command"]
        if command.startswith(word):
            return str(command)
    raise AssertionError(f"no example begins with {word}")


def listing(folder: Path) -> set[str]:
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {name.as_posix() for name in names if not name.parts[0].startswith(".")}


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
async def test_the_documented_rsync_makes_a_copy_without_what_is_gone(tmp_path: Path) -> None:
    page, target = tmp_path / "page", tmp_path / "srv"
    target.mkdir()
    command = documented("rsync").replace("web@www.example.org:/srv/status/", f"{target}/")
    desk = Desk(page, command)
    for names in ({"index.html", "incidents/1/index.html"}, {"index.html", "feed.atom"}):
        publish(page, dict.fromkeys(sorted(names), b"1"))
        assert (await desk.run())["trouble"] == ""
        assert listing(target) == names


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
async def test_the_documented_push_keeps_a_branch_of_one_commit(tmp_path: Path) -> None:
    page, remote, seen = tmp_path / "page", tmp_path / "remote.git", tmp_path / "seen"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(remote)], check=True)
    publish(page, {"index.html": b"1"})
    setup = next(block for block in re.findall(r"```sh\n(git init.*?)```", DOCS, re.DOTALL))
    setup = setup.replace("git@github.com:you/status.git", str(remote))
    subprocess.run(["sh", "-ec", setup], cwd=page, check=True)
    desk = Desk(page, documented("git add"))
    for names in ({"index.html", "incidents/1/index.html"}, {"index.html", "feed.atom"}):
        publish(page, dict.fromkeys(sorted(names), b"1"))
        assert (await desk.run())["trouble"] == ""
        shutil.rmtree(seen, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", str(remote), str(seen)], check=True)
        assert listing(seen) == names
    log = subprocess.run(["git", "log", "--oneline"], cwd=seen, check=True, capture_output=True)
    assert len(log.stdout.splitlines()) == 1


async def test_the_documented_sync_to_s3_asks_for_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`aws` is a stand-in: the internet would be there."""
    page, bin_ = tmp_path / "page", tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "aws").write_text(f'#!/bin/sh\nprintf "%s\\n" "$PWD" "$@" > {tmp_path}/asked\n')
    (bin_ / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    publish(page, {"index.html": b"1"})
    assert (await Desk(page, documented("aws")).run())["trouble"] == ""
    assert (tmp_path / "asked").read_text().split() == [
        str(page),
        "s3",
        "sync",
        ".",
        "s3://status.example.org",
        "--delete",
        "--exclude",
        ".*",
        "--cache-control",
        "no-cache",
    ]
