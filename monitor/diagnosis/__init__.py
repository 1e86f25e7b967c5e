"""Explains whose a failure of the path is, and what was looked at."""

from monitor.diagnosis.control_hosts import target_of
from monitor.diagnosis.observations import Observations
from monitor.diagnosis.path_diagnosis import DiagnosisSettings, Explained, PathDiagnosis
from monitor.diagnosis.path_verdict import explain
from monitor.diagnosis.report import ReportStep, report_steps
from monitor.diagnosis.resolver_setting import Resolver, parse_resolver

__all__ = [
    "DiagnosisSettings",
    "Explained",
    "Observations",
    "PathDiagnosis",
    "ReportStep",
    "Resolver",
    "explain",
    "parse_resolver",
    "report_steps",
    "target_of",
]
