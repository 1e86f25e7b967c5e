"""`monitor status`: show what the store knows."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli import incidents, learned_figures
from monitor.cli.console import (
    COLOURS,
    iso_time,
    milliseconds,
    plain_table,
    say,
    show_json,
    stdout,
    utc_time,
)
from monitor.cli.daemon_health import DaemonHealth, daemon_health
from monitor.cli.options import AsJson, ConfigPath, load
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.daemon import BOTS
from monitor.daemon.metrics_push import NOTE as METRICS_NOTE
from monitor.daemon.publish_command import NOTE
from monitor.language import ENGLISH
from monitor.model import (
    NO_SPEND,
    AgentState,
    Check,
    CheckHistory,
    DailyBudget,
    Gap,
    OutboxMessage,
    Service,
    Snapshot,
    Spend,
    Vantage,
)
from monitor.model.duration import format_duration
from monitor.model.errors import delivery_remedy
from monitor.model.result_json import result_document
from monitor.ranking import Candidate, Pick, candidates, choose, last_picks, main_check
from monitor.store import Store, WaitingDaemon
from monitor.store.small_tables import FORMER, MOVED_CHATS, earlier_ids

CHECK_COLUMNS = ("check", "outcome", "asked", "ttft p50", "up, 24 h", "why")
_SAID_FOR = timedelta(days=30)
_MAX_ROWS = 20
"""Rows of incidents and of messages given up; `monitor incidents` has all incidents."""


def command(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show what the store knows: every check, open incidents, undelivered messages, spend."""
    loaded = load(path, secrets=Secrets.NONE)
    daemon, waiting = daemon_health(loaded), standbys(loaded)
    if daemon and not as_json:  # first, because a broken store may end this command
        say(daemon_line(daemon, SystemClock().now()))
    snapshot = read_snapshot(loaded)
    if as_json:
        show_json(document(loaded, snapshot, daemon, waiting))
        return
    if not daemon:
        say("No daemon runs; this is what the last one stored.")
    for line in (
        *standby_lines(daemon, waiting),
        *recommendation_lines(loaded, snapshot),
        *vantage_lines(loaded, snapshot.at),
    ):
        say(line)
    for before, after in moved_chats(loaded).items():
        say(
            f"The Telegram group {before} became {after}; put that into the `url` of its channel, if the"
            " old number is still there."
        )
    say("")
    for part in tables(loaded, snapshot):
        stdout().print(part)
    for more in (
        *learned_figures.lines(loaded, SystemClock().now()),
        _publish_trouble(last_publish(loaded)),
        _metrics_trouble(loaded),
        *_bot_lines(loaded),
    ):
        if more:
            stdout().print(f"\n{more}", markup=False, highlight=False, soft_wrap=True)


def read_snapshot(config: Config) -> Snapshot:
    """Return what a daemon has committed so far."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        return reader.snapshot(SystemClock().now(), whole=False)


def _note(config: Config, name: str) -> Any:
    """Return what the daemon wrote down under a name; None where it did not."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        return json.loads(reader.note(name) or "null")


def moved_chats(config: Config) -> dict[str, str]:
    """Return the numbers of Telegram groups that became supergroups, by their old ones."""
    return _note(config, MOVED_CHATS) or {}


