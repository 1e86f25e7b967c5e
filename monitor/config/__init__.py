"""Reads monitor.toml into a frozen `Config`, or says every complaint at once, with place and remedy."""

from monitor.config.build import Config
from monitor.config.env_references import Secrets
from monitor.config.json_schema import schema
from monitor.config.load import USUAL, channels_only, find, from_document, load, parse
