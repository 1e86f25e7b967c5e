"""The owner's money: reserved at its worst, settled to the truth, never forgotten."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.budget import BudgetLedger
from monitor.model import (
    Check,
    DailyBudget,
    Endpoint,
    Failure,
    FailureKind,
    Outcome,
    Price,
    Result,
    Service,
    Spend,
    Usage,
)
from monitor.probes.probe import ProbeSettings

TODAY = date(2026, 11, 24)
TOMORROW = date(2026, 11, 25)
ENDPOINT = Endpoint(id="e", service="s", url="https://a.example", name="e")


class Paid(ProbeSettings):
    kind = "chat"
    paid = True


CHECK = Check(service="s", endpoint=ENDPOINT, probe=Paid(), model="m")


def ledger(
    budget: DailyBudget | None, price: Price | None = None, multiplier: float = 1.0
) -> BudgetLedger:
    service = Service(id="s", name="S", endpoints=(ENDPOINT,), multiplier=multiplier)
    return BudgetLedger(
        (service,), {"s": budget} if budget else {}, {"m": price} if price else {}, {}
    )


def answered(tokens_in: int | None, tokens_out: int | None, status: int | None = 200) -> Result:
    usage = Usage(tokens_in=tokens_in, tokens_out=tokens_out) if tokens_in is not None else None
    at = datetime(2026, 11, 24, tzinfo=UTC)
    return Result(
        check=CHECK.key, vantage="v", at=at, outcome=Outcome.UP, usage=usage, http_status=status
    )


def test_a_run_over_the_budget_is_paused_and_says_what_was_spent() -> None:
    book = ledger(DailyBudget(tokens=500))

    assert book.reserve(CHECK, Spend(400), TODAY) == Spend(400)
    assert book.reserve(CHECK, Spend(200), TODAY) == Failure(
        FailureKind.BUDGET_PAUSED, "spent 400 of 500 tokens today; paid probes go on tomorrow (UTC)"
    )
    assert book.spent("s", TODAY) == Spend(400)


def test_four_fifths_of_a_budget_are_told_once_a_day_and_not_again_after_a_restart() -> None:
    book = ledger(DailyBudget(tokens=500))
    book.reserve(CHECK, Spend(399), TODAY)
    assert book.warning("s", TODAY) is None
    book.reserve(CHECK, Spend(1), TODAY)
    assert book.warning("s", TODAY) == "spent 400 of 500 tokens today"
    assert book.warning("s", TODAY) is None
    again = BudgetLedger((), {"s": DailyBudget(tokens=500)}, {}, {("s", TODAY): Spend(400)})
    assert again.warning("s", TODAY) is None
    assert book.warning("s", TOMORROW) is None
    book.reserve(CHECK, Spend(499), TOMORROW)
    assert book.warning("s", TOMORROW) == "spent 499 of 500 tokens today"


def test_a_budget_that_is_all_gone_is_not_called_almost_gone() -> None:
    book = ledger(DailyBudget(tokens=500))
    book.reserve(CHECK, Spend(500), TODAY)
    assert book.warning("s", TODAY) is None


def test_a_service_without_a_budget_is_never_warned_of() -> None:
    book = ledger(None)
    book.reserve(CHECK, Spend(10**9), TODAY)
    assert book.warning("s", TODAY) is None


def test_tomorrow_the_budget_is_whole_again() -> None:
    book = ledger(DailyBudget(tokens=500))
    book.reserve(CHECK, Spend(500), TODAY)

    assert isinstance(book.reserve(CHECK, Spend(1), TODAY), Failure)
    assert book.reserve(CHECK, Spend(500), date(2026, 11, 25)) == Spend(500)


def test_settling_gives_back_what_was_not_used_and_prices_what_was() -> None:
    book = ledger(DailyBudget(money=1.0), Price(2.0, 10.0), multiplier=0.5)
    reserved = book.reserve(CHECK, Spend(1000), TODAY)
    assert reserved == Spend(1000, 0.005)

    result, change = book.settle(CHECK, reserved, answered(100, 20), TODAY)

    assert result.usage == Usage(tokens_in=100, tokens_out=20, cost_usd=pytest.approx(0.0002))
    assert book.spent("s", TODAY) == Spend(120, pytest.approx(0.0002))
    assert change.tokens == -880


@pytest.mark.parametrize(
    ("result", "left"),
    [
        (
            answered(None, None, status=200),
            Spend(300),
        ),  # it answered but did not say: keep the reserve
        (answered(None, None, status=None), Spend(0)),  # nothing ever came
        (answered(None, None, status=503), Spend(0)),  # refused
        (answered(None, None, status=400), Spend(0)),
        (answered(None, None, status=399), Spend(300)),
        (answered(100, 20), Spend(120)),
        (answered(100, None), Spend(100)),
    ],
)
def test_without_usage_the_reserve_stays_unless_nothing_was_answered(
    result: Result, left: Spend
) -> None:
    book = ledger(DailyBudget(tokens=1000))
    reserved = book.reserve(CHECK, Spend(300), TODAY)
    assert isinstance(reserved, Spend)

    book.settle(CHECK, reserved, result, TODAY)

    assert book.spent("s", TODAY) == left


def test_what_earlier_calls_of_a_failed_run_cost_is_settled_and_stays_reserved_where_it_is_not_told() -> (
    None
):
    def spent(usage: Usage) -> Spend:
        book = ledger(DailyBudget(tokens=1000))
        reserved = book.reserve(CHECK, Spend(400), TODAY)
        assert isinstance(reserved, Spend)
        book.settle(CHECK, reserved, replace(answered(None, None, 503), usage=usage), TODAY)
        return book.spent("s", TODAY)

    assert spent(Usage(tokens_in=70, tokens_out=5)) == Spend(75)
    assert spent(Usage()) == Spend(400)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), st.booleans()), max_size=30))
def test_a_budget_is_never_overrun_by_runs_that_keep_to_their_worst_case(
    runs: list[tuple[int, int, bool]],
) -> None:
    book = ledger(DailyBudget(tokens=1000))
    for worst, used, says in runs:
        reserved = book.reserve(CHECK, Spend(worst), TODAY)
        if isinstance(reserved, Spend):
            book.settle(CHECK, reserved, answered(min(used, worst) if says else None, 0), TODAY)
        assert book.spent("s", TODAY).tokens <= 1000


def test_only_dollars_are_a_cost_in_dollars_and_only_of_tokens_that_were_told() -> None:
    euros = ledger(None, Price(2.0, 10.0, "EUR"))
    assert euros.priced(CHECK, answered(100, 20)) == answered(100, 20)
    dollars = ledger(None, Price(2.0, 10.0))
    untold = replace(answered(None, None), usage=Usage(tokens_out=3))
    assert dollars.priced(CHECK, untold) == untold


def test_each_service_is_warned_of_once_also_when_others_are() -> None:
    budgets = {each: DailyBudget(tokens=100) for each in "st"}
    book = BudgetLedger((), budgets, {}, {})
    for service in "st":
        book.reserve(replace(CHECK, service=service), Spend(90), TODAY)
    warned = [book.warning(service, TODAY) is not None for service in "stst"]
    assert warned == [True, True, False, False]


def test_a_run_that_ends_after_midnight_is_settled_on_the_day_it_began() -> None:
    book = ledger(DailyBudget(tokens=500))
    reserved = book.reserve(CHECK, Spend(300), TODAY)
    assert isinstance(reserved, Spend)
    book.reserve(CHECK, Spend(10), TOMORROW)
    book.settle(CHECK, reserved, answered(100, 0), TODAY)
    assert [book.spent("s", day).tokens for day in (TODAY, TOMORROW)] == [100, 10]
    book.reserve(CHECK, Spend(10), date(2026, 11, 26))
    assert [book.spent("s", day).tokens for day in (TODAY, TOMORROW)] == [0, 10]


def test_a_run_of_a_service_that_has_left_the_configuration_is_settled_all_the_same() -> None:
    book = ledger(None, Price(2.0, 10.0), multiplier=0.5)
    reserved = book.reserve(CHECK, Spend(1000), TODAY)
    assert isinstance(reserved, Spend)
    book.change((), {}, {"m": Price(2.0, 10.0)})
    result, _ = book.settle(CHECK, reserved, answered(100, 20), TODAY)
    assert result.usage == Usage(tokens_in=100, tokens_out=20, cost_usd=pytest.approx(0.0004))


def test_new_terms_hold_from_the_next_run_on_and_what_was_spent_stays_spent() -> None:
    book = ledger(None)
    book.reserve(CHECK, Spend(300), TODAY)
    assert book.used(TODAY) == {}
    service = Service(id="s", name="S", endpoints=(ENDPOINT,))
    book.change((service,), {"s": DailyBudget(tokens=500)}, {})
    assert (book.used(TODAY), book.used(TOMORROW)) == ({"s": 0.6}, {"s": 0.0})
    assert isinstance(book.reserve(CHECK, Spend(201), TODAY), Failure)
