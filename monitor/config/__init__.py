"""monitor.toml -> a frozen `Config`, or every complaint at once, each with its place and remedy."""

from monitor.config.build import Config
from monitor.config.load import USUAL, find, load, parse
from monitor.config.schema import schema

__all__ = ["USUAL", "Config", "find", "load", "parse", "schema"]
