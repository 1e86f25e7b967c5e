"""Twenty-one services, each by its real protocol: what they take is delivered, what they refuse is not.

Real Apprise speaks to a stub of the service, through a proxy and TLS, at the service's own address.
"""

import json
from pathlib import Path

import pytest
from channels_cast import reaching
from on_call_services import STUBS
from stubs import Stub, Way

from monitor.alerts import acceptance
from monitor.alerts.acceptance import ChannelAnswer, Refusal, refusal
from monitor.model import Message, NotDeliveredError

_TEXT = "Seen: <b>502</b> & 'more' *stars* _lines_ [x](y) 现象：网关错误 😀\nhttps://status.example/incidents/1/"


async def test_each_service_takes_a_message_with_all_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tuple(kind() for kind in STUBS)
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            await notifier.send(stub.schema, Message("🔴 OhMyGPT: down", _TEXT))
    assert {stub.schema: len(stub.taken) for stub in stubs} == dict.fromkeys(
        (stub.schema for stub in stubs), 1
    )
    for stub in stubs:
        assert "OhMyGPT: down" in str(stub.taken), stub.schema
        assert "现象：网关错误 😀" in str(stub.taken), stub.schema


def test_each_way_to_refuse_is_told_in_the_words_of_the_service() -> None:
    wrong = [
        f"{stub.schema}, {way.name}: {refused}"
        for stub in STUBS
        for way in stub.all_ways()
        if _learned(refused := _judged(stub, way)) != (True, way.person, way.wait)
        or (refused and way.says not in refused.why)
    ]
    assert wrong == []


def test_of_every_service_whose_answers_are_known_there_is_a_stub() -> None:
    same = {"workflows": "workflow", "ntfys": "ntfy", "gotifys": "gotify", "wecom": "pushplus"}
    same |= {"bark": "barks", "matrix": "matrixs"}
    stubs = {stub.schema for stub in STUBS} - {"jsons"}
    assert {same.get(schema, schema) for schema in acceptance._SERVICES} == stubs


def _judged(stub: type[Stub], way: Way) -> Refusal | None:
    """What Apprise believes follows from the status alone: that is the worst it can believe."""
    reply = way.reply
    body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    answer = ChannelAnswer(f"https://{stub.hosts[0]}/send/", reply.status, headers, body.encode())
    return refusal(stub.schema, (answer,), reported=answer.is_success)


def _learned(refused: Refusal | None) -> tuple[bool, bool, float | None]:
    if refused is None:
        return (False, False, None)
    return (True, refused.needs_person, refused.wait and refused.wait.total_seconds())


@pytest.mark.slow
async def test_each_service_refuses_in_its_own_ways_and_nothing_counts_as_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = tuple(kind() for kind in STUBS)
    wrong: list[str] = []
    async with reaching(stubs, tmp_path, monkeypatch) as notifier:
        for stub in stubs:
            for way in stub.all_ways():
                stub.replies.extend([way.reply] * 3)  # Matrix tries again by itself
                case = f"{stub.schema}, {way.name}"
                try:
                    await notifier.send(stub.schema, Message("t", "b"))
                except NotDeliveredError as error:
                    wait = error.retry_after.total_seconds() if error.retry_after else None
                    got = (way.says in str(error), error.permanent, wait)
                    if got != (True, way.person, way.wait):
                        wrong.append(f"{case}: {error!r} {got}")
                else:
                    wrong.append(f"{case}: counted as delivered")
                stub.replies.clear()
    assert wrong == []
    assert [stub.schema for stub in stubs if stub.taken] == []
