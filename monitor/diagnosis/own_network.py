"""What the controls showed -> whether our own network works. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from monitor.diagnosis.bogon_ranges import network_of
from monitor.diagnosis.observations import NetworkState, NetworkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """One control. `resolved` is None for one that is an address, or was not looked up."""

    host: str
    resolved: bool | None
    reached: bool
    """Something at its address answered, be it with a refusal."""
    address: str | None = None
    skew_s: float | None = None
    before: bool = False
    """It answered a run of our own a moment ago, and was not asked again."""

    @property
    def network(self) -> str:
        return network_of(self.address) if self.address else domain_of(self.host)


def domain_of(host: str) -> str:
    """Names of one domain may fail together: they are one witness."""
    try:
        return network_of(str(ipaddress.ip_address(host)))
    except ValueError:
        return ".".join(host.split(".")[-2:])


def judge_network(
    seen: Sequence[ControlResult],
    *,
    failing: str,
    declared: bool,
    resolver_answered: bool = False,
    resolver_reached: bool = False,
    routed: bool = True,
) -> NetworkState:
    """`failing` is the network of what failed; `declared`: the operator named the controls.

    Other hosts of the config may be down for reasons of their own. So their silence counts only
    where it comes from another network than that of the failing host. `resolver_answered`: another
    one knows the host; `resolver_reached`: one that is out in the world answered whatever, so that
    the network works.
    """
    skews = [each.skew_s for each in seen if each.skew_s is not None]
    skew = median(skews) if skews else None
    reached = [each for each in seen if each.reached]
    if resolver_reached and not reached and not names_failed(seen):
        words = f"another resolver answered, {_of(reached, seen)}"
        return NetworkState(status=NetworkStatus.FINE, words=words, skew_s=skew)
    if not seen:
        status = NetworkStatus.UNKNOWN if routed else NetworkStatus.OFFLINE
        words = "there is nothing to compare with" if routed else "there is no route to anywhere"
        return NetworkState(status=status, words=words)
    if names_failed(seen) and (reached or resolver_answered or resolver_reached):
        names = sum(each.resolved is not None for each in seen)
        words = f"none of {_count(names, 'other name')} resolves, while the network works"
        return NetworkState(status=NetworkStatus.RESOLVER_FAILED, words=words, skew_s=skew)
    if reached:
        words = _of(reached, seen)
        return NetworkState(status=NetworkStatus.FINE, words=words, skew_s=skew)
    words = _of(reached, seen)
    independent = declared or not routed or len({failing, *(each.network for each in seen)}) > 1
    return NetworkState(
        status=NetworkStatus.OFFLINE if independent else NetworkStatus.UNKNOWN,
        words=words,
        skew_s=skew,
    )


def names_failed(seen: Sequence[ControlResult]) -> bool:
    """There were names to look up, and not one was found."""
    names = [each.resolved for each in seen if each.resolved is not None]
    return bool(names) and not any(names)


def _of(reached: Sequence[ControlResult], seen: Sequence[ControlResult]) -> str:
    if not seen:
        return "there is no control"
    return f"{len(reached) or 'none'} of {_count(len(seen), 'control')} answered"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
