"""Cuts out what one vantage measured: where its results were false, as after the theft of an agent's key."""

from sqlalchemy import Connection, delete, select

from monitor.store.rollup_job import remake
from monitor.store.run_rows import DAY_MS, HOUR_MS
from monitor.store.schema import CHECKS, DAYS, EVIDENCE, HOURS, RUNS


def cut(connection: Connection, vantage: str, begin: int, end: int) -> int:
    """Forget a vantage's runs, evidence and counts of whole hours, from unix ms `begin` to `end`; return how many runs.

    The rest of a day is added up anew from its hours; a day whose hours are not kept any more goes whole.
    """
    checks = select(CHECKS.c.id).where(CHECKS.c.vantage == vantage).scalar_subquery()
    first, last = begin // HOUR_MS, -(-end // HOUR_MS) - 1
    span = first * HOUR_MS, (last + 1) * HOUR_MS - 1
    runs = delete(RUNS).where(RUNS.c.at.between(*span), RUNS.c.check_id.in_(checks))
    number = connection.execute(runs).rowcount
    evidence = delete(EVIDENCE)
    connection.execute(
        evidence.where(EVIDENCE.c.at.between(*span), EVIDENCE.c.check_id.in_(checks))
    )
    hours = HOURS.c.period.between(first, last), HOURS.c.check_id.in_(checks)
    connection.execute(delete(HOURS).where(*hours))
    touched = (
        DAYS.c.period.between(span[0] // DAY_MS, span[1] // DAY_MS),
        DAYS.c.check_id.in_(checks),
    )
    days = connection.execute(select(DAYS.c.period, DAYS.c.check_id).where(*touched)).all()
    connection.execute(delete(DAYS).where(*touched))
    remake(connection, DAYS, [(period, check) for period, check in days])
    return number
