"""The demo's monitor.toml: what an operator would write for this service, only faster."""

from collections.abc import Mapping

from monitor.demo.manners import MANNERS
from monitor.demo.models import CHAT_MODEL, EMBEDDING_MODEL

KEY_NAME = "DEMO_KEY"
CUT_AFTER = "100s"
"""How long the CDN in front is known to keep a call open."""


def settings_text(
    endpoints: Mapping[str, str], *, channel: str, ca_file: str, listen: str, page_url: str
) -> str:
    """`endpoints` is base URL by id; `channel` an http address; paths are relative to the file."""
    lines = [_endpoint_line(manner.id, manner.name, endpoints[manner.id], ca_file, manner.cloudflare)
             for manner in MANNERS]  # fmt: skip
    return _TEMPLATE.format(
        listen=listen,
        page_url=page_url,
        key="${" + KEY_NAME + "}",
        model=CHAT_MODEL,
        endpoints="\n".join(lines),
        embedding_model=EMBEDDING_MODEL,
        channel=channel.replace("http://", "json://", 1),
    )


def _endpoint_line(name: str, title: str, url: str, ca_file: str, cuts: bool) -> str:  # noqa: FBT001
    cut = f', cut_after = "{CUT_AFTER}"' if cuts else ""
    return f'{name} = {{ url = "{url}", name = "{title}", ca_file = "{ca_file}"{cut} }}'


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
