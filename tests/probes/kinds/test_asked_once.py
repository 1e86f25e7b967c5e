"""A server that turns us away is asked once: no probe hammers where only time or a person can help."""

import pytest
from relay import plain, relaying

from monitor.model import Habit
from monitor.probes import PROBES

BODY = {"error": {"message": "max_tokens and stream_options are refused", "code": "no"}}


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500, 503])
@pytest.mark.parametrize("kind", sorted(set(PROBES) - {"tcp", "tls"}))
async def test_a_refusal_is_not_asked_for_twice(kind: str, status: int) -> None:
    async with relaying() as relay:
        relay.answering = plain(BODY, status)
        result = await relay.ask(kind, Habit(good=9))
    paths = [asked.path for asked in relay.asked]
    is_searching = kind == "balance" and status in {401, 403}  # the forms lie at other paths
    assert len(paths) == (len({*paths}) if is_searching else 1)
    assert result.failure is not None
    assert result.habit.refused == frozenset()
