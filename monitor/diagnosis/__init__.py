"""Explain: a path failure -> whose it is, with what was looked at; else nothing."""

from monitor.diagnosis.controls import target_of
from monitor.diagnosis.observations import Facts
from monitor.diagnosis.path_diagnosis import DiagnosisSettings, Explained, PathDiagnosis
from monitor.diagnosis.path_verdict import explain
from monitor.diagnosis.resolvers import Resolver, parse_resolver
from monitor.diagnosis.steps import Step, steps

__all__ = [
    "DiagnosisSettings",
    "Explained",
    "Facts",
    "PathDiagnosis",
    "Resolver",
    "Step",
    "explain",
    "parse_resolver",
    "steps",
    "target_of",
]
