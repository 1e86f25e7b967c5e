"""`monitor validate`: read the config, print every problem."""

from monitor.alerts import Notifier
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load
from monitor.config import Config
from monitor.model import Check, ConfigError, Redactor


def command(path: ConfigPath = None) -> None:
    """Read the config and print every problem. Exit 78 if there is one. Odd settings are only warnings."""
    loaded = load(path, strict=True)
    try:
        Notifier(loaded.channels, Redactor(loaded.secrets))  # complains of what Apprise refuses
    except ConfigError as error:
        raise ConfigError(error.complaints, loaded.path) from None
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    say(f"{loaded.path}: good. {summary(loaded)}")


def summary(config: Config) -> str:
    endpoints = sum(len(service.endpoints) for service in config.services)
    optional = (("webhook", config.webhooks), ("agent", config.vantages))
    counts = (
        _count(len(config.services), "service"),
        _count(endpoints, "endpoint"),
        _count(len(config.checks), "check"),
        _count(len(config.channels), "channel"),
        *(_count(len(some), noun) for noun, some in optional if some),
    )
    keyless = sorted({check.service for check in config.checks if _lacks_key(check)})
    hint = f' No key for {", ".join(keyless)}: what needs one shows "no key".' if keyless else ""
    return ", ".join(counts) + "." + hint


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lacks_key(check: Check) -> bool:
    return check.endpoint.key is None and getattr(check.probe, "needs_key", False)
