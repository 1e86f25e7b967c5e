"""`monitor init`: write a first monitor.toml.

It asks a few questions, or takes the answers as options, and writes a commented file that validates.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor import config
from monitor.cli.telegram_setup import TELEGRAM_API, Chat, find_chats
from monitor.model import Complaint, ConfigError, MonitorError, Secret

TOKEN = "TELEGRAM_TOKEN"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_TRIES = 3


def command(
    path: Annotated[
        Path,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Where to write it; never over a file."
        ),
    ] = Path("monitor.toml"),
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A base URL; may be repeated. Without any, questions are asked.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Of the service.", show_default=False)
    ] = "",
    key: Annotated[
        str, typer.Option(metavar="VARIABLE", help="Its value is the key.", show_default=False)
    ] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Model to ask.", show_default=False)
    ] = "",
    telegram: Annotated[
        bool,
        typer.Option(
            "--telegram", help="Alert the chat that the bot of $TELEGRAM_TOKEN heard from last."
        ),
    ] = False,
    chat: Annotated[
        int | None, typer.Option(metavar="ID", help="Alert this Telegram chat.", show_default=False)
    ] = None,
    telegram_api: Annotated[
        str, typer.Option(metavar="URL", help="An own Bot API server.")
    ] = TELEGRAM_API,
) -> None:
    """Ask a few questions and write a first monitor.toml."""
    if path.exists():
        raise _already_there(path)
    if url:
        if telegram and chat is None:
            chat = latest_chat(telegram_api)
        answers = Answers(
            urls=tuple(url), name=name, key=key, model=model, chat=chat, telegram_api=telegram_api
        )
    elif sys.stdin.isatty():
        answers = ask(telegram_api)
    else:
        raise typer.BadParameter(
            "want at least one base URL where nobody can be asked", param_hint="'--url'"
        )
    write(path, answers)
    typer.echo(next_steps(path, answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the file is made of. `key` is the name of the variable that holds the key, never the key."""

    urls: tuple[str, ...]
    name: str = ""
    key: str = ""
    model: str = ""
    chat: int | None = None
    telegram_api: str = TELEGRAM_API


def write(path: Path, answers: Answers) -> None:
    """Write a new file. Raises ConfigError for an answer that cannot be used, else MonitorError."""
    if answers.key and not _VARIABLE.fullmatch(answers.key):
        what = "want the name of a variable, such as OPENAI_API_KEY, not the key"
        raise ConfigError((Complaint("--key", what),))
    text = compose(answers)
    config.parse(text, path=path, env={TOKEN: "0:not-yet", answers.key or "_": "not-yet"})
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _already_there(path) from None
    except OSError as error:
        raise MonitorError(f"{path} cannot be written: {error.strerror}") from None


def _already_there(path: Path) -> MonitorError:
    return MonitorError(
        f"{path} is there already and stays as it is; move it away, or name another with --config"
    )


def compose(answers: Answers) -> str:
    ids = _ids(answers.urls)
    name = answers.name or _host(answers.urls[0])
    lines = [
        "# Written by `monitor init`; docs/configuration.md explains every key.",
        "# `monitor validate` checks it, `monitor once` asks everything once.",
        "",
        f"[service.{_slug(name)}]",
        f"name  = {_quoted(name)}",
        *_key_and_model(answers),
        "",
        f"[service.{_slug(name)}.endpoints]    # id = base URL; history hangs on the id",
        *(f"{endpoint} = {_quoted(url)}" for endpoint, url in ids.items()),
        "",
        "[page]",
        f"title = {_quoted(name[:70] + ' status')}",
        "",
        *_channel(answers),
    ]
    return "\n".join(lines) + "\n"


def _key_and_model(answers: Answers) -> Iterable[str]:
    if answers.key:
        yield f'key   = "${{{answers.key}}}"    # from the environment, or a systemd credential'
    else:
        yield '# key   = "${OPENAI_API_KEY}"    # without one, only what needs no key is asked'
    if answers.model:
        yield f"model = {_quoted(answers.model)}    # asked for a short streamed answer every 5 minutes"
        yield '# budget_per_day = "500k tokens"    # paid probes pause there'
    else:
        yield '# model = "gpt-4o-mini"    # with one, a short answer is asked for every 5 minutes'


