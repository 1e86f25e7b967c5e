"""Remember: nouns in, nouns out, one transaction per entry. Rows never leave this room."""

from monitor.store.reader import Reader
from monitor.store.store import Store

__all__ = ["Reader", "Store"]
