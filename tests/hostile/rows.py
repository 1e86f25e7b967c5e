"""The whole table."""

import hostile_dns
import hostile_http
import hostile_json
import hostile_sse
import hostile_text
import hostile_tls

_MODULES = (hostile_http, hostile_tls, hostile_dns, hostile_json, hostile_sse, hostile_text)
ROWS = tuple(row for module in _MODULES for row in module.ROWS)
BY_NAME = {f"{row.group} {row.name}": row for row in ROWS}
assert len(BY_NAME) == len(ROWS), "two rows of one name"
