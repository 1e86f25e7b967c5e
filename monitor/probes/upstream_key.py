"""Decides whose key was refused: ours, or the one with which a relay asks its own upstream.

A relay that hands its upstream's 401 through is broken for everybody, and no matter of our account. Two
things tell: the refusal shows parts of another key than ours, or `/models` of the same base URL, which
refuses a caller without a key, accepts ours.
"""

import re
from dataclasses import replace
from datetime import timedelta

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import ApiProbe
from monitor.probes.kinds.models import ModelsProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.verdict.error_body import parse_error_body, read_json

_MASKED = re.compile(
    r"([A-Za-z0-9_-]{2,40})?(?:\*{3,200}|•{3,200}|x{6,200}|\.{3,10}|…)([A-Za-z0-9_-]{2,40})?"
)
_KEY_WORDS = ("key", "token", "密钥", "令牌")
_LONGEST = timedelta(seconds=10)


async def judge_refused_key(finding: Finding, run: Run, probe: ApiProbe) -> Finding:
    """Turn `auth_invalid` into `bad_gateway` where the refused key is not ours."""
    key = run.check.endpoint.key
    failure = finding.failure
    if failure is None or failure.kind is not FailureKind.AUTH_INVALID or key is None:
        return finding
    if shows_another_key(parse_error_body(finding.exchange.body).text, key.reveal()):
        why = "it names another key than ours"
    elif not isinstance(probe, ModelsProbe) and await _accepts_our_key(run, probe):
        why = "the base URL accepts our key for its list of models"
    else:
        return finding
    words = failure.message.partition(", want ")[0]
    message = f"{words}, but {why}: the relay's own upstream key was refused, want an answer"
    return replace(finding, failure=Failure(FailureKind.BAD_GATEWAY, message))


def shows_another_key(text: str, key: str) -> bool:
    """Say whether a text shows the ends of a masked key that are not those of ours."""
    for match in _MASKED.finditer(text):
        begin, end = match[1] or "", match[2] or ""
        before = text[max(0, match.start() - 60) : match.start()].lower()
        if not any(word in before for word in _KEY_WORDS):
            continue
        is_ellipsis = not set(match[0]).isdisjoint(".…")
        if is_ellipsis and not re.search(r"[0-9_-]|[A-Z]{2}", begin + end):
            continue  # "the key is invalid...", not a part of any key
        if (len(begin) > 3 or len(end) > 3) and not (key.startswith(begin) and key.endswith(end)):
            return True
    return False


async def _accepts_our_key(run: Run, probe: ApiProbe) -> bool:
    """Ask for the list of models with our key, then without one; free, and only after a refusal."""
    listing = replace(
        ModelsProbe().request(run, None, min(probe.timeout, _LONGEST)), max_body=256 * 1024
    )
    bare = {name: text for name, text in listing.headers.items() if name != "Authorization"}
    accepted = await run.client.send(
        replace(listing, headers=bare | dict(probe.auth(run.check.endpoint)))
    )
    if not _is_list(accepted):
        return False
    own = {name.lower() for name, _ in run.check.endpoint.headers}
    if own & {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}:
        return False  # the operator's own header would carry a key all the same
    refused = await run.client.send(replace(listing, headers=bare))
    return refused.error is None and refused.status in {401, 403}


def _is_list(exchange: Exchange) -> bool:
    """Say whether a list of models came; the end of a very long one may be missing."""
    if exchange.status != 200:
        return False
    if exchange.error is not None:
        return exchange.body[:200].lstrip().startswith((b"{", b"["))
    answer = read_json(exchange.body)
    return isinstance(answer, list) or (
        isinstance(answer, dict) and isinstance(answer.get("data"), list)
    )
