"""`monitor init`: write a first monitor.toml.

It asks a few questions, or takes the answers as options, and writes a commented file that validates.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor import config
from monitor.cli.console import say
from monitor.cli.options import number_from, option
from monitor.cli.telegram_setup import ANY_TOKEN, Chat, find_chats
from monitor.model import Complaint, ConfigError, MonitorError, Redactor, Secret
from monitor.model.config_text import free_id, slug, toml_string
from monitor.model.telegram_address import TELEGRAM_API

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
        option("URL", "A base URL; may be repeated. Without any, questions are asked."),
    ] = None,
    name: Annotated[str, option("NAME", "The name of the service.")] = "",
    key: Annotated[str, option("VARIABLE", "The environment variable that holds the key.")] = "",
    model: Annotated[str, option("MODEL", "The model to ask.")] = "",
    telegram: Annotated[
        bool,
        typer.Option(
            "--telegram", help="Alert the chat that the bot of $TELEGRAM_TOKEN heard from last."
        ),
    ] = False,
    chat: Annotated[
        int | None, option("ID", "Alert this Telegram chat.", parser=number_from(-(10**16), 10**16))
    ] = None,
    telegram_api: Annotated[
        str, typer.Option(metavar="URL", help="Your own Bot API server.")
    ] = TELEGRAM_API,
) -> None:
    """Ask a few questions and write a first monitor.toml."""
    try:
        is_there = path.exists()
    except OSError as error:
        raise MonitorError(f"{path} cannot be written: {error.strerror}") from None
    if is_there:
        raise _already_there(path)
    if url:
        if telegram and chat is None:
            chat = latest_chat(telegram_api)
        answers = Answers(
            urls=tuple(map(with_scheme, url)),
            name=name,
            key=key,
            model=model,
            chat=chat,
            telegram_api=telegram_api,
        )
    elif sys.stdin.isatty():
        answers = ask(telegram_api)
    else:
        raise typer.BadParameter(
            "want at least one base URL where nobody can be asked", param_hint="'--url'"
        )
    write(path, answers)
    say(next_steps(path, answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Holds what the file is made of. `key` is the name of the variable that holds the key, never the key."""

    urls: tuple[str, ...]
    name: str = ""
    key: str = ""
    model: str = ""
    chat: int | None = None
    telegram_api: str = TELEGRAM_API


def write(path: Path, answers: Answers) -> None:
    """Write a new file. Raises ConfigError for an answer that cannot be used, else MonitorError."""
    check(answers, path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(compose(answers))
    except FileExistsError:
        raise _already_there(path) from None
    except OSError as error:
        raise MonitorError(f"{path} cannot be written: {error.strerror}") from None


def check(answers: Answers, path: Path = Path("monitor.toml")) -> None:
    """Raise ConfigError for answers of which no configuration can be made."""
    is_variable = _VARIABLE.fullmatch(answers.key) and Redactor()(answers.key) == answers.key
    if answers.key and not is_variable:
        what = "want the name of a variable, such as OPENAI_API_KEY, not the key"
        raise ConfigError((Complaint("--key", what),))
    env = {TOKEN: ANY_TOKEN, answers.key or "_": "not-yet"}
    config.parse(compose(answers), path=path, env=env)


def with_scheme(url: str) -> str:
    """Put https:// before an address without a scheme; what is mistyped is left to the complaint."""
    url = url.strip()
    is_bare = url and "://" not in url and not re.match(r"https?\b", url, re.IGNORECASE)
    return f"https://{url}" if is_bare else url


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
        f"[service.{_id(name)}]",
        f"name  = {toml_string(name)}",
        *_key_and_model(answers),
        "",
        f"[service.{_id(name)}.endpoints]    # id = base URL; history hangs on the id",
        *(f"{endpoint} = {toml_string(url)}" for endpoint, url in ids.items()),
        "",
        "[page]",
        f"title = {toml_string(name[:70] + ' status')}",
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
        yield f"model = {toml_string(answers.model)}    # asked for a short streamed answer every 5 minutes"
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
        yield f"telegram_api = {toml_string(answers.telegram_api)}"


def _ids(urls: tuple[str, ...]) -> Mapping[str, str]:
    """Name each base URL after its host."""
    ids: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        ids[free_id(_id(_host(url)), ids)] = url
    return ids


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "llm"
    except ValueError:  # the configuration's own complaint says it better
        return "llm"


def _id(name: str) -> str:
    return slug(name) or "llm"


def ask(telegram_api: str) -> Answers:
    """Ask a person at a terminal. An answer that cannot be used is asked for again."""
    answers = Answers(urls=(), telegram_api=telegram_api)
    question = "Base URL"
    while url := with_scheme(_prompt(question)):
        longer = replace(answers, urls=(*answers.urls, url))
        if url in answers.urls:
            say(f"  {url} is in the list already")
        elif complaint := _complaint(longer):
            say(f"  {complaint}")
        else:
            answers = longer
        question = "Another one (Enter: no more)" if answers.urls else question
    if not answers.urls:
        raise MonitorError("without a base URL there is nothing to watch; nothing was written")
    host = _host(answers.urls[0])
    answers = _ask("Name of the service", lambda text: replace(answers, name=text), host)
    variable = "Variable that holds the key (Enter: no key)"
    answers = _ask(variable, lambda text: replace(answers, key=text))
    if answers.key:
        answers = _ask("Model to ask (Enter: none)", lambda text: replace(answers, model=text))
    return replace(answers, chat=_ask_chat(telegram_api))


def _ask(question: str, with_text: Callable[[str], Answers], default: str = "") -> Answers:
    """Ask until an answer can be used."""
    while True:
        text = _prompt(question, default)
        answers = with_text(text)
        if not text or not (complaint := _complaint(answers)):
            return answers
        say(f"  {complaint}")


def _complaint(answers: Answers) -> str | None:
    try:
        check(answers)
    except ConfigError as error:
        return error.complaints[0].what
    return None


def _prompt(question: str, default: str = "", *, hidden: bool = False) -> str:
    text: str = typer.prompt(
        question, default=default, show_default=bool(default), hide_input=hidden
    )
    return text.strip()


def _ask_chat(api: str) -> int | None:
    token = os.environ.get(TOKEN, "").strip()
    trouble = "the bot has heard from nobody; write to it"
    for _ in range(_MAX_TRIES):
        token = token or _prompt(
            "Telegram bot token, from @BotFather; not written down (Enter: no Telegram)",
            hidden=True,
        )
        if not token:
            return None
        try:
            chats = find_chats(Secret(token), api)
        except MonitorError as error:
            say(f"  {error}")
            token, trouble = "", "no Telegram chat was found"
            continue
        if chats:
            return _choose(chats)
        _prompt("The bot has heard nothing yet: write to it in Telegram, then press Enter")
    raise MonitorError(
        f"{trouble}; nothing was written: run `monitor init` again, and leave Telegram out if need be"
    )


def _choose(chats: tuple[Chat, ...]) -> int:
    for number, chat in enumerate(chats, 1):
        say(f"  {number}. {chat.name} ({chat.id})")
    while True:
        choice: int = typer.prompt("Which chat", default=1, type=int)
        if 1 <= choice <= len(chats):
            return chats[choice - 1].id
        say(f"  want a number from 1 to {len(chats)}")


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
