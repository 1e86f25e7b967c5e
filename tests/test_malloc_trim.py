"""What is freed among what stays is given back to the system."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import re
from pathlib import Path
from monitor.malloc_trim import malloc_trim

def held_mb():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

texts = [bytes(20_000) for _ in range(5_000)]
del texts[:-1]
before = held_mb()
malloc_trim()
print(before - held_mb())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
def test_what_was_freed_below_something_that_stays_is_given_back() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert float(said.stdout) > 80
