"""Which base URL to use now, as `best.txt` and `best.json`. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from monitor.page import formatting
from monitor.page.ranking import Pick
from monitor.page.view_models import PageView, PickView

Document = dict[str, Any]


def best_text(page: PageView) -> str:
    """One line a service; an empty one where none works, or where nobody looks any more."""
    return "".join(f"{pick.url if pick else ''}\n" for pick in _picks(page).values())


def best(page: PageView) -> Document:
    return {
        "generated_at": formatting.iso(page.generated),
        "valid_until": formatting.iso(page.valid_until),
        "services": {name: pick and _pick(pick) for name, pick in _picks(page).items()},
        "last": {
            service.id: service.best.endpoint.split("/")[1]
            for service in page.services
            if service.best
        },
    }


def last_picks(written: bytes) -> Mapping[str, Pick]:
    """By service, from an older `best.json`, so that a restart sends nobody elsewhere; whatever
    stands in it, it is only what was chosen before.
    """
    try:
        found = json.loads(written)["last"]
        return {name: Pick(f"{name}/{endpoint}") for name, endpoint in found.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _picks(page: PageView) -> dict[str, PickView | None]:
    return {service.id: None if page.stopped else service.best for service in page.services}


def _pick(pick: PickView) -> Document:
    return {
        "url": pick.url or None,
        "median_ms": round(pick.milliseconds, 1),
        "endpoint": pick.endpoint.split("/")[1],
    }
