"""`monitor init`: from nothing to a configuration that validates, at a terminal and in a script."""

import os
import pty
import select
import subprocess
import time
from asyncio import to_thread
from pathlib import Path

import command_cast
import pytest
from command_cast import MONITOR
from telegram import TOKEN, telegram

HEARD: list[dict[str, object]] = [
    {"update_id": 1, "message": {"chat": {"id": 42, "first_name": "Ada"}, "text": "hello"}},
    {"update_id": 2, "message": {"chat": {"id": 42, "first_name": "Ada"}, "text": "again"}},
    {"update_id": 3, "channel_post": {"chat": {"id": -10077, "title": "Ops \x1b[31m"}}},
    {"update_id": 4, "my_chat_member": "nonsense"},
]


def monitor(folder: Path, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    env = {"TELEGRAM_TOKEN": token, "NO_PROXY": "127.0.0.1", "K": "a-key"}
    return command_cast.monitor(*arguments, cwd=folder, env=env)


def test_a_base_url_alone_is_enough(tmp_path: Path) -> None:
    done = monitor(tmp_path, "init", "--url", "https://api.example.com/v1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "wrote monitor.toml"
    checked = monitor(tmp_path, "validate")
    assert checked.stdout.endswith("good. 1 service, 1 endpoint, 1 check, 0 channels.\n")


def test_everything_that_can_be_said_is_written_and_validates(tmp_path: Path) -> None:
    urls = ("https://a.example.com", "https://a.example.com/other", "https://b.example.com")
    options = ["--name", 'Quo"ted \\ 优化', "--key", "K", "--model", "m", "--chat", "-10042"]
    done = monitor(tmp_path, "init", *(part for url in urls for part in ("--url", url)), *options)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "monitor.toml").read_text()
    assert 'a-example-com-2 = "https://a.example.com/other"' in text
    assert "tgram://${TELEGRAM_TOKEN}/-10042" in text
    assert TOKEN not in text
    checked = monitor(tmp_path, "validate")
    assert checked.stdout.endswith("good. 1 service, 3 endpoints, 6 checks, 1 channel.\n")


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text("mine")
    done = monitor(tmp_path, "init", "--url", "https://a.example.com")
    assert done.returncode == 1
    assert "stays as it is; move it away" in done.stderr
    assert (tmp_path / "monitor.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--url", "ftp://a.example.com"], 78, "want"),
        (["--url", "https://a.example.com", "--key", "sk-0123 4567"], 78, "name of a variable"),
        ([], 2, "--url"),
    ],
)
def test_what_cannot_be_used_writes_nothing(
    tmp_path: Path, arguments: list[str], status: int, said: str
) -> None:
    done = monitor(tmp_path, "init", *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


async def test_the_chat_is_found_through_the_bot_api(tmp_path: Path) -> None:
    async with telegram() as fake:
        fake.heard = HEARD[:2]
        done = await to_thread(
            monitor,
            tmp_path,
            "init",
            "--url",
            "https://a.example.com",
            "--telegram",
            "--telegram-api",
            fake.url,
        )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "monitor.toml").read_text()
    assert 'url = "tgram://${TELEGRAM_TOKEN}/42"' in text
    assert f'telegram_api = "{fake.url}"' in text


@pytest.mark.parametrize(
    ("token", "heard", "said"),
    [
        ("1:wrong", HEARD, "does not know this token; copy it again"),
        (TOKEN, [], "write to it in Telegram"),
        ("", HEARD, "needs the bot's token in $TELEGRAM_TOKEN"),
    ],
)
async def test_why_no_chat_was_found(
    tmp_path: Path, token: str, heard: list[dict[str, object]], said: str
) -> None:
    async with telegram() as fake:
        fake.heard = heard
        arguments = ["--url", "https://a.example.com", "--telegram", "--telegram-api", fake.url]
        done = await to_thread(monitor, tmp_path, "init", *arguments, token=token)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_bot_api_never_shows_the_token(tmp_path: Path) -> None:
    arguments = [
        "--url",
        "https://a.example.com",
        "--telegram",
        "--telegram-api",
        "http://127.0.0.1:9",
    ]
    done = monitor(tmp_path, "init", *arguments)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def at_a_terminal(folder: Path, api: str, *answers: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [MONITOR, "init", "--telegram-api", api],
        cwd=folder,
        env={"NO_PROXY": "127.0.0.1", "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = b""
    waiting = list(answers)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([ours], [], [], 5)[0]:
            break  # it waits for an answer that we have not
        try:
            piece = os.read(ours, 4096)
        except OSError:  # it has ended
            break
        said += piece
        if waiting and said.rstrip(b" ").endswith((b":", b"]:")):
            time.sleep(0.3)  # a hidden question throws away what was typed before it
            os.write(ours, waiting.pop(0).encode() + b"\n")
    os.close(ours)  # and with it the terminal: whoever still waits there ends
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode, said.decode()


@pytest.mark.slow
async def test_a_person_is_asked_and_picks_the_chat(tmp_path: Path) -> None:
    async with telegram() as fake:
        fake.heard = HEARD
        status, said = await to_thread(
            at_a_terminal,
            tmp_path,
            fake.url,
            "https://a.example.com",
            "https://b.example.com",
            "",
            "My service",
            "K",
            "gpt-4o-mini",
            TOKEN,
            "2",
        )
    assert status == 0, said
    assert "1. Ops" in said
    assert "\033" not in said
    assert "2. Ada (42)" in said
    assert TOKEN not in said
    text = (tmp_path / "monitor.toml").read_text()
    assert "[service.my-service]" in text
    assert "tgram://${TELEGRAM_TOKEN}/42" in text
    assert TOKEN not in text
    assert monitor(tmp_path, "validate").returncode == 0


def test_an_address_without_a_scheme_is_taken_as_https(tmp_path: Path) -> None:
    done = monitor(tmp_path, "init", "--url", "api.example.com/v1")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"https://api.example.com/v1"' in (tmp_path / "monitor.toml").read_text()


@pytest.mark.slow
async def test_each_answer_is_checked_when_it_is_given(tmp_path: Path) -> None:
    async with telegram() as fake:
        fake.heard = HEARD
        status, said = await to_thread(
            at_a_terminal,
            tmp_path,
            fake.url,
            "ftp://a.example.com",
            "a.example.com",
            "https://a.example.com",
            "https://b.example.com/v1/chat/completions",
            "",
            "My service",
            "sk-0123456789abcdef",
            "K",
            "gpt-4o-mini",
            "1:wrong",
            TOKEN,
            "7",
            "2",
        )
    assert status == 0, said
    for complaint in (
        'got the scheme "ftp://"',
        "https://a.example.com is in the list already",
        "/chat/completions",
        "want the name of a variable",
        "does not know this token",
        "want a number from 1 to 2",
    ):
        assert complaint in said
    text = (tmp_path / "monitor.toml").read_text()
    assert 'a-example-com = "https://a.example.com"' in text
    assert "b-example-com" not in text
    assert "tgram://${TELEGRAM_TOKEN}/42" in text
