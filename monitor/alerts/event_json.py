"""Writes an event's document as JSON, and the JSON Schema of all documents, from one definition."""

import json
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from pydantic import TypeAdapter

from monitor.alerts.event_document import EventDocument

_DOCUMENT = TypeAdapter(EventDocument)


def document_json(document: EventDocument) -> str:
    """Return the document with its id, which is made of all else in it: one event has one id."""
    number = uuid5(NAMESPACE_URL, _DOCUMENT.dump_json(document).decode())
    return _DOCUMENT.dump_json(replace(document, id=f"evt_{number.hex}")).decode()


def document_id(text: str) -> str:
    """Return the id of a document that `document_json` wrote."""
    return str(json.loads(text)["id"])


def schema_json() -> str:
    """Return the JSON Schema, 2020-12, of every document."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_DOCUMENT.json_schema(mode="serialization"),
    }
    return json.dumps(head, indent=1) + "\n"