def _channel(answers: Answers) -> Iterable[str]:
    if answers.chat is None:
        yield "# [channel.telegram]    # `monitor test-alert` tries it"
        yield f'# url = "tgram://${{{TOKEN}}}/CHAT"'
        return
    yield "[channel.telegram]    # `monitor test-alert` tries it"
    yield f'url = "tgram://${{{TOKEN}}}/{answers.chat}"'
    if answers.telegram_api != TELEGRAM_API:
        yield f"telegram_api = {_quoted(answers.telegram_api)}"


def _ids(urls: tuple[str, ...]) -> Mapping[str, str]:
    """Name each base URL after its host."""
    ids: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        slug = stem = _slug(_host(url))
        number = 2
        while slug in ids:
            slug, number = f"{stem}-{number}", number + 1
        ids[slug] = url
    return ids


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "llm"
    except ValueError:  # the configuration's own complaint says it better
        return "llm"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "llm"


def _quoted(value: str) -> str:
    """Quote as TOML does, which is as JSON does but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def ask(telegram_api: str) -> Answers:
    """Ask a person at a terminal."""
    urls: list[str] = []
    while url := typer.prompt(
        "Base URL" if not urls else "Another one (Enter: no more)", default="", show_default=False
    ).strip():
        urls.append(url)
    if not urls:
        raise MonitorError("without a base URL there is nothing to watch; nothing was written")
    name = typer.prompt("Name of the service", default=_host(urls[0])).strip()
    key = typer.prompt(
        "Variable that holds the key (Enter: no key)", default="", show_default=False
    ).strip()
    model = ""
    if key:
        model = typer.prompt("Model to ask (Enter: none)", default="", show_default=False).strip()
    return Answers(
        urls=tuple(urls),
        name=name,
        key=key,
        model=model,
        chat=_ask_chat(telegram_api),
        telegram_api=telegram_api,
    )


def _ask_chat(api: str) -> int | None:
    token = os.environ.get(TOKEN) or typer.prompt(
        "Telegram bot token, from @BotFather; not written down (Enter: no Telegram)",
        default="",
        show_default=False,
        hide_input=True,
    )
    if not token.strip():
        return None
    for _ in range(_MAX_TRIES):
        chats = find_chats(Secret(token), api)
        if chats:
            return _choose(chats)
        typer.prompt(
            "The bot has heard nothing yet: write to it in Telegram, then press Enter",
            default="",
            show_default=False,
        )
    raise MonitorError("the bot has heard from nobody; write to it, then run `monitor init` again")


def _choose(chats: tuple[Chat, ...]) -> int:
    for number, chat in enumerate(chats, 1):
        typer.echo(f"  {number}. {chat.name} ({chat.id})")
    choice: int = typer.prompt("Which chat", default=1, type=int)
    if not 1 <= choice <= len(chats):
        raise MonitorError(f"want a number from 1 to {len(chats)}; nothing was written")
    return chats[choice - 1].id


def latest_chat(api: str) -> int:
    """Return the chat that the bot of $TELEGRAM_TOKEN heard from last."""
    token = os.environ.get(TOKEN, "")
    if not token:
        raise MonitorError(f"--telegram needs the bot's token in ${TOKEN}")
    chats = find_chats(Secret(token), api)
    if not chats:
        raise MonitorError("the bot has heard from nobody; write to it in Telegram, then try again")
    return chats[0].id


def next_steps(path: Path, answers: Answers) -> str:
    variables = (answers.key, TOKEN if answers.chat is not None else "")
    steps = [f"wrote {path}", *(f"  export {name}=..." for name in variables if name)]
    steps.append("  monitor once          # everything one time, now")
    if answers.chat is not None:
        steps.append("  monitor test-alert    # one message to your chat")
    return "\n".join([*steps, "  monitor run           # the daemon"])
