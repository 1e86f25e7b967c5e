"""Plans an audit: every probe kind that is for audits, in the order in which it is asked, and what that costs. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from monitor.probes import PROBES
from monitor.probes.kinds.chosen_api import PROTOCOLS, ChosenApi
from monitor.probes.kinds.conversation import Conversation
from monitor.probes.kinds.identity import IdentityProbe
from monitor.probes.probe import ProbeSettings, RunCost

FIRST = ("http", "models")
"""What is asked before anything is paid for: whether it is reached, and which models it lists."""
IDENTITY_ANSWERS = 60
"""One-word answers: ten of each cell, which is a window of 48 with room for empty ones."""
_NO_CONVERSATION = re.compile(
    "embed|rerank|moderation|whisper|transcri|tts|speech|audio|image|dall-e|sora|video|veo|realtime"
)
_SMALL = ["nano", "mini", "lite", "flash", "haiku", "small", "turbo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStep:
    """One question of an audit: a probe kind with its settings. `api` is the API that it goes through, if it may choose."""

    probe: ProbeSettings
    api: str = ""
    count: int = 1
    """How often it is asked."""

    @property
    def name(self) -> str:
        kind = self.probe.kind
        return f"{kind} ({self.api})" if isinstance(self.probe, ChosenApi) else kind

    @property
    def cost(self) -> RunCost:
        usual = self.probe.usual_cost()
        return RunCost(
            questions=self.count * usual.questions,
            tokens_in=self.count * usual.tokens_in,
            tokens_out=self.count * usual.tokens_out,
        )

    @property
    def is_api(self) -> bool:
        """Say whether it finds out if an API is spoken."""
        return self.probe.kind in PROTOCOLS


def planned(
    model: str,
    aliases: Iterable[str] = (),
    pause: timedelta | None = None,
    words: int = IDENTITY_ANSWERS,
) -> list[AuditStep]:
    """Return every step, as if all APIs were spoken. `pause` is that of the cache, `words` how many are asked for.

    The names under which a model may answer are only judged where the APIs themselves are asked: other kinds
    would then have no word on what they are for.
    """
    kinds = sorted(
        (kind for kind in PROBES.values() if kind.audited),
        key=lambda kind: (
            FIRST.index(kind.kind) if kind.kind in FIRST else len(FIRST),
            kind.main_rank,
        ),
    )
    steps: list[AuditStep] = []
    for kind in kinds:
        settings: dict[str, Any] = {}
        if kind.kind in PROTOCOLS:
            settings["aliases"] = frozenset({model, *aliases})
        elif issubclass(kind, Conversation):
            settings["aliases"] = frozenset({"any"})
        if pause is not None and "pause" in kind.model_fields:
            settings["pause"] = pause
        if issubclass(kind, ChosenApi):
            each = [AuditStep(probe=kind(**settings, api=api), api=api) for api in PROTOCOLS]
            steps += each if kind.audited_through_each else each[:1]
        else:
            count = words if issubclass(kind, IdentityProbe) else 1
            steps.append(AuditStep(probe=kind(**settings), count=count))
    return steps


def expected(steps: Iterable[AuditStep]) -> RunCost:
    """Return what the steps cost together, each asked once; a free step counts as one request."""
    costs = [step.cost for step in steps]
    return RunCost(
        questions=sum(max(cost.questions, 1) for cost in costs),
        tokens_in=sum(cost.tokens_in for cost in costs),
        tokens_out=sum(cost.tokens_out for cost in costs),
    )


def likely_model(listed: Iterable[str]) -> str:
    """Return a model that probably converses, one that is probably cheap before the others; empty for none."""
    return _cheapest(name for name in listed if not _NO_CONVERSATION.search(name.lower()))


def own_model(listed: Iterable[str], word: str) -> str:
    """Return a model with a word in its name, a small one before the others; empty for none."""
    return _cheapest(name for name in listed if word in name.lower())


def _cheapest(names: Iterable[str]) -> str:
    """Return the first name that says that its model is small, else the first of all; empty for none."""
    is_large = {name: not any(word in name.lower() for word in _SMALL) for name in names}
    return min(sorted(is_large), key=is_large.__getitem__, default="")
