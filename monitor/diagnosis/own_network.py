"""Judges from the controls whether our own network works. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from monitor.diagnosis.bogon_ranges import network_of
from monitor.diagnosis.observations import NetworkState, NetworkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """Says what one control showed. `resolved` is None for an address, or where it was not looked up."""

    host: str
    resolved: bool | None
    reached: bool
    """Something at its address answered, even if with a refusal."""
    address: str | None = None
    skew_s: float | None = None
    before: bool = False
    """It answered a run of our own a moment ago, and was not asked again."""

    @property
    def network(self) -> str:
        return network_of(self.address) if self.address else domain_of(self.host)


def domain_of(host: str) -> str:
    """Return the domain of a host: names of one domain may fail together, and are one witness."""
    try:
        return network_of(str(ipaddress.ip_address(host)))
    except ValueError:
        return ".".join(host.split(".")[-2:])


def judge_network(
    controls: Sequence[ControlResult],
    *,
    failing: str,
    declared: bool,
    resolver_answered: bool = False,
    resolver_reached: bool = False,
    routed: bool = True,
) -> NetworkState:
    """Judge our own network; `failing` is the network of what failed.

    `declared` says that the operator named the controls.

    Other hosts of the config may be down for reasons of their own. So their silence counts only
    where it comes from another network than that of the failing host. `resolver_answered`: another
    one knows the host; `resolver_reached`: one that is out in the world answered whatever, so that
    the network works.
    """
    skews = [control.skew_s for control in controls if control.skew_s is not None]
    skew = median(skews) if skews else None
    reached = [control for control in controls if control.reached]
    if resolver_reached and not reached and not names_failed(controls):
        words = f"another resolver answered, {_answered(reached, controls)}"
        return NetworkState(status=NetworkStatus.FINE, words=words, skew_s=skew)
    if not controls:
        status = NetworkStatus.UNKNOWN if routed else NetworkStatus.OFFLINE
        words = "there is nothing to compare with" if routed else "there is no route to anywhere"
        return NetworkState(status=status, words=words)
    if names_failed(controls) and (reached or resolver_answered or resolver_reached):
        names = sum(control.resolved is not None for control in controls)
        words = f"none of {_count(names, 'other name')} resolves, while the network works"
        return NetworkState(status=NetworkStatus.RESOLVER_FAILED, words=words, skew_s=skew)
    if reached:
        words = _answered(reached, controls)
        return NetworkState(status=NetworkStatus.FINE, words=words, skew_s=skew)
    words = _answered(reached, controls)
    independent = (
        declared or not routed or len({failing, *(control.network for control in controls)}) > 1
    )
    return NetworkState(
        status=NetworkStatus.OFFLINE if independent else NetworkStatus.UNKNOWN,
        words=words,
        skew_s=skew,
    )


def names_failed(controls: Sequence[ControlResult]) -> bool:
    """Say whether there were names to look up, and none was found."""
    names = [control.resolved for control in controls if control.resolved is not None]
    return bool(names) and not any(names)


def _answered(reached: Sequence[ControlResult], controls: Sequence[ControlResult]) -> str:
    if not controls:
        return "there is no control"
    return f"{len(reached) or 'none'} of {_count(len(controls), 'control')} answered"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
