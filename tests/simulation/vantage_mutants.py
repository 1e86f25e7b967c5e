"""Known faults of votes and turns, each put into the real code for a moment: the laws must notice every one of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from planted import Mutant, Patch, planting
from vantage_world import HUB

from monitor.alerts import AlertEngine, engine, incidents, quorum, voters
from monitor.alerts.quorum import Reach, Standing
from monitor.alerts.voters import Voters
from monitor.daemon import components
from monitor.model import Incident

VANTAGE_MUTANTS: list[Mutant] = []
planted = planting(VANTAGE_MUTANTS)


@planted
def one_accuser_is_enough(patch: Patch) -> None:
    patch.setattr(quorum, "needed", lambda *_: 1)


@planted
def half_of_the_voters_are_no_majority(patch: Patch) -> None:
    patch.setattr(quorum, "needed", lambda number, _: max(number, 1))


@planted
def who_is_left_alone_speaks_for_all(patch: Patch) -> None:
    real = quorum.standing

    def standing(votes: Any, rule: Any, before: Reach, *, waiting: bool = False) -> Standing:
        found = real(votes, rule, before, waiting=waiting)
        is_alone = len(found.bad) == 1 and not found.good
        return replace(found, reach=Reach.FULL) if is_alone else found

    patch.setattr(voters, "standing", standing)


@planted
def an_accuser_that_falls_silent_is_forgotten(patch: Patch) -> None:
    real = quorum._reach

    def reach(bad: int, good: int, _: int, rule: Any, before: Reach) -> Reach:
        return real(bad, good, 0, rule, before)

    patch.setattr(quorum, "_reach", reach)


@planted
def the_silent_vote_with_what_they_saw_last(patch: Patch) -> None:
    def counts(self: Voters, check: str, vantage: str, _: datetime, *, measured: bool) -> bool:
        return (check, vantage) in self._seen

    patch.setattr(Voters, "counts", counts)


@planted
def late_results_are_judged(patch: Patch) -> None:
    patch.setattr(Voters, "is_late", lambda *_: False)


@planted
def no_result_of_another_vantage_is_judged(patch: Patch) -> None:
    def is_late(self: Voters, result: Any, _: datetime) -> bool:
        return bool(result.vantage != self.settings.own)

    patch.setattr(Voters, "is_late", is_late)


@planted
def what_the_silent_saw_ends_at_once(patch: Patch) -> None:
    patch.setattr(engine, "_UNHEARD", timedelta(minutes=1))


@planted
def what_the_silent_saw_never_ends(patch: Patch) -> None:
    patch.setattr(engine, "_UNHEARD", timedelta(days=99))


@planted
def an_end_by_silence_is_told_as_an_end(patch: Patch) -> None:
    patch.setattr(engine, "NOT_HEARD", "")


@planted
def a_crossing_is_told_again_and_again(patch: Patch) -> None:
    def updated(incident: Incident) -> Incident:
        return replace(incident, update_at=incident.told_at)

    patch.setattr(incidents, "updated", updated)


@planted
def an_end_waits_for_all(patch: Patch) -> None:
    real = quorum.standing

    def standing(votes: Any, *given: Any, **more: Any) -> Standing:
        votes = list(votes)
        found = real(votes, *given, **more)
        is_over = found.reach is Reach.NONE and len(found.good) < len(votes)
        return replace(found, reach=given[1]) if is_over else found

    patch.setattr(voters, "standing", standing)


@planted
def a_start_forgets_what_was_believed_of_others(patch: Patch) -> None:
    real = AlertEngine.__init__

    def init(self: AlertEngine, settings: Any, channels: Any, memory: Any, **more: Any) -> None:
        own = {key: state for key, state in memory.states.items() if key[1] == HUB}
        real(self, settings, channels, replace(memory, states=own), **more)

    patch.setattr(AlertEngine, "__init__", init)


@planted
def a_base_url_joins_whatever_broke_at_the_same_time(patch: Patch) -> None:
    patch.setattr(incidents, "same_url", lambda *_: None)


@planted
def each_place_pays(patch: Patch) -> None:
    patch.setattr(components, "is_hubs_turn", lambda *_: True)


@planted
def nobody_looks_at_what_another_doubts(patch: Patch) -> None:
    patch.setattr(AlertEngine, "doubted_by", lambda *_: frozenset())
