"""`monitor validate`: read the config, print every problem."""

from typing import Annotated

import typer

from monitor.alerts import Notifier
from monitor.cli.console import counted, say, show, show_json
from monitor.cli.cost_table import can_ask, cost_document, cost_parts
from monitor.cli.options import ConfigPath, load
from monitor.config import Config
from monitor.model import ConfigError, Redactor


def command(
    path: ConfigPath = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Also add up what it will spend a day and a month.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --cost: one JSON document and nothing else.")
    ] = False,
) -> None:
    """Read the config and print every problem. Exit 78 if there is one. Odd settings are only warnings."""
    if as_json and not cost:
        raise typer.BadParameter("wants --cost", param_hint="'--json'")
    loaded = load(path, strict=True)
    try:
        Notifier(loaded.channels, Redactor(loaded.secrets))  # complains of what Apprise refuses
    except ConfigError as error:
        raise ConfigError(error.complaints, loaded.path) from None
    if as_json:
        show_json(cost_document(loaded))
        return
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    say(f"{loaded.path}: good. {summary(loaded)}")
    if cost:
        show(["", *cost_parts(loaded)])


def summary(config: Config) -> str:
    optional = (("webhook", config.webhooks), ("agent", config.vantages))
    counts = (
        counted(len(config.services), "service"),
        counted(len(config.endpoints), "endpoint"),
        counted(len(config.checks), "check"),
        counted(len(config.channels), "channel"),
        *(counted(len(some), noun) for noun, some in optional if some),
    )
    keyless = sorted({check.service for check in config.checks if not can_ask(check)})
    hint = f' No key for {", ".join(keyless)}: what needs one shows "no key".' if keyless else ""
    return ", ".join(counts) + "." + hint
