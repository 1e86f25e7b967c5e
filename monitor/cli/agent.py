"""`monitor agent`: probe from several places."""

import asyncio
import faulthandler
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table
from rich.text import Text

from monitor import config, logs
from monitor.agent.clock_offset import SHOWN_MS
from monitor.agent.invitation import Invitation, is_id, read_invitation
from monitor.agent.signature import TAG_LENGTH, digest, load_or_make, new_key
from monitor.agent.wire import with_deal
from monitor.cli.agent_states import known_agents
from monitor.cli.console import plain_table, say, stdout
from monitor.cli.history import require_known_vantage
from monitor.cli.options import (
    ConfigPath,
    load,
    option,
    service_env,
    time_argument,
    time_range,
)
from monitor.cli.reload import reload
from monitor.cli.time_range import TimeArgument
from monitor.cli.whole_file import write_whole
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.config.agent_document import agent_document
from monitor.config.vantage_text import with_key, with_vantage, without_key, without_vantage
from monitor.model import (
    AgentSettings,
    AgentState,
    Complaint,
    ConfigError,
    MonitorError,
    Redactor,
    Secret,
    Vantage,
)
from monitor.model.dealing import agent_id
from monitor.model.duration import format_duration
from monitor.store import Store

ADD, LIST, REMOVE, CUT = "add", "list", "remove", "cut"
_UNIT = """[Unit]
Description=LLM endpoint monitor: probes for a hub
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# Keys for paid probes, NAME=value a line; readable by root or by you alone.
EnvironmentFile=-{state}/env
Restart=always
RestartSec=5
RestartPreventExitStatus=78
TimeoutStartSec=infinity
WatchdogSec=60
UMask=0077
NoNewPrivileges=yes
{confined}
[Install]
WantedBy={target}
"""
_CONFINED = """\
# It may read and write what it is told to, wherever that lies, and nothing else that only root may.
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH
ProtectSystem=full
PrivateDevices=yes
"""
"""For root, who could do more than an agent needs; a user's own systemd may not be able to."""


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="add|list|remove|cut|URL",
            help="At the hub: add, list, remove or cut. At the other place: the hub's address, once.",
            show_default=False,
        ),
    ] = "",
    vantage: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The vantage to add, remove or cut; to remove one of its agents, ID/AGENT.",
            show_default=False,
        ),
    ] = "",
    name: Annotated[str, option("NAME", "Its name for people.")] = "",
    url: Annotated[
        str, option("URL", "The hub's address for agents. Default: `url` in [page].")
    ] = "",
    since: Annotated[
        TimeArgument | None,
        option("WHEN", "With cut: from when on its results were false.", parser=time_argument),
    ] = None,
    until: Annotated[
        TimeArgument | None, option("WHEN", "With cut: until when.", parser=time_argument)
    ] = None,
    another: Annotated[
        bool,
        typer.Option(
            "--another", help="With add: one more agent of a place, which shares its checks."
        ),
    ] = False,
    path: ConfigPath = None,
    state: Annotated[
        Path | None,
        option("FOLDER", "Where the agent keeps its key, its store and what the hub said."),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Write a systemd unit instead of running.")
    ] = False,
) -> None:
    """Let another place probe for this hub, or probe for one here.

    At the hub, `add` makes a key pair, writes [vantage.ID] and prints one line. At the other place the agent asks for
    that line, and then runs until SIGTERM or SIGINT.
    """
    if what == ADD:
        add(path, vantage, name, url, another=another)
    elif what == REMOVE:
        remove(path, vantage)
    elif what == CUT:
        cut(path, vantage, since, until)
    elif what == LIST:
        show_agents(load(path, secrets=Secrets.NONE))
    else:
        run_agent(what, path, state, install=install)


# --- at the hub -----------------------------------------------------------------------------------


def add(path: Path | None, vantage: str, name: str, url: str, *, another: bool = False) -> None:
    """Write [vantage.ID] or one more key in it, let the daemon reload, and print the line for the other machine."""
    from monitor.daemon.hub import KEY_FILE, must_have_key  # noqa: PLC0415  # an agent needs none of it

    if not is_id(vantage):
        raise typer.BadParameter(
            f'got "{vantage[:40]}", want the id of the new vantage, such as cn: a-z, 0-9 and "-", 40 at most',
            param_hint="'ID'",
        )
    loaded = load(path, secrets=Secrets.NONE)
    hub = _hub_address(url or loaded.page.url or "")
    key = new_key()
    before = _read(loaded.path)
    if another:
        if name:
            raise typer.BadParameter("the place has its name already", param_hint="'--name'")
        after = with_key(before, vantage, key.public)
    else:
        after = with_vantage(before, vantage, name, key.public)
    env = service_env(loaded.path, os.environ)
    config.parse(after, path=loaded.path, env=env, secrets=Secrets.NONE, strict=False)
    must_have_key(loaded)
    hub_key = load_or_make(loaded.state / KEY_FILE)
    _rewrite(loaded, before, after)
    line = Invitation(vantage=vantage, hub=hub, hub_key=hub_key.public, key=key).line
    say(
        f"\nOn the other machine run `monitor agent {hub}` and give it this line, which is shown once:\n"
    )
    say(line)


