"""A relay that hands its upstream's 401 through is the relay's fault, not our account's."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from cast import HandClock
from relay import KEY, Asked, Relay, plain, relaying
from run_check import run_check
from verdict_cast import answer

from monitor.model import Check, Endpoint, FailureKind, Secret
from monitor.probes import PROBES
from monitor.probes.parameter_fallback import newly_refused
from monitor.probes.upstream_key import shows_another_key

LIST = {"data": [{"id": "model-x"}]}
REFUSED = {"error": {"message": "Invalid API key", "code": "invalid_api_key"}}


def guarding(refusal: Any, *, open_list: bool = False, keys: bool = True) -> Any:
    """Refuses every call but that of `/models`, which takes our key alone (or, if open, anybody)."""

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        ours = KEY in str(asked.headers)
        if request.path.endswith("/models") and (open_list or (ours and keys)):
            return web.json_response(LIST)
        return web.json_response(refusal, status=401)

    return answering


async def kind_of(relay: Relay, kind: str = "chat") -> tuple[FailureKind | None, str]:
    endpoint = Endpoint(id="e", service="s", url=relay.url, name="E", key=Secret(KEY))
    check = Check(service="s", endpoint=endpoint, probe=PROBES[kind](), model="model-x")
    attempted = await run_check(
        check, relay.client, clock=HandClock(datetime(2026, 11, 24, 12, tzinfo=UTC))
    )
    failure = attempted.result.failure
    return failure and failure.kind, failure.message if failure else ""


@pytest.mark.parametrize("kind", ["chat", "messages", "gemini", "embeddings"])
async def test_a_key_that_the_list_accepts_is_not_what_was_refused(kind: str) -> None:
    async with relaying() as relay:
        relay.answering = guarding(REFUSED)
        found, message = await kind_of(relay, kind)
    assert found is FailureKind.BAD_GATEWAY
    assert '"Invalid API key"' in message
    assert "accepts our key" in message


async def test_a_list_that_is_open_to_anybody_proves_nothing() -> None:
    async with relaying() as relay:
        relay.answering = guarding(REFUSED, open_list=True)
        assert (await kind_of(relay))[0] is FailureKind.AUTH_INVALID


async def test_a_key_that_the_list_refuses_too_is_ours_to_mend() -> None:
    async with relaying() as relay:
        relay.answering = guarding(REFUSED, keys=False)
        assert (await kind_of(relay))[0] is FailureKind.AUTH_INVALID
        assert len(relay.asked) == 2
        assert (await kind_of(relay, "models"))[0] is FailureKind.AUTH_INVALID
        assert len(relay.asked) == 3


async def test_a_refusal_that_shows_another_key_is_the_relays() -> None:
    text = "Incorrect API key provided: sk-proj-********WXYZ. You can find yours on the site."
    async with relaying() as relay:
        relay.answering = plain({"error": {"message": text, "code": "invalid_api_key"}}, 401)
        found, message = await kind_of(relay)
        assert len(relay.asked) == 1
    assert (found, "another key than ours" in message) == (FailureKind.BAD_GATEWAY, True)


@pytest.mark.parametrize(
    ("text", "is_other"),
    [
        ("Incorrect API key provided: sk-abcd****wxyz.", False),
        ("Incorrect API key provided: sk-other****wxyz.", True),
        ("Incorrect API key provided: sk-abcd****1234.", True),
        ("Incorrect API key provided: ***********.", False),
        ("invalid key sk-abcd...9999", True),
        ("the number 1234***5678 is odd", False),
        ("Invalid API key", False),
    ],
)
def test_the_ends_of_a_masked_key_tell_whose_it_is(text: str, is_other: bool) -> None:
    assert shows_another_key(text, "sk-abcdefghijklmnop-wxyz") is is_other


@pytest.mark.parametrize(
    ("status", "error", "refused"),
    [
        (500, {"message": "Unsupported parameter: 'max_tokens'", "param": "max_tokens"}, True),
        (502, {"message": "upstream 400: max_tokens is not supported with this model"}, True),
        (503, {"message": "x", "code": "unsupported_parameter", "param": "max_tokens"}, True),
        (200, {"message": "Unknown parameter: max_tokens"}, True),
        (500, {"message": "no answer to the request with max_tokens"}, False),
        (500, {"message": "invalid state"}, False),
        (401, {"message": "Unsupported parameter: 'max_tokens'"}, False),
        (429, {"message": "invalid max_tokens"}, False),
        (200, None, False),
    ],
)
def test_a_refused_parameter_is_seen_also_where_a_relay_wraps_it(
    status: int, error: Any, refused: bool
) -> None:
    exchange = answer(status, {"error": error})
    assert newly_refused(exchange, ["max_tokens"]) == ("max_tokens" if refused else None)
