"""The repository as somebody unpacks it, with a configuration of the tests."""

import shutil
from pathlib import Path

from neighbours import PHONE, SITE
from telegram import CHAT

ROOT = Path(__file__).parents[2]
PROBES = f"""
[service.s]
endpoints = {{ a = "http://127.0.0.1:{SITE}" }}
probes = {{ http = "1s" }}
"""
PHONE_TABLE = f"""
[channel.phone]
url = "tgram://${{TELEGRAM_TOKEN}}/{CHAT}"
telegram_api = "http://127.0.0.1:{PHONE}"
"""


def release(folder: Path) -> Path:
    copy = folder / "release"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / "monitor.toml").write_text(PROBES + PHONE_TABLE)
    return copy
