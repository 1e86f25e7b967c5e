"""`status.json` and each endpoint's own as bytes, and their JSON Schemas: both from the same types, so
they cannot part.
"""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from monitor.page.published import EndpointDetail, Status

_STATUS = TypeAdapter(Status)
_DETAIL = TypeAdapter(EndpointDetail)


def status_json(status: Status) -> bytes:
    return _STATUS.dump_json(status) + b"\n"


def detail_json(detail: EndpointDetail) -> bytes:
    return _DETAIL.dump_json(detail) + b"\n"


@cache
def status_schema() -> bytes:
    return _schema(_STATUS)


@cache
def detail_schema() -> bytes:
    return _schema(_DETAIL)


def _schema(shape: TypeAdapter[Any]) -> bytes:
    """JSON Schema, 2020-12."""
    head: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    found = head | shape.json_schema(mode="serialization")
    return (json.dumps(found, indent=1) + "\n").encode()
