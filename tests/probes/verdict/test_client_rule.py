"""A relay that admits only certain programs is told as that; a name of a program alone proves nothing."""

import json
from typing import Any

import pytest
from verdict_cast import answer, error, kind

from monitor.model import FailureKind
from monitor.probes.verdict.classify import judge_api_body


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("The credential is only authorized for use with Claude Code, not for others")),
        (400, error("请勿在 Claude Code CLI 之外使用接口", type="new_api_error")),
        (401, error("This key may only be used with Claude Code")),
        (403, error("This endpoint only accepts requests from Claude Code CLI")),
        (403, error("no", type="client_validation_error")),
        (403, error("This account only allows Codex official clients", type="forbidden_error")),
        (403, error("Only Codex clients can use this group")),
        (403, {"error": "Client not allowed", "message": "Your client may not use this API key"}),
        (403, error("It is currently only available for Coding Agents such as Kimi CLI")),
        (403, error("该分组仅限Claude Code客户端使用")),
        (403, error("请使用 Claude Code 客户端访问")),
        (403, error("Claude Code-only group")),
        (503, error("No available accounts: this group only allows Claude Code clients")),
    ],
)
def test_what_admits_other_programs_alone_is_no_wrong_key(status: int, body: Any) -> None:
    assert kind(status, body) is FailureKind.CLIENT_REFUSED


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (
            404,
            error("The model `gpt-5-codex` is only supported in v1/responses"),
            FailureKind.MODEL_NOT_FOUND,
        ),
        (400, error("top_k can only be used with thinking off"), FailureKind.REQUEST_REJECTED),
        (
            403,
            error("client not allowed: the IP is not in the list"),
            FailureKind.PERMISSION_DENIED,
        ),
        (401, error("client is not authorized for this grant type"), FailureKind.AUTH_INVALID),
        (403, error("该令牌只支持 codex 模型"), FailureKind.PERMISSION_DENIED),
        (403, error("Claude Code is not part of your plan"), FailureKind.PERMISSION_DENIED),
        (429, error("Codex allows only 5 requests at a time"), FailureKind.RATE_LIMITED),
        (403, error("余额不足 仅限 Claude Code 使用"), FailureKind.QUOTA_EXHAUSTED),
        (503, error("No available accounts"), FailureKind.NO_CHANNEL),
        (400, error("This organization has been disabled."), FailureKind.PERMISSION_DENIED),
    ],
)
def test_models_plans_and_addresses_are_no_programs(
    status: int, body: Any, want: FailureKind
) -> None:
    assert kind(status, body) is want


def test_it_is_told_inside_a_good_status_too() -> None:
    body = json.dumps(error("this group only allows Claude Code clients", type="api_error"))
    failure = judge_api_body(answer(200, body.encode()))
    assert failure is not None
    assert failure.kind is FailureKind.CLIENT_REFUSED
