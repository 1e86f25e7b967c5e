"""monitor.toml -> a frozen `Config`, or every complaint at once, each with its place and remedy."""

from monitor.config.build import Config
from monitor.config.load import find, load, parse
from monitor.config.schema import schema

__all__ = ["Config", "find", "load", "parse", "schema"]
