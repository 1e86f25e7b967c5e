"""The command line: one file a command, named after it. `app.py` finds them; importing this package loads none."""

from monitor.cli.app import main
