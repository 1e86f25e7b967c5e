"""`monitor test-alert`: try every channel and webhook."""

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from monitor.alerts import Context, Notifier, latest
from monitor.alerts.event_document import example_document
from monitor.alerts.event_json import document_json
from monitor.alerts.example_incident import (
    as_test,
    example_end,
    example_incident,
    example_row,
    plain_test,
)
from monitor.alerts.incident_events import event_row
from monitor.alerts.webhook_sender import WebhookSender
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load, one_of
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.daemon.webhooks import names_of
from monitor.language import language
from monitor.model import (
    Channel,
    Complaint,
    ConfigError,
    Message,
    MonitorError,
    NotDeliveredError,
    Redactor,
    Severity,
    Webhook,
)


class Example(StrEnum):
    """Names what a test shows."""

    OPENED = "opened"
    ENDED = "ended"
    DEGRADED = "degraded"


def command(
    channel: Annotated[
        str,
        typer.Argument(
            metavar="CHANNEL", help="Or a webhook. Default: all of them.", show_default=False
        ),
    ] = "",
    example: Annotated[
        Example | None,
        typer.Option(
            "--as",
            parser=one_of(Example),
            metavar="WHAT",
            help="What a real incident would send: opened, ended or degraded.",
            show_default=False,
        ),
    ] = None,
    path: ConfigPath = None,
) -> None:
    """Send a test message to every channel and webhook, or to one, and say which failed and why. Exit 1 if one failed.

    With --as it is what an incident of your first check would send, marked as a test. A channel that holds
    events, as on-call services do, gets the beginning and the end, so that nothing stays open there.
    A webhook always gets the event `test`, which speaks of no base URL, so that no program acts on it.
    """
    loaded = load(path)
    failed = asyncio.run(send_tests(loaded, channel, example, say))
    raise typer.Exit(1 if failed else 0)


async def send_tests(
    config: Config, only: str, example: Example | None, say: Callable[[str], None]
) -> int:
    """Return how many failed.

    Raises ConfigError where there is nothing to try, and MonitorError where nothing has the name `only`.
    """
    if not config.targets:
        what = "there is none; add a table such as [channel.telegram] with a url"
        raise ConfigError((Complaint("channel", what),), config.path)
    channels = tuple(
        receiver
        for receiver in config.receivers
        if only in {"", receiver.id, receiver.id.partition("+")[0]}
    )
    webhooks = tuple(
        webhook for webhook in config.webhooks if only in {"", webhook.id, webhook.target}
    )
    if not channels and not webhooks:
        names = ", ".join(config.targets)
        raise MonitorError(f'there is no channel or webhook "{only[:40]}", only {names}')
    failed = await _test_channels(config, channels, example, say)
    return failed + (await _test_webhooks(config, webhooks, say) if webhooks else 0)


async def _test_webhooks(
    config: Config, webhooks: tuple[Webhook, ...], say: Callable[[str], None]
) -> int:
    """Return how many of them did not take it."""
    clock = SystemClock()
    now = clock.now()
    sender = WebhookSender(webhooks, Redactor(config.secrets), clock)
    text = document_json(example_document(now, names_of(config)))
    failed = 0
    for webhook in webhooks:
        try:
            status = await sender.status_of(event_row(webhook, Severity.MONITOR, None, text, now))
        except NotDeliveredError as error:
            failed += 1
            say(f"{webhook.target}: failed: {error}")
        else:
            say(f"{webhook.target}: sent: the receiver answered HTTP {status}")
    return failed


async def _test_channels(
    config: Config,
    channels: tuple[Channel, ...],
    example: Example | None,
    say: Callable[[str], None],
) -> int:
    notifier = Notifier(channels, Redactor(config.secrets))
    failed = 0
    for channel in channels:
        messages = _messages(config, channel, example, whole=notifier.holds_events(channel.id))
        try:
            for message in messages.values():
                await notifier.tell(channel.id, message)
        except NotDeliveredError as error:
            failed += 1
            say(f"{channel.id}: failed: {error}")
        else:
            say(f"{channel.id}: {_told(messages)}")
    return failed


def _told(messages: Mapping[str, Message]) -> str:
    if not messages:
        return "nothing sent: its `only` or `services` leave out what this would be"
    names = ", then ".join(name for name in messages if name)
    return f"sent: {names}" if names else "sent"


def _messages(
    config: Config, channel: Channel, example: Example | None, *, whole: bool
) -> Mapping[str, Message]:
    """Return what a channel is sent, by its name; with `whole` an incident from its begin to its end."""
    now = SystemClock().now()
    context = Context(
        now=now,
        services={service.id: service.name for service in config.services},
        endpoints={endpoint.path: (endpoint.name, endpoint.url) for endpoint in config.endpoints},
        vantage=config.vantage,
        language=language(config.alerts.language),
        timezone=config.alerts.timezone,
    )
    if example is None:
        return {"": plain_test(context)}
    severity = Severity.DEGRADED if example is Example.DEGRADED else Severity.DOWN
    keys = (
        check.key
        for check in config.checks
        if not channel.services or check.service in channel.services
    )
    check = next(keys, None)
    if check is None or severity not in channel.only:
        return {}
    begun = example_incident(check, severity, now)
    begin, end = {str(severity): begun}, {"ended": example_end(begun, now)}
    told = begin | end if whole else end if example is Example.ENDED else begin
    return {
        name: as_test(latest((example_row(channel.id, incident, now),), incident, context), context)
        for name, incident in told.items()
    }
