"""The demo's monitor.toml, as an operator would write it for this service, with shorter intervals."""

from collections.abc import Mapping

from monitor.demo.endpoints import ENDPOINTS, SimulatedEndpoint
from monitor.demo.models import CHAT_MODEL, EMBEDDING_MODEL

KEY_NAME = "DEMO_KEY"
CUT_AFTER = "100s"
"""How long Cloudflare keeps a call open without an answer."""


def config_text(
    endpoints: Mapping[str, str], *, channel: str, ca_file: str, listen: str, page_url: str
) -> str:
    """Compose the file. `endpoints` maps ids to base URLs; `channel` is an http address."""
    lines = [_endpoint_line(endpoint, endpoints[endpoint.id], ca_file) for endpoint in ENDPOINTS]
    return _TEMPLATE.format(
        listen=listen,
        page_url=page_url,
        key="${" + KEY_NAME + "}",
        model=CHAT_MODEL,
        endpoints="\n".join(lines),
        embedding_model=EMBEDDING_MODEL,
        channel=channel.replace("http://", "json://", 1),
    )


def _endpoint_line(endpoint: SimulatedEndpoint, url: str, ca_file: str) -> str:
    cut = f', cut_after = "{CUT_AFTER}"' if endpoint.cloudflare else ""
    return (
        f'{endpoint.id} = {{ url = "{url}", name = "{endpoint.name}", ca_file = "{ca_file}"{cut} }}'
    )


_TEMPLATE = """\
# Written by `monitor demo`; gone when it ends.
[monitor]
vantage = "demo"
store = "sqlite:///monitor.db"
listen = "{listen}"

[page]
dir = "page"
url = "{page_url}"
title = "Demo LLM status"
languages = ["en", "zh-CN"]

[alerts]
after = 3
recover = 2
wait = "2s"

[service.demo]
name = "Demo LLM"
key = "{key}"
model = "{model}"

[service.demo.endpoints]
{endpoints}

[service.demo.probes]
models = "3s"
chat = {{ every = "4s", timeout = "20s", slow = "ttft > 5s" }}
embeddings = {{ every = "6s", model = "{embedding_model}" }}

[channel.terminal]
url = "{channel}"
"""
