"""The verbs: parse the command line, call, print.

Exit 78 for a bad config, 2 for wrong usage, 70 for a fault of our own, 130 after Ctrl-C; by SIGPIPE
where nobody reads what is printed any more.
"""

import sys

from monitor.cli import streams
from monitor.cli.app import app
from monitor.cli.voice import EX_SOFTWARE, Debug, unexpected
from monitor.model import ConfigError, MonitorError

EX_CONFIG = 78


def main() -> None:
    """The `monitor` command. A person's mistake gets a sentence, never a traceback."""
    streams.open_closed()
    try:
        _call()
    except SystemExit as end:
        streams.end(end.code)
        raise


def _call() -> None:
    try:
        app()
    except ConfigError as error:
        for complaint in error.complaints:
            sys.stderr.write(f"{complaint}\n")
        sys.exit(EX_CONFIG)
    except MonitorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if Debug.on:
            raise
        sys.stderr.write(f"{unexpected(error)}\n")
        sys.exit(EX_SOFTWARE)


__all__ = ["main"]