def _hub_address(text: str) -> str:
    parts = urlsplit(text)
    is_address = parts.scheme in {"http", "https"} and parts.hostname and len(text.split()) == 1
    if text and (not is_address or parts.query or parts.fragment):
        raise MonitorError(
            f'got the address "{text[:60]}", want one such as https://status.example.org'
        )
    if not text:
        raise MonitorError(
            "at which address does the agent reach this hub? give it with --url https://..., or as `url` in [page]"
        )
    return text.rstrip("/")


def remove(path: Path | None, vantage: str) -> None:
    """Take [vantage.ID] out of the file, or one of several keys in it; what it has measured stays."""
    loaded = load(path, secrets=Secrets.NONE)
    before = _read(loaded.path)
    if "/" in vantage:
        after = _without_agent(loaded, before, vantage)
    else:
        after = without_vantage(before, vantage)
    _rewrite(loaded, before, after)
    say(
        f"{vantage} may not push any more; its history stays. Stop the agent there too: it goes on probing."
    )


def _without_agent(loaded: Config, before: str, name: str) -> str:
    """Return the file without the key of an agent that shares its place's checks."""
    shared = {
        agent_name(vantage, key): (vantage.id, key)
        for vantage in loaded.vantages
        for key in vantage.public_keys
        if len(vantage.public_keys) > 1
    }
    if name not in shared:
        names = (
            f"only {', '.join(sorted(shared))}" if shared else "nor any other that shares checks"
        )
        raise MonitorError(f"there is no agent {name[:60]}, {names}")
    return without_key(before, *shared[name])


def cut(
    path: Path | None, vantage: str, since: TimeArgument | None, until: TimeArgument | None
) -> None:
    """Forget what a vantage measured in the whole hours of a time. Raises StoreError where a daemon holds the store."""
    if since is None:
        raise typer.BadParameter("want a moment or how long ago", param_hint="'--since'")
    first, last = time_range(since, until)
    loaded = load(path, secrets=Secrets.NONE)
    if vantage == loaded.vantage:
        raise MonitorError(f'"{vantage}" is this daemon\'s own vantage; want that of an agent')
    with closing(Store.read_only(loaded.store, vantage=vantage)) as reader:
        require_known_vantage(loaded, reader, vantage)
    runs = asyncio.run(_cut(loaded, vantage, first, last))
    say(
        f"Cut out of the history of {vantage}, in the whole hours from {first:%Y-%m-%d %H}:00 UTC on; runs: {runs}."
        " What was told because of them stays in the incidents."
    )


async def _cut(loaded: Config, vantage: str, first: datetime, last: datetime) -> int:
    store = Store(loaded.store, clock=SystemClock(), vantage=loaded.vantage, history=loaded.history)
    store.open()
    try:
        return await store.cut(vantage, first, last)
    finally:
        await store.close()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((Complaint(str(path), f"cannot be read: {error}"),)) from None


def _rewrite(loaded: Config, before: str, after: str) -> None:
    """Write the file whole, with its rights and owner, and let a daemon read it; undo what it refuses."""
    write_whole(loaded.path, after)
    if Store.holder(loaded.store) is None:
        say(f"{loaded.path} is changed; the daemon reads it when it starts.")
        return
    try:
        reload(loaded)
    except MonitorError:
        write_whole(loaded.path, before)
        raise
    say(f"{loaded.path} is changed, and the daemon goes by it.")


def show_agents(loaded: Config) -> None:
    """Print a line a vantage."""
    if not loaded.vantages:
        say("No other place probes for this hub; `monitor agent add` lets one.")
        return
    stdout().print(agent_table(loaded))


def agent_table(loaded: Config) -> Table:
    """Show when each agent was heard, how its clock is, what waits there, and by what it probes."""
    known = {state.key: state for state in known_agents(loaded)}
    rows = plain_table("vantage", "name", "heard", "clock", "waiting", "version", "config")
    for vantage in loaded.vantages:
        for key in vantage.public_keys:
            state, name = known.get(key), Text(vantage.name("en"))
            cells = ("never heard", "-", "-", "-", "-")
            if state is not None:
                is_current = state.config == config_tag(loaded, vantage, state)
                cells = (*_agent_cells(state), "current" if is_current else "older")
            rows.add_row(agent_name(vantage, key), name, *map(Text, cells))
    return rows


def agent_name(vantage: Vantage, key: str) -> str:
    """Return what an agent is called: as its place, where it is the only one there."""
    return vantage.id if len(vantage.public_keys) == 1 else f"{vantage.id}/{agent_id(key)}"


