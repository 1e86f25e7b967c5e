"""Remember: nouns in, nouns out, one transaction per entry. Rows never leave this room."""

from monitor.store.database import Holder, InUseError, WaitingDaemon
from monitor.store.engines import store_name
from monitor.store.month_reader import read_month
from monitor.store.reader import Reader
from monitor.store.small_tables import TOLD_BEST
from monitor.store.store import Store
from monitor.store.writer import AlsoWritten

__all__ = [
    "TOLD_BEST",
    "AlsoWritten",
    "Holder",
    "InUseError",
    "Reader",
    "Store",
    "WaitingDaemon",
    "read_month",
    "store_name",
]
