"""Standard streams that are closed, unread, or cannot show every character: none is a fault of ours."""

import io
import os
import select
import signal
import sys


def prepare() -> None:
    """Make the standard streams usable, whatever their state and encoding."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _open_closed() -> None:
    """Point closed standard streams (`2>&-`) at /dev/null: else the next opened file would take their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def flush() -> None:
    """Write what was printed and still waits. What cannot be written is dropped, or Python would try again when it ends.

    Raises OSError where it cannot be written; a pipe that nobody reads is left to `end`.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def end(code: int | str | None) -> None:
    """End by SIGPIPE, as other programs do, if nobody reads our output any more (`| head`).

    `code` is the exit code. Whoever printed to a closed pipe ended with 1 and printed no reason.
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
    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
