"""Explains whose a failure of the path is, and what was looked at.

Only the settings are imported here: commands that read a configuration need no network library.
"""

from monitor.diagnosis.resolver_setting import DiagnosisSettings, Resolver, parse_resolver
