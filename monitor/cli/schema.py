"""`monitor schema`: print the JSON Schema of monitor.toml."""

from monitor import config
from monitor.cli.console import show_json


def command() -> None:
    """Print the JSON Schema of monitor.toml."""
    show_json(config.schema())
