"""`monitor mcp`: answer an assistant's questions on stdio.

The only file that knows the SDK of the Model Context Protocol, which is an extra.
"""

import asyncio
from typing import Annotated, Any

from pydantic import Field

from monitor import __version__
from monitor.cli.mcp_tools import INSTRUCTIONS, Tools, complaint
from monitor.cli.options import ConfigPath, load
from monitor.config import Secrets
from monitor.model import MonitorError
from monitor.model.errors import how_to_install

Service = Annotated[str, Field(description="The id of a service, as in `status`; empty for all.")]
Since = Annotated[
    str, Field(description='How long ago ("6h", "30d"), or a moment in UTC ("2026-11-23T12:00").')
]


def command(path: ConfigPath = None) -> None:
    """Serve read-only tools (best, status, incidents, history, diagnose) over stdin and stdout."""
    load(path, secrets=Secrets.NONE)  # a bad configuration is told at once
    server = make_server(Tools(path))
    asyncio.run(server.run_stdio_async())


def make_server(tools: Tools) -> Any:
    """Return the server of the SDK with our tools. Raises MonitorError where the extra is not installed."""
    try:
        from mcp.server import MCPServer  # noqa: PLC0415  # an extra
        from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415  # an extra
        from mcp.types import ToolAnnotations  # noqa: PLC0415  # an extra
    except ImportError:
        raise MonitorError(
            f"`monitor mcp` needs the SDK of the Model Context Protocol; run: {how_to_install('mcp')}"
        ) from None
    server = MCPServer("monitor", version=__version__, instructions=INSTRUCTIONS)
    stored = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    asking = ToolAnnotations(read_only_hint=True, open_world_hint=True)

    async def answered(question: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
        try:
            document: dict[str, Any] = await asyncio.to_thread(question, *arguments, **more)
        except Exception as error:  # noqa: BLE001  # the client hears a sentence, whatever it was
            raise ToolError(complaint(error)) from None
        return document

    @server.tool(annotations=stored)
    async def best(service: Service = "") -> dict[str, Any]:
        """Answer "which base URL should I use?": the best base URL of each service now.

        `answer` is the sentence to give to the user. `base_url` is null where none is known to work well
        now: then say so and name no other. `flawed` means that its answers are spoiled or an incident covers
        it: recommend it only with that warning. Where `daemon` is null nothing is measured now.
        """
        return await answered(tools.best, service)

    @server.tool(annotations=stored)
    async def status(service: Service = "") -> dict[str, Any]:
        """Tell how every base URL and check does now, open incidents, spend and balances.

        A check's `latest` is its newest run: `outcome` is up, degraded, down or unknown (not seen, neither
        good nor bad); `failure.fault` says whose fault it is: endpoint, path, account or monitor.
        """
        return await answered(tools.status, service)

    @server.tool(annotations=stored)
    async def incidents(
        number: Annotated[
            int, Field(description="The number of one, for its timeline; 0: all.")
        ] = 0,
        since: Since = "90d",
        only_open: Annotated[bool, Field(description="Only those that are not over.")] = False,
    ) -> dict[str, Any]:
        """Tell what went wrong: incidents newest first, each with its cause, or the timeline of one."""
        return await answered(tools.incidents, number, since, only_open=only_open)

    @server.tool(annotations=stored)
    async def history(
        check: Annotated[str, Field(description="SERVICE/ENDPOINT/PROBE, as in `status`.")],
        since: Since = "1d",
        until: Annotated[str, Field(description="As `since`; empty: now.")] = "",
        by: Annotated[
            str,
            Field(description="A row for each: runs, hour, day, month or year; empty: what fits."),
        ] = "",
        vantage: Annotated[
            str, Field(description="The place that measured; empty: the monitor's own.")
        ] = "",
    ) -> dict[str, Any]:
        """Tell how one check did over a range of time: availability, percentiles in ms, failures by kind."""
        return await answered(tools.history, check, since, until, by, vantage)

    @server.tool(annotations=asking)
    async def diagnose(
        base_url: Annotated[
            str, Field(description="A base URL of the configuration, or SERVICE/ENDPOINT.")
        ],
    ) -> dict[str, Any]:
        """Find where the way from here to a base URL breaks now (DNS, TCP, TLS, HTTP), and whose fault it is.

        It sends requests to that base URL and takes some seconds. Other hosts are refused.
        """
        try:
            return await tools.diagnose(base_url)
        except Exception as error:  # noqa: BLE001  # the client hears a sentence, whatever it was
            raise ToolError(complaint(error)) from None

    return server
