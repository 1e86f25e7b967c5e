"""Makes a configuration of what was imported that `monitor validate` takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor import config
from monitor.alerts import Notifier
from monitor.cli.telegram_setup import ANY_TOKEN
from monitor.config import Config
from monitor.imports import Plan, Remark, document_of, toml_text, without
from monitor.model import ConfigError, MonitorError, Redactor, clean_text
from monitor.model.secret import REFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document that the configuration takes, and what is not in it."""

    plan: Plan
    document: Mapping[str, Any]
    config: Config
    """What the document says, with placeholders for the variables that are set nowhere."""
    remarks: tuple[Remark, ...]
    missing: tuple[str, ...] = ()
    """Variables that the other program's file names and that are set nowhere."""


def draft_of(planned: Plan, path: Path, env: Mapping[str, str]) -> Draft:
    """Return a document that `monitor validate` takes: what it would refuse is left out, with its reason as a remark.

    Raises MonitorError where nothing is left.
    """
    document = document_of(planned)
    secrets = planned.imported.secrets
    remarks = [*planned.imported.remarks, *planned.remarks]
    while document["service"]:
        text = toml_text(document, "", "", ())
        known = _known(env, text)
        try:
            parsed = _parsed(text, path, {**_placeholders(text), **known, **secrets})
        except ConfigError as error:
            complaints = error.complaints
        else:
            names = set(REFERENCE.findall(text)) - secrets.keys() - known.keys()
            return Draft(
                plan=planned,
                document=document,
                config=parsed,
                remarks=tuple(remarks),
                missing=tuple(sorted(names)),
            )
        told = [
            Remark(complaint.where, f"is left out: {clean_text(complaint.what)}")
            for complaint in complaints
            if without(document, complaint.where)
        ]
        if not told:
            raise MonitorError(f"nothing was written: {complaints[0]}")
        remarks += told
    if not remarks:
        raise MonitorError("there is nothing in it to watch, and nothing was written")
    lines = "\n".join(f"- {remark}" for remark in remarks)
    raise MonitorError(f"nothing in it can be watched, and nothing was written:\n{lines}")


def _parsed(text: str, path: Path, env: Mapping[str, str]) -> Config:
    """Read a text as the configuration and Apprise do. Raises ConfigError."""
    loaded = config.parse(text, path=path, env=env)
    Notifier(loaded.channels, Redactor(loaded.secrets))
    return loaded


def _known(env: Mapping[str, str], text: str) -> Mapping[str, str]:
    return {name: env[name] for name in REFERENCE.findall(text) if env.get(name, "").strip()}


def _placeholders(text: str) -> Mapping[str, str]:
    """Return values that only stand for those of the environment, where the file names variables of its own."""
    tokens = set(re.findall(r"tgram://\$\{(\w+)\}", text))
    return {
        name: ANY_TOKEN if name in tokens else "placeholder" for name in REFERENCE.findall(text)
    }
