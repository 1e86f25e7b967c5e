"""What policies have in common: how their rule is made, and what one result says by itself. Pure."""

from datetime import timedelta
from typing import ClassVar

from monitor.model import Failure, Outcome, Result, Rollup, Rule, Severity

SERVED = frozenset({Outcome.UP, Outcome.DEGRADED})


class Ruled:
    """`cause`: its incidents do not mix with others of the same severity."""

    __slots__ = ()
    kind: ClassVar[str]
    severity: ClassVar[Severity]
    cause: ClassVar[str] = ""

    def rule(self, after: int, recover: int) -> Rule:
        return Rule(
            name=self.kind,
            severity=self.severity,
            after=after,
            recover=recover,
            cause=self.cause,
        )


class OneResult(Ruled):
    """One result is enough to judge, and explains itself."""

    __slots__ = ()
    within: ClassVar[timedelta | None] = None

    def why(self, result: Result, window: Rollup) -> Failure:  # noqa: ARG002
        assert result.failure is not None
        return result.failure
