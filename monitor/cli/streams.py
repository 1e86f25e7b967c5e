"""Standard streams that are closed, or whose reader goes away: neither is a fault of ours."""

import os
import select
import signal
import sys


def open_closed() -> None:
    """What was closed (`2>&-`) leads nowhere: else the next file that is opened would stand in its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def end(code: int | str | None) -> None:
    """Where nobody reads our output any more (`| head`), end as other programs do: by SIGPIPE.

    `code` is the exit code. What went wrong on the way is told by 1, in silence, by who printed.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1
    if code == 1 and _is_unread():
        end_unread()


def end_unread() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)


def _is_unread() -> bool:
    look = select.poll()
    look.register(1, 0)
    return any(seen & select.POLLERR for _, seen in look.poll(0))