def vantage_lines(config: Config, now: datetime) -> Iterator[str]:
    """Say for a month that what was measured under another id is not among what is shown."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        coming = reader.ask(lambda connection: earlier_ids(connection, config.vantage))
    for before, seen in (_note(config, FORMER) or {}).items():
        if now - datetime.fromisoformat(seen) < _SAID_FOR:
            yield (
                f'Until {utc_time(datetime.fromisoformat(seen))} UTC this daemon\'s vantage was "{before}", and'
                f' since then "{config.vantage}", whose history began anew; `monitor history CHECK --from {before}`'
                " shows what was measured before."
            )
    for before in coming:
        yield (
            f'The daemon has written this store as vantage "{before}", and [monitor] says "{config.vantage}": another'
            " id is another place, whose history begins anew with the next start. To keep the history write"
            f' vantage = "{before}"; `vantage_name` is what people read.'
        )


def last_publish(config: Config) -> dict[str, Any] | None:
    """Return how the publish command ended last, where there is one."""
    return None if config.page.publish is None else _note(config, NOTE)


def _publish_trouble(run: dict[str, Any] | None) -> str | None:
    if run is None or not run["trouble"]:
        return None
    return f"The page was not carried at {run['at']}: {run['trouble']}"


def metrics_push(config: Config) -> dict[str, str] | None:
    """Return since when the metrics are taken, or why not, where they are pushed."""
    return None if config.otlp is None else _note(config, METRICS_NOTE)


def _metrics_trouble(config: Config) -> str | None:
    state = metrics_push(config)
    if state is None or not state["trouble"]:
        return None
    return f"The metrics have not been taken since {state['since']}: {state['trouble']}"


def bot_states(config: Config) -> dict[str, dict[str, str | None]]:
    """Return by channel since when its Telegram bot listens, or why it does not."""
    return _note(config, BOTS) or {}


def subscribers(config: Config) -> dict[str, int]:
    """Count the chats that subscribed, by the channel whose bot tells them."""
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        chats = {(subscriber.channel, subscriber.chat) for subscriber in reader.subscribers()}
    return dict(sorted(Counter(channel for channel, _ in chats).items()))


def _bot_lines(config: Config) -> Iterator[str]:
    for channel, number in subscribers(config).items():
        yield f"Subscribers of channel {channel}: {number}"
    yield from _bot_troubles(config)


def _bot_troubles(config: Config) -> Iterator[str]:
    for channel, state in bot_states(config).items():
        if state["trouble"]:
            yield f"Channel {channel} takes no commands since {state['since']}: {state['trouble']}"


def daemon_line(daemon: DaemonHealth, now: datetime) -> str:
    process = f"process {daemon.pid}" + (f" on {daemon.host}" if daemon.host else "")
    if daemon.trouble:
        return f"The daemon ({process}) is not well: {daemon.trouble}"
    if daemon.since is None or daemon.since > now:  # the clock was set back
        return f"The daemon runs ({process})."
    return f"The daemon has been running for {format_duration(now - daemon.since)} ({process})."


def standbys(config: Config) -> tuple[WaitingDaemon, ...]:
    """Return the daemons that wait to take over; where none does, the one that was heard last."""
    waiting = Store.waiting(config.store)
    return tuple(standby for standby in waiting if standby.is_heard) or waiting[:1]


def standby_lines(daemon: DaemonHealth | None, waiting: Sequence[WaitingDaemon]) -> Iterator[str]:
    """Say who leads and since when, and who waits to take over, where the store is one that allows it."""
    if daemon and daemon.leads_since:
        yield f"It has led since {utc_time(daemon.leads_since)} UTC."
    for standby in waiting:
        silent = format_duration(timedelta(seconds=round(standby.silent_s)))
        word = "waits to take over; heard" if standby.is_heard else "has not been heard for"
        ago = " ago" if standby.is_heard else ""
        yield f"The standby (process {standby.pid} on {standby.host}) {word} {silent}{ago}."


def recommendations(config: Config, snapshot: Snapshot) -> dict[str, Candidate | None]:
    """Return which base URL of each service to use, as the page says it; None where none is known."""
    now, before = snapshot.at, _last_picks(config)
    picks: dict[str, Candidate | None] = {}
    for service in config.services:
        by_endpoint: dict[str, list[Check]] = {}
        for check in config.checks:
            path = check.endpoint.path
            if check.service == service.id and not _in_maintenance(config, path, now):
                by_endpoint.setdefault(path, []).append(check)
        mains = [main_check(checks) for checks in by_endpoint.values()]
        ranked = candidates(mains, snapshot.checks, now, snapshot.incidents)
        chosen = choose(before.get(service.id, Pick()), ranked).endpoint
        picks[service.id] = next(
            (candidate for candidate in ranked if candidate.endpoint == chosen), None
        )
    return picks


def _last_picks(config: Config) -> Mapping[str, Pick]:
    """Return what the page recommended last; a small lead of another base URL does not change it."""
    try:
        own = f"best/{config.vantage}.json" if config.vantages else "best.json"
        return last_picks((config.page.dir / own).read_bytes())
    except OSError:
        return {}


def _in_maintenance(config: Config, path: str, now: datetime) -> bool:
    return any(plan.covers(path) and plan.window_at(now) for plan in config.maintenance)


def recommendation_lines(config: Config, snapshot: Snapshot) -> Iterator[str]:
    """Say of each service which base URL to use from the daemon's own place, which is named where there are others."""
    own = f", from {config.places(ENGLISH)[config.vantage]}" if config.vantages else ""
    urls = {endpoint.path: endpoint.url for endpoint in config.endpoints}
    picks = recommendations(config, snapshot)
    for service in config.services:
        pick = picks[service.id]
        if pick is None:
            yield _no_pick(config, service, own, snapshot)
        elif pick.flaw:
            yield (
                f"{service.name}{own}: use {urls[pick.endpoint]} for want of a better one; its answers are"
                " spoiled, or an incident covers it."
            )
        else:
            yield f"{service.name}{own}: use {urls[pick.endpoint]} (median {milliseconds(pick.milliseconds)})."


