"""Agents of one place have a row each, and what they spend is summed, on each engine."""

from datetime import timedelta

from cast import HandClock

from monitor.model import AgentState, Outcome, Result, RunRecord, Spend
from monitor.store import Store
from monitor.store.agents import Receipt, ReceivedBatch, receive, states

KEYS = {"cn": ["one", "two"]}


async def push(
    store: Store, clock: HandClock, key: str, number: int, *, tokens: int, stream: str = "s"
) -> Receipt:
    """An agent pushes one run, and says what it has spent today."""
    clock.tick(1)
    now = clock.now()
    result = Result(check="s/x/http", vantage="cn", at=now, outcome=Outcome.UP)
    run = RunRecord(result=result, kind="http")
    batch = ReceivedBatch(
        state=AgentState(
            vantage="cn", key=key, stream=stream, upto=number, heard=now, deal="0123abcd/89ef4567"
        ),
        first=number,
        sent_ms=number,
        runs=(run,),
        spend={(now.date(), "s"): Spend(tokens, 0.5)},
        taken_over_after=timedelta(minutes=1),
    )
    return await receive(store, batch, [number])


async def test_each_agent_of_a_place_has_numbers_of_its_own_and_all_spend_together(
    store: Store, clock: HandClock
) -> None:
    assert await store.ask(lambda connection: states(connection, KEYS)) == ()
    receipts = [
        await push(store, clock, "one", 1, tokens=10),
        await push(store, clock, "two", 1, tokens=7),
        await push(store, clock, "one", 2, tokens=11),
    ]
    assert [receipt.upto for receipt in receipts] == [1, 1, 2]
    assert [len(receipt.stored) for receipt in receipts] == [1, 1, 1]
    day = clock.now().date()
    assert [receipt.spend[day, "s"] for receipt in receipts] == [
        Spend(10, 0.5),
        Spend(17, 1.0),
        Spend(18, 1.0),
    ]
    other = await push(store, clock, "two", 1, tokens=99, stream="t")
    assert other.is_other_stream
    known = await store.ask(lambda connection: states(connection, KEYS))
    assert [(state.key, state.upto, state.deal) for state in known] == [
        ("two", 1, "0123abcd/89ef4567"),
        ("one", 2, "0123abcd/89ef4567"),
    ]
    only = await store.ask(lambda connection: states(connection, {"cn": ["two"], "hk": ["one"]}))
    assert [state.key for state in only] == ["two"]


async def test_what_was_spent_long_ago_is_in_the_ledger_alone(
    store: Store, clock: HandClock
) -> None:
    await push(store, clock, "one", 1, tokens=10)
    clock.tick(8 * 86_400)
    await push(store, clock, "two", 1, tokens=7)
    rows = await store.ask(
        lambda connection: connection.exec_driver_sql("SELECT key, tokens FROM agent_spend").all()
    )
    assert [tuple(row) for row in rows] == [("two", 7)]
    ledger = await store.ask(
        lambda connection: connection.exec_driver_sql(
            "SELECT tokens FROM ledger WHERE vantage = 'cn' ORDER BY day"
        ).all()
    )
    assert [row[0] for row in ledger] == [10, 7]
