"""Plans which test connections tell most, and in what order. Pure; `PathDiagnosis` opens them."""

from collections.abc import Iterable, Sequence

from monitor.diagnosis.bogon_ranges import network_of
from monitor.diagnosis.observations import NEUTRAL, DnsAnswer, Target
from monitor.model import FailureKind
from monitor.model.failure import Group, kinds_where

DNS_KINDS = kinds_where(lambda row: row.group is Group.DNS)
CUT_KINDS = kinds_where(lambda row: row.is_cut)
PATH_KINDS = kinds_where(lambda row: row.fails_on_connecting)
"""Kinds of failure that the way to an endpoint can cause as well as the endpoint."""

_ELSEWHERE = 2
"""So many of the addresses that only other resolvers name are tried."""


Chain = tuple[tuple[str, str], ...]
"""Connections to open one after another: an address, and the name to say there."""


def plan_connections(
    target: Target,
    kind: FailureKind | None,
    here: Sequence[str],
    there: Sequence[DnsAnswer],
    *,
    names_may_be_tested: bool,
) -> tuple[Chain, ...]:
    """Return chains that run side by side; `here` begins with the address of the run, if it came so far."""
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
    return tuple(chains.values())


def _where_to_test(
    here: Sequence[str], elsewhere: Sequence[str], kind: FailureKind | None
) -> Iterable[str]:
    """Choose addresses for a test of names: another address of the host first.

    The run itself was a test of the real name, and a cut address stays cut for some minutes under any name.
    """
    hit = here[0]
    others = [address for address in (*here[1:], *elsewhere) if _family(address) == _family(hit)]
    return (hit,) if kind is None else (*others[:1], hit)


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def only_elsewhere(here: Sequence[str], there: Iterable[DnsAnswer]) -> list[str]:
    """Return addresses that only other resolvers name, in networks that the answer here has none of.

    Another address of the same network is no other answer: names are spread over many.
    """
    known = {network_of(address) for address in here}
    named = dict.fromkeys(address for answer in there for address in answer.addresses)
    return [address for address in named if network_of(address) not in known]