def _no_pick(config: Config, service: Service, own: str, snapshot: Snapshot) -> str:
    """Say why nothing is recommended, by what the page goes by."""
    from monitor.page.formatting import no_pick  # noqa: PLC0415  # with the page come its templates
    from monitor.page.states import ANSWERED, call_state, check_state  # noqa: PLC0415  # as above

    by_endpoint: dict[str, list[Check]] = {}
    for check in config.checks:
        if check.service == service.id:
            by_endpoint.setdefault(check.endpoint.path, []).append(check)
    mains = map(main_check, by_endpoint.values())
    states = (check_state(main, snapshot.checks.get(main.key), snapshot.at) for main in mains)
    is_answered = call_state(states) in ANSWERED
    return no_pick(f"{service.name}{own}", ENGLISH, is_answered=is_answered)


def tables(config: Config, snapshot: Snapshot) -> Iterator[Table | str]:
    yield _check_table(config, snapshot)
    if config.vantages:
        from monitor.cli.agent import agent_table  # noqa: PLC0415  # only where there are agents

        yield ""
        yield agent_table(config)
    if snapshot.incidents:
        yield ""
        until = incidents.watched_until(config, snapshot.at)
        unmeasured = _unmeasured(config, snapshot)
        yield incidents.table(snapshot.incidents[:_MAX_ROWS], until, unmeasured)
    if snapshot.outbox:
        yield ""
        yield _outbox_table(snapshot)
    if snapshot.dead:
        yield ""
        yield _given_up_table(snapshot)
    if snapshot.silences:
        yield ""
        yield _silence_table(snapshot)
    if snapshot.spent_month:
        yield ""
        yield spend_table(config, snapshot)


def _unmeasured(config: Config, snapshot: Snapshot) -> dict[int, Gap]:
    """Return the incidents of which nothing is measured now; the snapshot holds what the own place measures alone."""
    return incidents.gaps_of(config, snapshot.incidents, None if config.vantages else snapshot)


def _check_table(config: Config, snapshot: Snapshot) -> Table:
    rows = plain_table(*CHECK_COLUMNS)
    for check in config.checks:
        rows.add_row(check.key, *cells(snapshot.checks.get(check.key), snapshot.at))
    return rows


def cells(history: CheckHistory | None, now: datetime) -> tuple[str | Text, ...]:
    """Return what `CHECK_COLUMNS` say of a check, after its key."""
    if history is None or history.latest is None:
        return (Text("never asked", style="dim"), "-", "-", "-", "")
    latest, day = history.latest, history.last_24h
    why = f"{latest.failure.kind.value}: {latest.failure.message}" if latest.failure else ""
    return (
        Text(latest.outcome.value, style=COLOURS[latest.outcome]),
        f"{format_duration(now - latest.at)} ago",
        milliseconds(day.quantile("ttft", 0.5)),
        "-" if day.availability is None else f"{day.availability:.2%}",
        Text(why),
    )


def _outbox_table(snapshot: Snapshot) -> Table:
    rows = plain_table("undelivered", "to", "tries", "why")
    for message in snapshot.outbox:
        rows.add_row(
            f"{message.what.value} #{message.incident or '-'}",
            message.channel,
            str(message.attempts),
            Text(message.last_error),
        )
    return rows


def _given_up_table(snapshot: Snapshot) -> Table:
    """Show the messages of the last week that nobody received."""
    rows = plain_table("given up", "to", "since (UTC)", "why", "to do")
    for message in snapshot.dead[:_MAX_ROWS]:
        rows.add_row(
            f"{message.what.value} #{message.incident or '-'}",
            message.channel,
            utc_time(message.created),
            Text(message.last_error),
            delivery_remedy(message.last_error),
        )
    return rows


def _silence_table(snapshot: Snapshot) -> Table:
    rows = plain_table("silenced", "until (UTC)", "why")
    for silence in snapshot.silences:
        until = f"{silence.until.astimezone(UTC):%Y-%m-%d %H:%M}"
        rows.add_row(silence.target, until, Text(silence.why))
    return rows


def spend_table(config: Config, snapshot: Snapshot) -> Table:
    """Show what each service spent at all vantages; days and months are UTC. A budget is that of our own."""
    rows = plain_table("spent", "today", "this month", "budget", "left today")
    currency = next((price.currency for price in config.prices.values()), "USD")
    for service, month in sorted(snapshot.spent_month.items()):
        today = snapshot.spent_today.get(service, NO_SPEND)
        elsewhere = {
            vantage: spent[service]
            for vantage, spent in snapshot.spent_elsewhere.items()
            if service in spent
        }
        here = today - sum(elsewhere.values(), start=NO_SPEND)
        budget = config.budgets.get(service)
        rows.add_row(
            service,
            _amount(today, currency),
            _amount(month, currency),
            _budget(budget),
            "-" if budget is None else f"{max(0.0, 1 - budget.share(here)):.0%}",
        )
        for vantage, spent in elsewhere.items():
            rows.add_row(f"  at {vantage}", _amount(spent, currency), "", "", "")
    return rows


