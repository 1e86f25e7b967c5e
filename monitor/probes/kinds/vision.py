"""Probes vision with a picture of one random colour, made for this very question."""

import base64
from random import Random
from typing import Any, ClassVar

from monitor.model import Habit, Spend
from monitor.probes.answer.challenges import Challenge, ColourQuestion, colour
from monitor.probes.kinds.chat import ChatShape
from monitor.probes.probe import RunCost

_PICTURE_TOKENS = 6000
"""The most that a small model is known to count for one small picture."""


class VisionProbe(ChatShape):
    kind: ClassVar[str] = "vision"
    title: ClassVar[str] = "Vision"
    main_rank: ClassVar[int] = 25
    audited: ClassVar[bool] = False

    def asked_cost(self) -> RunCost:
        return RunCost(tokens_in=110, tokens_out=2)

    def usual_cap(self) -> int:
        return 16

    def worst_case(self, habit: Habit) -> Spend:
        return super().worst_case(habit) + Spend(tokens=_PICTURE_TOKENS)

    def challenge(self, rng: Random) -> Challenge:
        return colour(rng)

    def content(self, challenge: Challenge) -> Any:
        if not isinstance(challenge, ColourQuestion):
            raise TypeError(f"got a {type(challenge).__name__}, want a picture to ask about")
        picture = base64.b64encode(challenge.picture).decode()
        url = {"url": f"data:image/png;base64,{picture}", "detail": "low"}
        return [
            {"type": "text", "text": challenge.prompt},
            {"type": "image_url", "image_url": url},
        ]
