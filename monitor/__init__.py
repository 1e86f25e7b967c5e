"""Asks every base URL of an LLM service the real questions; importing it does nothing."""

__version__ = "0.1.0"
