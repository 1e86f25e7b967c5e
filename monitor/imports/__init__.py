"""Reads what other programs watch from their files, and writes it as a monitor.toml."""

from monitor.imports.document import document_of, without
from monitor.imports.grouping import Plan, plan
from monitor.imports.imported import Imported, ImportFileError, Remark
from monitor.imports.kuma_database import KumaDatabase
from monitor.imports.sources import open_source, read_sources
from monitor.imports.toml_text import toml_text
