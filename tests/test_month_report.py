"""A month as one document: what was measured, what is left out, what incidents and the ledger say."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import (
    Check,
    Endpoint,
    Failure,
    FailureKind,
    Incident,
    Month,
    MonthCounts,
    MonthRecord,
    Outcome,
    Rollup,
    Service,
    Severity,
    Spend,
    Vantage,
)
from monitor.month_report import EndpointReport, MonthReport, month_report, services_of
from monitor.probes import PROBES

NOVEMBER = Month(2026, 11)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = NOVEMBER.begin
LATER = datetime(2026, 12, 5, tzinfo=UTC)
COUNTS = st.integers(0, 50)


def endpoint(name: str, *, retired: bool = False) -> Endpoint:
    return Endpoint(
        id=name, service="s", url=f"https://{name}.example", name=name.upper(), retired=retired
    )


def check(of: Endpoint, probe: str = "chat") -> Check:
    return Check(service="s", endpoint=of, probe=PROBES[probe]().named(probe))


A, B, OLD = endpoint("a"), endpoint("b"), endpoint("old", retired=True)
SERVICE = Service(id="s", name="Service", endpoints=(A, B, OLD))
CHECKS = (check(A), check(A, "models"), check(B))


def days(*numbers: int) -> frozenset[date]:
    return frozenset(date(2026, 11, number) for number in numbers)


def counts(key: str, *measured: int, vantage: str = "here", **runs: int) -> MonthCounts:
    more = {name: runs.pop(name) for name in ("maintenance", "missed") if name in runs}
    return MonthCounts(
        check=key, vantage=vantage, rollup=Rollup(outcomes=runs, **more), measured=days(*measured)
    )


def record(*some: MonthCounts, **changes: Any) -> MonthRecord:
    given: dict[str, Any] = {
        "counts": some,
        "incidents": (),
        "spent": {},
        "measured_since": BEGIN,
        "seen_until": LATER,
    }
    return MonthRecord(**{**given, **changes})


def reported(
    record: MonthRecord,
    *,
    month: Month = NOVEMBER,
    vantages: tuple[Vantage, ...] = (),
    now: datetime = LATER,
) -> MonthReport:
    return month_report(month, record, (SERVICE,), CHECKS, "here", vantages, "EUR", now)


def row(report: MonthReport, name: str) -> EndpointReport:
    [service] = report.services
    return next(endpoint for endpoint in service.endpoints if endpoint.path == f"s/{name}")


def incident(opened: datetime, closed: datetime | None, name: str = "a") -> Incident:
    key = f"s/{name}/chat"
    return Incident(
        id=1,
        service="s",
        severity=Severity.DOWN,
        opened=opened,
        closed=closed,
        checks=(key,),
        active=frozenset() if closed else frozenset({key}),
        failure=Failure(FailureKind.BAD_GATEWAY, "got 502"),
    )


@given(up=COUNTS, degraded=COUNTS, down=COUNTS, unknown=COUNTS, maintenance=COUNTS, missed=COUNTS)
def test_every_run_that_was_due_counts_once_or_is_left_out_once(
    up: int, degraded: int, down: int, unknown: int, maintenance: int, missed: int
) -> None:
    of_a = counts(
        "s/a/chat",
        1,
        up=up,
        degraded=degraded,
        down=down,
        unknown=unknown,
        maintenance=maintenance,
        missed=missed,
    )
    [place] = row(reported(record(of_a)), "a").places
    counted = up + degraded + down
    assert place.due == counted + unknown + maintenance + missed
    assert place.left_out == {"maintenance": maintenance, "unknown": unknown, "missed": missed}
    if counted:
        assert place.rollup.availability == pytest.approx((up + degraded) / counted)
        assert place.rollup.availability == pytest.approx(1 - down / counted)
    else:
        assert place.rollup.availability is None
    shares = [share for share in place.excluded.values() if share is not None]
    if place.due:
        assert sum(shares) + counted / place.due == pytest.approx(1)
    else:
        assert shares == []


def test_the_main_check_speaks_and_where_it_has_no_run_the_one_that_counted_most() -> None:
    report = reported(
        record(
            counts("s/a/models", 1, up=900),
            counts("s/a/chat", 1, up=9, down=1),
            counts("s/b/http", 1, up=5),
            counts("s/b/models", 1, up=7),
        )
    )
    assert [(place.check, place.rollup.availability) for place in row(report, "a").places] == [
        ("s/a/chat", 0.9)
    ]
    assert [place.check for place in row(report, "b").places] == ["s/b/models"]


def test_a_base_url_that_was_not_measured_has_a_row_that_says_nothing_of_it() -> None:
    report = reported(record(counts("s/a/chat", 1, up=1)))
    unmeasured = row(report, "b")
    assert unmeasured.down is None
    [place] = unmeasured.places
    assert (place.check, place.rollup.availability, place.days, place.due) == (
        "s/b/chat",
        None,
        0,
        0,
    )
    assert set(place.excluded.values()) == {None}
    assert place.percentiles("ttft") == {"p50": None, "p95": None, "p99": None}


def test_what_is_retired_or_has_left_the_configuration_has_a_row_where_it_was_measured() -> None:
    assert [each.path for each in reported(record()).services[0].endpoints] == ["s/a", "s/b"]
    report = reported(record(counts("s/old/chat", 1, up=1), counts("s/gone/http", 2, up=1)))
    rows = [(each.path, each.name, each.url) for each in report.services[0].endpoints]
    assert rows[2:] == [("s/old", "OLD", "https://old.example"), ("s/gone", "gone", None)]


def test_each_place_has_a_row_where_it_should_have_measured_and_where_it_did() -> None:
    there = Vantage(id="there", public_keys=("k",))
    elsewhere = Vantage(id="elsewhere", public_keys=("k",), services=frozenset({"other"}))
    report = reported(
        record(
            counts("s/a/chat", 1, vantage="there", up=3, down=1),
            counts("s/a/chat", 1, vantage="moved", up=1),
        ),
        vantages=(there, elsewhere),
    )
    places = {place.vantage: place.rollup.availability for place in row(report, "a").places}
    assert places == {"here": None, "there": 0.75, "moved": 1.0}
    assert [place.vantage for place in row(report, "b").places] == ["here", "there"]


def test_it_says_on_how_many_days_of_the_month_one_was_measured_and_any() -> None:
    report = reported(
        record(counts("s/a/chat", 1, 2, 3, up=9), counts("s/b/chat", 3, 4, up=9)),
    )
    assert row(report, "a").places[0].days == 3
    assert row(report, "b").places[0].days == 2
    assert (report.days_measured, report.days) == (4, 30)


@pytest.mark.parametrize(
    ("over", "begun"), [(0 * HOUR, 0), (HOUR, 1), (DAY, 1), (3.5 * DAY, 4), (40 * DAY, 30)]
)
def test_a_day_that_has_begun_counts_as_one(over: timedelta, begun: int) -> None:
    assert reported(record(), now=BEGIN + over).days == begun


def test_of_a_month_in_progress_what_is_over_counts() -> None:
    noon = BEGIN + 3.5 * DAY
    open_since = incident(noon - 2 * HOUR, None)
    report = reported(
        record(counts("s/a/chat", 3, 4, up=9), incidents=(open_since,), seen_until=noon), now=noon
    )
    assert report.is_in_progress
    assert (report.until, report.days, report.days_measured) == (noon, 4, 2)
    assert row(report, "a").places[0].days == 2
    assert row(report, "a").down == report.within(open_since) == 2 * HOUR


def test_outages_are_cut_at_the_edges_of_the_month_and_time_that_two_share_counts_once() -> None:
    before = incident(BEGIN - DAY, BEGIN + HOUR)
    both = incident(BEGIN + HOUR / 2, BEGIN + 2 * HOUR)
    after = incident(NOVEMBER.end - HOUR, NOVEMBER.end + DAY)
    report = reported(record(counts("s/a/chat", 1, up=1), incidents=(after, both, before)))
    assert row(report, "a").down == 3 * HOUR
    assert [report.within(each) for each in report.incidents] == [HOUR, 1.5 * HOUR, HOUR]


def test_an_open_incident_is_known_until_the_monitor_was_last_alive() -> None:
    opened = incident(BEGIN, None)
    report = reported(record(incidents=(opened,), seen_until=BEGIN + 5 * HOUR))
    assert report.within(opened) == 5 * HOUR
    assert row(report, "a").down == 5 * HOUR
    forgotten = reported(record(incidents=(opened,), seen_until=BEGIN - HOUR))
    assert forgotten.within(opened) == timedelta(0)


def test_a_base_url_that_an_incident_names_was_down_though_no_run_of_it_is_kept() -> None:
    report = reported(record(incidents=(incident(BEGIN, BEGIN + HOUR),)))
    assert (row(report, "a").down, row(report, "b").down) == (HOUR, None)


def test_how_long_a_base_url_was_down_is_not_known_of_what_was_imported() -> None:
    both = counts("s/a/chat", 1, 20, up=9), counts("s/b/chat", 20, up=9)
    until = BEGIN + 10 * DAY
    some = {"s/a/chat": until, "s/b/chat": BEGIN - DAY, "s/gone/chat": until}
    report = reported(record(*both, imported_until=some))
    assert report.imported_until == {"s/a": until}
    assert (row(report, "a").imported_until, row(report, "a").down) == (until, None)
    assert (row(report, "b").imported_until, row(report, "b").down) == (None, 0 * HOUR)
    told = reported(record(*both, imported_until=some, incidents=(incident(until, until + HOUR),)))
    assert row(told, "a").down == HOUR
    later = reported(record(*both, imported_until={"s/a/chat": LATER}))
    assert later.imported_until == {"s/a": NOVEMBER.end}


def test_a_month_after_the_import_has_nothing_of_it() -> None:
    until = {"s/a/chat": BEGIN + 3 * DAY}
    assert reported(record(counts("s/a/chat", 20, up=9), imported_until=until)).imported_until == {}


def test_the_account_and_what_is_slow_are_no_downtime() -> None:
    slow = replace(incident(BEGIN, BEGIN + HOUR), severity=Severity.DEGRADED)
    report = reported(record(counts("s/a/chat", 1, up=1), incidents=(slow,)))
    assert row(report, "a").down == timedelta(0)
    assert report.within(slow) == HOUR


def test_spend_is_the_ledgers_by_place_in_the_currency_of_the_prices() -> None:
    spent = {
        ("here", "s"): Spend(10, 0.5),
        ("there", "s"): Spend(5, 0.25),
        ("here", "other"): Spend(1),
    }
    report = reported(record(spent=spent))
    [service] = report.services
    assert service.spent == {"here": Spend(10, 0.5), "there": Spend(5, 0.25)}
    assert (service.spent_in_all, report.currency) == (Spend(15, 0.75), "EUR")
    assert reported(record(spent=None)).services[0].spent_in_all is None


def test_services_that_left_the_configuration_are_found_by_counts_spend_and_incidents() -> None:
    gone = replace(incident(BEGIN, None), service="third", checks=("third/x/chat",))
    known = services_of(
        record(
            counts("first/x/chat", 1, up=1), spent={("here", "second"): Spend(1)}, incidents=(gone,)
        ),
        (SERVICE,),
    )
    assert [service.id for service in known] == ["s", "first", "second", "third"]


def test_incidents_of_other_services_stay_out_and_the_monitors_own_stay_in() -> None:
    own = replace(incident(BEGIN, None), service=None, severity=Severity.MONITOR)
    other = replace(incident(BEGIN, None), service="other", checks=("other/x/chat",))
    assert reported(record(incidents=(own, other))).incidents == (own,)


def test_percentiles_are_those_of_the_histograms_of_the_month() -> None:
    rollup = Rollup(
        outcomes={Outcome.UP.value: 4}, figures={"ttft": {300: 3, 400: 1}, "total": {400: 4}}
    )
    some = MonthCounts(check="s/a/chat", vantage="here", rollup=rollup, measured=days(1))
    [place] = row(reported(record(some)), "a").places
    assert place.percentiles("ttft") == {
        "p50": pytest.approx(1.02**300.5),
        "p95": pytest.approx(1.02**400.5),
        "p99": pytest.approx(1.02**400.5),
    }