def _amount(spent: Spend, currency: str) -> str:
    money = f", {spent.money:.4f} {currency}" if spent.money else ""
    return f"{spent.tokens} tokens{money}"


def _budget(budget: DailyBudget | None) -> str:
    if budget is None:
        return "-"
    if budget.tokens is not None:
        return f"{budget.tokens} tokens"
    return f"{budget.money} {budget.currency}"


def document(
    config: Config,
    snapshot: Snapshot,
    daemon: DaemonHealth | None,
    waiting: Sequence[WaitingDaemon] = (),
) -> dict[str, Any]:
    unmeasured = _unmeasured(config, snapshot)
    return {
        "vantage": config.vantage,
        "daemon": daemon
        and {
            "pid": daemon.pid,
            "since": daemon.since and iso_time(daemon.since),
            "trouble": daemon.trouble,
            "host": daemon.host,
            "leads_since": daemon.leads_since and iso_time(daemon.leads_since),
        },
        "standby": [
            {
                "pid": standby.pid,
                "host": standby.host,
                "heard_at": iso_time(standby.heard),
                "heard": standby.is_heard,
            }
            for standby in waiting
        ],
        "use": {
            service: pick
            and {
                "endpoint": pick.endpoint,
                "median_ms": round(pick.milliseconds),
                "flawed": pick.flaw,
            }
            for service, pick in recommendations(config, snapshot).items()
        },
        "at": iso_time(snapshot.at),
        "checks": [
            _check_document(check, snapshot.checks.get(check.key)) for check in config.checks
        ],
        "vantages": _vantage_documents(config),
        "incidents": [incidents.document(incident, unmeasured) for incident in snapshot.incidents],
        "undelivered": [_message_document(message) for message in snapshot.outbox],
        "given_up": [_message_document(message) for message in snapshot.dead],
        "silences": [
            {
                "target": silence.target,
                "since": iso_time(silence.since),
                "until": iso_time(silence.until),
                "why": silence.why,
            }
            for silence in snapshot.silences
        ],
        "publish": last_publish(config),
        "otlp": metrics_push(config),
        "bots": bot_states(config),
        "subscribers": subscribers(config),
        "moved_chats": moved_chats(config),
        **learned_figures.document(config),
        "spent_today": _spend_document(snapshot.spent_today),
        "spent_month": _spend_document(snapshot.spent_month),
        "spent_elsewhere": {
            vantage: _spend_document(spent) for vantage, spent in snapshot.spent_elsewhere.items()
        },
    }


def _vantage_documents(config: Config) -> list[dict[str, Any]]:
    """Return what is known of the places of the configuration by their agents, and of each of several agents."""
    if not config.vantages:
        return []
    from monitor.cli.agent import agent_name, config_tag  # noqa: PLC0415  # only where there are agents
    from monitor.cli.agent_states import known_agents, place_states  # noqa: PLC0415  # as above

    agents = {state.key: state for state in known_agents(config)}
    places = place_states(agents.values())

    def document(id_: str, vantage: Vantage, state: AgentState | None) -> dict[str, Any]:
        return {
            "id": id_,
            "name": vantage.name("en"),
            "heard_at": state and iso_time(state.heard),
            "blind": state and state.blind,
            "offset_ms": state and state.offset_ms,
            "buffered": state and state.buffered,
            "oldest_ms": state and state.oldest_ms,
            "version": state and state.version,
            "config": state and state.config,
            "config_is_current": state and state.config == config_tag(config, vantage, state),
        }

    documents = []
    for vantage in config.vantages:
        documents.append(document(vantage.id, vantage, places.get(vantage.id)))
        if len(vantage.public_keys) > 1:
            documents[-1]["agents"] = [
                document(agent_name(vantage, key), vantage, agents.get(key))
                for key in vantage.public_keys
            ]
    return documents


def _message_document(message: OutboxMessage) -> dict[str, Any]:
    return {
        "channel": message.channel,
        "what": message.what.value,
        "incident": message.incident,
        "created": iso_time(message.created),
        "attempts": message.attempts,
        "last_error": message.last_error,
        "remedy": delivery_remedy(message.last_error) if message.last_error else None,
    }


def _spend_document(spent: Mapping[str, Spend]) -> dict[str, Any]:
    return {
        service: {"tokens": spend.tokens, "money": spend.money} for service, spend in spent.items()
    }


def _check_document(check: Check, history: CheckHistory | None) -> dict[str, Any]:
    if history is None or history.latest is None:
        return {"check": check.key, "latest": None}
    return {
        "check": check.key,
        "latest": result_document(check, history.latest),
        "phases": {state.rule: state.phase.value for state in history.states},
        "availability_24h": history.last_24h.availability,
        "excluded_24h": history.last_24h.excluded,
    }
