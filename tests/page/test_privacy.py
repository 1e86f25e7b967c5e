"""Nothing that the operator did not mean to publish is in any file: canaries sing in none of them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from page_cast import CHECKS, SERVICE, SITE, ago, incident, key
from rendering import rendered
from worlds import told

from monitor.model import (
    Evidence,
    FailureKind,
    Maintenance,
    MaintenanceWindow,
    Severity,
    Snapshot,
    Spend,
)
from monitor.page import Site, view

SECRET = "canary-of-a-service"
HIDDEN = replace(
    SERVICE,
    id="hidden",
    name=f"{SECRET}-name",
    public=False,
    endpoints=tuple(
        replace(
            each,
            service="hidden",
            url=f"https://{SECRET}.example/{each.id}",
            name=f"{SECRET}-{each.id}",
        )
        for each in SERVICE.endpoints
    ),
)
HIDDEN_CHECKS = tuple(
    replace(check, service="hidden", endpoint=endpoint)
    for endpoint in HIDDEN.endpoints
    for check in CHECKS
    if check.endpoint.id == endpoint.id
)


def world() -> Snapshot:
    """One where much is wrong with a public service, and the same with a hidden one."""
    snapshot = told()
    evidence = Evidence(headers=(("x", "canary-header"),), body="canary-body")
    checks = {
        name: replace(
            history,
            evidence=evidence,
            latest=history.latest
            and replace(
                history.latest,
                model="canary-model",
                failure=history.latest.failure
                and replace(history.latest.failure, message="canary-message"),
            ),
        )
        for name, history in snapshot.checks.items()
    }
    checks |= {
        name.replace("ohmygpt/", "hidden/"): replace(
            history, check=name.replace("ohmygpt/", "hidden/")
        )
        for name, history in checks.items()
    }
    theirs = replace(
        incident(
            77, Severity.DOWN, FailureKind.BAD_GATEWAY, ago(hours=3), None, "hidden/us-direct/chat"
        ),
        service="hidden",
    )
    own = replace(
        incident(
            78,
            Severity.MONITOR,
            FailureKind.OFFLINE,
            ago(hours=5),
            30,
            key("us-direct"),
            "hidden/us-direct/chat",
        ),
        service=None,
    )
    spent = {"ohmygpt": Spend(7_654_321, 98.7654), "hidden": Spend(1_234_567, 45.6789)}
    return replace(
        snapshot,
        checks=checks,
        incidents=(*snapshot.incidents, theirs, own),
        spent_today=spent,
        spent_month=spent,
    )


def site(**settings: Any) -> Site:
    quiet = replace(SITE.settings, languages=("en", "zh-CN"), **settings)
    work = Maintenance(
        id="canary-work",
        title="canary-work",
        services=frozenset({"hidden"}),
        once=MaintenanceWindow(ago(hours=1), ago(hours=-1)),
    )
    checks = tuple(replace(check, model="canary-model") for check in (*CHECKS, *HIDDEN_CHECKS))
    return replace(
        SITE, services=(SERVICE, HIDDEN), checks=checks, settings=quiet, maintenance=(work,)
    )


@cache
def files(**settings: Any) -> Mapping[str, str]:
    page = view(site(**settings), world(), {})[0]
    return {name: content.decode(errors="replace") for name, content in rendered(page).items()}


def singing(texts: Mapping[str, str], canary: str) -> set[str]:
    return {
        name for name, text in texts.items() if canary.lower() in text.lower() or canary in name
    }


@pytest.mark.parametrize(
    "canary",
    [
        SECRET,
        "hidden/",
        "canary-work",
        "incidents/77",
        "canary-model",
        "canary-body",
        "canary-header",
        "canary-message",
        "7654321",
        "7,654,321",
        "98.7654",
        "1,234,567",
    ],
)
def test_a_quiet_page_tells_none_of_it(canary: str) -> None:
    texts = files()
    assert len(texts) > 40
    assert singing(texts, canary) == set()


def test_the_canaries_would_be_heard() -> None:
    texts = files(spend=True, errors=True, models=True)
    for canary in ("canary-model", "canary-body", "canary-header", "canary-message"):
        assert any(name.endswith("status.json") for name in singing(texts, canary)), canary
        assert any(name.endswith(".html") for name in singing(texts, canary)), canary
    assert "status.json" in singing(texts, "7654321")
    for secret in (SECRET, "incidents/77", "canary-work", "45.6789", "1234567"):
        assert singing(texts, secret) == set()


@pytest.mark.parametrize("host", ["api.ohmygpt.com", "opapi.win", "hash070", "aigptx"])
def test_base_urls_are_in_no_file_where_they_are_nobodys_business(host: str) -> None:
    assert singing(files(), host) != set()
    assert singing(files(hosts=False), host) == set()


def test_without_base_urls_best_still_names_the_endpoint() -> None:
    texts = files(hosts=False)
    assert texts["best.txt"] == "\n"
    assert '"url":null' in texts["best.json"]
    assert '"endpoint":"' in texts["best.json"]
