"""Ask: a check -> a result. Every module of `kinds` is searched for probe kinds: a new one is one file."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TypeGuard

from monitor.probes import kinds
from monitor.probes.attempt import Attempted, attempt
from monitor.probes.probe import ProbeSettings


def _probe_kinds() -> Iterator[type[ProbeSettings]]:
    """Yield each class that has a kind of its own, from the modules of `kinds`."""
    for module in pkgutil.iter_modules(kinds.__path__, f"{kinds.__name__}."):
        for value in vars(import_module(module.name)).values():
            if _is_kind(value) and value.__module__ == module.name:
                yield value


def _is_kind(value: object) -> TypeGuard[type[ProbeSettings]]:
    return isinstance(value, type) and issubclass(value, ProbeSettings) and "kind" in vars(value)


PROBES: Mapping[str, type[ProbeSettings]] = MappingProxyType(
    {probe.kind: probe for probe in _probe_kinds()}
)
"""Every probe kind by its name in the config."""
