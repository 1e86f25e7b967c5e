"""Which connections tell most, and in what order. Pure: the doctor makes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.diagnosis.bogon_ranges import network_of
from monitor.diagnosis.observations import NEUTRAL, DnsAnswer, Target
from monitor.model import FailureKind
from monitor.model.failure import Group, kinds_where

DNS_KINDS = kinds_where(lambda row: row.group is Group.DNS)
CUT_KINDS = kinds_where(lambda row: row.is_cut)
PATH_KINDS = kinds_where(lambda row: row.fails_on_connecting)
"""Failures that the way to an endpoint can cause as well as the endpoint."""

_ELSEWHERE = 2
"""Addresses that only other resolvers name: so many are tried."""


Chain = tuple[tuple[str, str], ...]
"""Connections: an address, and the name to say there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`chains` run side by side, the connections of one chain after one another."""

    chains: tuple[Chain, ...] = ()


def plan_connections(
    target: Target,
    kind: FailureKind | None,
    here: Sequence[str],
    there: Sequence[DnsAnswer],
    *,
    names_may_be_tested: bool,
) -> Plan:
    """`here` begins with the address that the run spoke to, if it came so far."""
    name = target.host if target.encrypted else ""
    elsewhere = only_elsewhere(here, there)
    chains: dict[str, Chain] = {address: ((address, name),) for address in elsewhere[:_ELSEWHERE]}
    if here and kind not in DNS_KINDS | CUT_KINDS:
        chains[here[0]] = ((here[0], name),)
    if here and names_may_be_tested:
        for address in _where_to_test(here, elsewhere, kind):
            was_hit = kind is not None and address == here[0]
            neutral = (address, NEUTRAL)
            chains[address] = (neutral,) if was_hit else (neutral, (address, name))
    return Plan(tuple(chains.values()))


def _where_to_test(
    here: Sequence[str], elsewhere: Sequence[str], kind: FailureKind | None
) -> Iterable[str]:
    """The run itself was a test of the real name; what was cut stays cut for some minutes, whatever
    name is said. So another address of the host is better, neutral name first.
    """
    hit = here[0]
    others = [each for each in (*here[1:], *elsewhere) if _family(each) == _family(hit)]
    return (hit,) if kind is None else (*others[:1], hit)


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def only_elsewhere(here: Sequence[str], there: Iterable[DnsAnswer]) -> list[str]:
    """Addresses that other resolvers name, in networks that the answer here has none of.

    Another address of the same network is no other answer: names are spread over many.
    """
    known = {network_of(each) for each in here}
    named = dict.fromkeys(address for answer in there for address in answer.addresses)
    return [each for each in named if network_of(each) not in known]