def config_tag(loaded: Config, vantage: Vantage, state: AgentState) -> str:
    """Return the tag of what an agent of a vantage is to probe by now, with the checks that it has."""
    document = agent_document(loaded, vantage)
    if len(vantage.public_keys) > 1:
        document = with_deal(document, agent_id(state.key), state.deal)
    return digest(document)[:TAG_LENGTH]


def _agent_cells(agent: AgentState) -> tuple[str, str, str, str]:
    """Return when it was heard, its clock, what waits there and its version, for people."""
    ago = SystemClock().now() - agent.heard
    offset = agent.offset_ms
    clock = "-" if offset is None else "right"
    if offset is not None and abs(offset) > SHOWN_MS:
        clock = f"{abs(offset) / 1000:.0f} s {'behind' if offset > 0 else 'ahead'}"
    blind = ", its own network fails" if agent.blind else ""
    oldest = timedelta(milliseconds=agent.oldest_ms)
    waiting = f"{agent.buffered}, oldest {format_duration(oldest)}" if agent.buffered else "0"
    return f"{format_duration(ago)} ago{blind}", clock, waiting, agent.version


# --- at the other place ---------------------------------------------------------------------------


def run_agent(hub: str, path: Path | None, state: Path | None, *, install: bool) -> None:
    """Run the agent, or write its systemd unit; without a known key, ask for the line first."""
    from monitor.daemon.agent_daemon import (  # noqa: PLC0415  # a hub needs none of it
        Agent,
        keep_invitation,
        known_invitation,
    )

    if hub and urlsplit(hub).scheme not in {"http", "https"}:
        raise typer.BadParameter(
            f'got "{hub[:40]}", want add, list, remove, cut, or the hub\'s address',
            param_hint="'URL'",
        )
    state = (state or _usual_state()).absolute()
    invitation = known_invitation(state)
    if invitation is None or (hub and hub.rstrip("/") != invitation.hub):
        invitation = _ask_for_line(hub)
        keep_invitation(state, invitation)
    settings = _settings(path, invitation)
    if install:
        _install(state, path)
        return
    login = settings.proxy.login if settings.proxy else None
    secrets = [Secret(invitation.key.text), *([login] if login else [])]
    logs.set_up(Redactor(secrets), level="INFO", journal=logs.is_under_systemd())
    faulthandler.enable()
    env = {**os.environ, "STATE_DIRECTORY": str(state)}
    agent = Agent(invitation=invitation, settings=settings, state=state, env=env)
    asyncio.run(agent.run())


def _usual_state() -> Path:
    if folder := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(folder)
    if os.geteuid() == 0:
        return Path("/var/lib/monitor-agent")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "monitor-agent"


def _ask_for_line(hub: str) -> Invitation:
    """Ask for the line that the hub has printed: never as an argument, which others can see."""
    if sys.stdin.isatty():
        line = typer.prompt("The line that `monitor agent add` has printed", hide_input=True)
    else:
        line = sys.stdin.readline()
    if not line.strip():
        raise MonitorError(
            "want the line that `monitor agent add` has printed at the hub, on standard input"
        )
    invitation = read_invitation(line)
    if not hub:
        return invitation
    return Invitation(
        vantage=invitation.vantage,
        hub=hub.rstrip("/"),
        hub_key=invitation.hub_key,
        key=invitation.key,
    )


def _settings(path: Path | None, invitation: Invitation) -> AgentSettings:
    """Return the `[agent]` table of a file that is named, else what needs no file."""
    if path is None:
        return AgentSettings(hubs=(invitation.hub,))
    loaded = load(path)
    if loaded.agent is None:
        raise MonitorError(f"{path} has no [agent]; an agent needs no other table")
    return loaded.agent


def unit_text(words: Sequence[str], state: Path, *, is_root: bool) -> str:
    """Return a systemd unit that runs a command, whose state is in a folder; for root or for a user."""
    folder = str(state).replace("%", "%%")
    return _UNIT.format(
        command=shlex.join(words).replace("%", "%%").replace("$", "$$"),
        state=folder,
        confined=_CONFINED if is_root else "",
        target="multi-user.target" if is_root else "default.target",
    )


def _install(state: Path, path: Path | None) -> None:
    """Write a unit for root, or one of the user's own, and say how to start it."""
    is_root = os.geteuid() == 0
    folder = (
        Path("/etc/systemd/system") if is_root else Path.home() / ".config" / "systemd" / "user"
    )
    words = [str(Path(sys.executable).parent / "monitor"), "agent", "--state", str(state)]
    words += ["--config", str(path.absolute())] if path else []
    unit = folder / "monitor-agent.service"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unit.write_text(unit_text(words, state, is_root=is_root))
    except OSError as error:
        raise MonitorError(f"{unit} cannot be written: {error.strerror}") from None
    user = "" if is_root else "--user "
    say(f"{unit} is written. Start it, now and after each boot:")
    say(f"systemctl {user}daemon-reload && systemctl {user}enable --now monitor-agent")
    if not is_root:
        say("loginctl enable-linger    # so that it runs while you are not logged in")
