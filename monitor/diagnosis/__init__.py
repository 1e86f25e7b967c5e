"""Explain: a path failure -> whose it is, with what was looked at; else nothing."""

from monitor.diagnosis.controls import target_of
from monitor.diagnosis.decide import explain
from monitor.diagnosis.doctor import DiagnosisSettings, Doctor, Explained
from monitor.diagnosis.facts import Facts
from monitor.diagnosis.resolvers import Resolver, parse_resolver
from monitor.diagnosis.steps import Step, steps

__all__ = [
    "DiagnosisSettings",
    "Doctor",
    "Explained",
    "Facts",
    "Resolver",
    "Step",
    "explain",
    "parse_resolver",
    "steps",
    "target_of",
]
