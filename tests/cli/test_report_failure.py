"""`monitor report-failure`: the channels of a configuration that cannot be used are told so."""

import os
import subprocess
from asyncio import to_thread
from pathlib import Path

import command_cast
import pytest
from telegram import CHAT, TOKEN, telegram

FAILED = {
    "MONITOR_UNIT": "monitor.service",
    "MONITOR_SERVICE_RESULT": "exit-code",
    "MONITOR_EXIT_STATUS": "78",
}


def report(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    complete = {"TOKEN": TOKEN, "NO_PROXY": "127.0.0.1", **FAILED, **env}
    return command_cast.monitor("report-failure", cwd=folder, env=complete)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("[service.a]\nendpoints = {}\n", "service.a.endpoints: is empty"),
        ("[service.a\n", "this is not valid TOML"),
        ('[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\n', "result exit-code, status 78"),
    ],
)
async def test_whatever_is_wrong_the_channel_hears_of_it(
    tmp_path: Path, broken: str, complaint: str
) -> None:
    async with telegram() as phone:
        (tmp_path / "monitor.toml").write_text(
            f'{broken}[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\n'
            f'telegram_api = "{phone.url}"\n[page]\ntitle = "x"\n'
        )
        done = await to_thread(report, tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "phone: told\n", "")
    assert phone.messages[0].startswith("👁 monitor: monitoring has stopped")
    assert complaint in phone.messages[0]
    assert TOKEN not in phone.messages[0]


async def test_it_is_told_in_the_language_of_the_alerts_whatever_else_is_wrong(
    tmp_path: Path,
) -> None:
    async with telegram() as phone:
        (tmp_path / "monitor.toml").write_text(
            f'[service.a]\nendpoints = {{}}\n[alerts]\nlanguage = "zh-CN"\n'
            f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
        )
        done = await to_thread(report, tmp_path)

    assert (done.returncode, done.stdout) == (0, "phone: told\n")
    lines = phone.messages[0].splitlines()
    assert lines[:3] == [
        "👁 监控：已停止运行",
        "monitor.service 已退出，不会自动重启（result exit-code, status 78）。",
        "修复之前不做任何检测。",
    ]
    assert lines[-1] == "详情：journalctl -u monitor.service"


def test_without_a_channel_it_says_what_it_would_have_told(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text("[service.a]\nendpoints = {}\n")
    done = report(tmp_path)

    assert done.returncode == 1
    assert "has no channel that could be told" in done.stderr
    assert "service.a.endpoints: is empty" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
async def test_a_crash_loop_is_told_once_in_four_hours_and_as_what_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    crashed = {"MONITOR_EXIT_STATUS": "1", "RUNTIME_DIRECTORY": str(run)}
    async with telegram() as phone:
        (tmp_path / "monitor.toml").write_text(
            '[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\n'
            f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
        )
        first = await to_thread(report, tmp_path, **crashed)
        second = await to_thread(report, tmp_path, **crashed)
        hours_ago = (run / "told").stat().st_mtime - 5 * 3600
        os.utime(run / "told", (hours_ago, hours_ago))
        third = await to_thread(report, tmp_path, **crashed)

    assert (first.stdout, third.stdout) == ("phone: told\n", "phone: told\n")
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == "told before; a crash loop is told every four hours\n"
    assert [
        "monitor.service crashes again and again (result exit-code, status 1)." in message
        and "It is started again in five minutes." in message
        for message in phone.messages
    ] == [True, True]
