"""Give free memory back to the system.

Each page is some megabytes of text, made, written and dropped. What was allocated meanwhile lies
between, and keeps the C library from giving any of it back by itself (malloc_trim(3), glibc).
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any


def malloc_trim() -> None:
    """Take some milliseconds; does nothing where the C library is not glibc."""
    trim = _libc_function()
    if trim is not None:
        trim(0)


@cache
def _libc_function() -> Callable[[int], Any] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
