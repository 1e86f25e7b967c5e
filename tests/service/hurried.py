"""The daemon at a pace of its own: `python hurried.py FACTOR CONFIG`. Only what it waits for is shorter."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from monitor import logs
from monitor.alerts import self_alerts
from monitor.config import load
from monitor.daemon import app
from monitor.model import Redactor
from monitor.store.sqlite import health


def main(factor: float, path: Path) -> None:
    app.HOUSEKEEPING_INTERVAL /= factor
    self_alerts.LASTS /= factor
    health.LOOK_EVERY_S /= factor
    config = load(path, dict(os.environ))
    logs.set_up(Redactor(config.secrets))
    every = timedelta(seconds=10 / factor)
    asyncio.run(app.Daemon(config, env=os.environ, publish_every=every).run())


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
