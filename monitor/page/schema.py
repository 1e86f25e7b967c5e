"""`status.json` as bytes, and its JSON Schema: both from the same types, so they cannot part."""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from monitor.page.shapes import Status

_STATUS = TypeAdapter(Status)


def status_json(status: Status) -> bytes:
    return _STATUS.dump_json(status) + b"\n"


@cache
def status_schema() -> bytes:
    """JSON Schema, 2020-12."""
    head: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    found = head | _STATUS.json_schema(mode="serialization")
    return (json.dumps(found, indent=1) + "\n").encode()
