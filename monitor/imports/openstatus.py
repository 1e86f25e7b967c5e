"""Reads `openstatus.yaml`, monitors as code of openstatus, as its command line exports them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.imports.fields import as_table, duration, number, tables, text
from monitor.imports.foreign_files import Source
from monitor.imports.http_requests import AskedByHttp, connect_check, http_check, statuses
from monitor.imports.imported import Collector, Imported, shown

_USUAL_INTERVAL = timedelta(minutes=10)
_BOUNDS = {"lt": (100, -1), "lte": (100, 0), "gt": (1, 599), "gte": (0, 599)}
"""The range of a comparison: its low end or an offset from the target, and its high end or an offset."""


def is_openstatus(value: object) -> bool:
    """Say whether a YAML document holds monitors of openstatus: tables by id, each with a request."""
    monitors = tables(value) if isinstance(value, dict) else []
    return bool(monitors) and all("request" in monitor for monitor in monitors)


def read_openstatus(file: Source) -> Imported:
    collector = Collector("openstatus")
    places = False
    for id_, monitor in as_table(file.value).items():
        place = file.place((id_,), f"monitor {shown(id_)}")
        _read_monitor(id_, as_table(monitor), place, collector)
        places = places or bool(as_table(monitor).get("regions"))
    if places:
        what = "regions are not carried over: this machine asks; other places are agents of yours (docs/vantages.md)"
        collector.remark(file.name, what)
    return collector.imported()


def _read_monitor(id_: str, monitor: Mapping[str, Any], place: str, collector: Collector) -> None:
    request = as_table(monitor.get("request"))
    asked = AskedByHttp(
        source=id_,
        place=place,
        name=text(monitor.get("name")).strip() or id_,
        url=text(request.get("url")),
        every=duration(monitor.get("frequency")) or _USUAL_INTERVAL,
        timeout=_milliseconds(monitor.get("timeout")),
        slow=_milliseconds(monitor.get("degradedAfter")),
        paused=monitor.get("active") is False,
    )
    kind = text(monitor.get("kind")) or "http"
    if kind == "tcp":
        connect_check(
            asked, text(request.get("host")), int(number(request.get("port")) or 0), collector
        )
    elif kind == "http":
        headers = {name: text(value) for name, value in as_table(request.get("headers")).items()}
        asked = replace(
            asked,
            method=text(request.get("method")).upper() or "GET",
            headers=headers,
            body=text(request.get("body")),
        )
        http_check(_with_assertions(asked, monitor, collector), collector)
    else:
        collector.remark(place, f"is left out: the kind {shown(kind)} is not asked here")


def _milliseconds(value: object) -> timedelta | None:
    figure = number(value)
    return timedelta(milliseconds=figure) if figure and 0 < figure < 10**9 else None


def _with_assertions(
    asked: AskedByHttp, monitor: Mapping[str, Any], collector: Collector
) -> AskedByHttp:
    for assertion in tables(monitor.get("assertions")):
        kind, compare = text(assertion.get("kind")), text(assertion.get("compare"))
        target = assertion.get("target")
        code = number(target)
        if kind == "statusCode" and compare == "eq" and code and 100 <= code <= 599:
            asked = replace(asked, statuses=statuses([(int(code), int(code))]))
        elif kind == "statusCode" and compare in _BOUNDS and code and 100 <= code <= 599:
            asked = replace(asked, statuses=statuses([_range(compare, int(code))]) or None)
        elif kind == "textBody" and compare == "contains" and text(target) and not asked.contains:
            asked = replace(asked, contains=text(target))
        else:
            what = f"the assertion {shown(kind)} {shown(compare)} {shown(target)} is not carried over: it cannot be said here"
            collector.remark(asked.place, what)
    return asked


def _range(compare: str, code: int) -> tuple[int, int]:
    low, high = _BOUNDS[compare]
    return (low, code + high) if compare.startswith("lt") else (code + low, high)
